//! Formats the events of a session, as lines or as JSON.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ws_tokio::{Message, Outcome, WebSocket};

use super::pings::Frame;
use crate::shown;

/// How the events of a session are shown.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Format {
    /// As JSON objects.
    pub(super) json: bool,
    /// Binary messages are shown in base64, not in hexadecimal.
    pub(super) base64: bool,
    /// With the time of the event.
    pub(super) timestamps: bool,
}

impl Format {
    /// The first event, as JSON.
    pub(super) fn opened(self, url: &str, ws: &WebSocket) -> String {
        let extensions = ws.response().headers().get_all("sec-websocket-extensions").iter();
        let extensions: Vec<_> = extensions.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        self.event(json!({
            "type": "open",
            "url": url,
            "subprotocol": ws.subprotocol(),
            "extensions": (!extensions.is_empty()).then(|| extensions.join(", ")),
        }))
    }

    pub(super) fn message(self, received: &Message) -> String {
        match (self.json, received.as_text()) {
            (true, Some(text)) => self.event(json!({"type": "message", "text": text})),
            (true, None) => self.event(json!({"type": "message", "binary": STANDARD.encode(received.as_bytes())})),
            (false, None) if self.base64 => self.line(&format!("< (binary) {}", STANDARD.encode(received.as_bytes()))),
            (false, _) => self.line(&shown::message(received)),
        }
    }

    /// A frame, shown with `-v`.
    pub(super) fn frame(self, frame: &Frame) -> String {
        match self.json {
            false => self.line(&frame.line),
            true => {
                let direction = if frame.line.starts_with('<') { "received" } else { "sent" };
                self.event(json!({"type": frame.kind, "direction": direction, "line": frame.line}))
            }
        }
    }

    /// The answer to a ping that was asked for.
    pub(super) fn pong(self, latency: Duration) -> String {
        match self.json {
            false => self.line(&format!("(pong after {:.3} ms)", latency.as_secs_f64() * 1e3)),
            true => self.event(json!({"type": "pong", "latency": latency.as_secs_f64()})),
        }
    }

    /// Something that did not work, as a sentence.
    pub(super) fn problem(self, sentence: &str) -> String {
        match self.json {
            false => self.line(&format!("({})", sentence.trim_end_matches('.'))),
            true => self.event(json!({"type": "error", "message": sentence})),
        }
    }

    /// The last event.
    pub(super) fn closed(self, outcome: &Outcome) -> String {
        let (code, reason) = (outcome.code(), outcome.reason());
        match self.json {
            false => self.line(&shown::closed(code, reason)),
            true => self.event(json!({
                "type": "close",
                "code": u16::from(code),
                "reason": reason,
                "clean": outcome.is_clean(),
            })),
        }
    }

    fn line(self, line: &str) -> String {
        match self.timestamps {
            true => format!("{} {line}", jiff::Zoned::now().strftime("%H:%M:%S%.3f")),
            false => line.to_owned(),
        }
    }

    fn event(self, mut event: Value) -> String {
        if self.timestamps {
            event["time"] = jiff::Timestamp::now().to_string().into();
        }
        event.to_string()
    }
}
