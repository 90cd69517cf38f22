//! Formats events: one line each, with control characters escaped.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ws_tokio::{CloseCode, Escaped, Message, Outcome, WebSocket};

use super::pings::Frame;

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
            (false, _) => self.line(&message(received)),
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
            false => self.line(&closed(code, reason)),
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

/// A message as a line, without the newline: `< text`, or `< (binary) 00ff`.
pub(crate) fn message(message: &Message) -> String {
    match message.as_text() {
        Some(text) => format!("< {}", Escaped(text)),
        None => format!("< (binary) {}", hex(message.as_bytes())),
    }
}

/// The end of the connection: `Connection closed: 4001 (private use) kicked.`
pub(crate) fn closed(code: CloseCode, reason: &str) -> String {
    match reason {
        "" => format!("Connection closed: {code}."),
        _ => format!("Connection closed: {code} {}.", Escaped(reason)),
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_it_is() {
        assert_eq!(message(&Message::from("hello")), "< hello");
        assert_eq!(message(&Message::from("")), "< ");
        assert_eq!(message(&Message::from("naïve ☃ 👩‍🚀 \\ {\"a\":1}")), "< naïve ☃ 👩‍🚀 \\ {\"a\":1}");
    }

    #[test]
    fn binary_is_shown_in_hexadecimal() {
        assert_eq!(message(&Message::from(vec![0x00, 0xff, 0x0a])), "< (binary) 00ff0a");
        assert_eq!(message(&Message::from(Vec::new())), "< (binary) ");
    }

    #[test]
    fn nothing_a_terminal_obeys_is_left() {
        let all: String = (0..=0x2fff).filter_map(char::from_u32).collect();
        let closed = closed(CloseCode::from(1000), &all);
        for line in [message(&Message::from(all)), closed] {
            assert!(!line.contains(|c| Escaped(c).is_unsafe()));
        }
        assert_eq!(message(&Message::from("a\nb\u{1b}[2J\u{202e}")), "< a\\nb\\x1b[2J\\u{202e}");
    }

    #[test]
    fn the_end_of_a_connection_is_told_with_code_name_and_reason() {
        assert_eq!(closed(CloseCode::from(1000), ""), "Connection closed: 1000 (OK).");
        assert_eq!(closed(CloseCode::from(4001), "kicked"), "Connection closed: 4001 (private use) kicked.");
        assert_eq!(closed(CloseCode::from(1001), "bye\u{1b}c"), "Connection closed: 1001 (going away) bye\\x1bc.");
    }
}
