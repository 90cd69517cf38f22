//! Pings and pongs, shown with `-v`, and all frames, shown with `-vv`. The library answers pings by itself, and reports frames
//! only in its log.

use std::fmt::{self, Write as _};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// A frame that was sent or received.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// `ping`, `pong`, or `frame` for all others.
    pub(super) kind: &'static str,
    /// `< (ping) 00ff [2 bytes]`, or with `-vv` `< frame PING FIN 00ff [2 bytes]`.
    pub(super) line: String,
}

/// Pings and pongs, or all frames, in the order in which they are sent and received. None if they are not watched.
pub(crate) struct Pings(Option<UnboundedReceiver<Frame>>);

impl Pings {
    pub(super) fn unwatched() -> Self {
        Self(None)
    }

    /// A log layer that watches for pings and pongs, or for all frames, and the receiver of what it saw.
    pub(super) fn watch<S>(all: bool) -> (impl Layer<S> + Send + Sync, Self)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let (to, from) = unbounded_channel();
        let of_the_library =
            filter_fn(|metadata| metadata.target().starts_with("ws_") && *metadata.level() <= Level::DEBUG);
        let layer = Watch { to, all }.with_filter(of_the_library.with_max_level_hint(LevelFilter::DEBUG));
        (layer, Self(Some(from)))
    }

    /// Waits for the next one, for ever if they are not watched.
    pub(super) async fn next(&mut self) -> Frame {
        if let Some(from) = &mut self.0
            && let Some(frame) = from.recv().await
        {
            return frame;
        }
        std::future::pending().await
    }

    /// The next one, if it is ready. A ping that arrived before a message is shown before it.
    pub(super) fn take(&mut self) -> Option<Frame> {
        self.0.as_mut()?.try_recv().ok()
    }
}

struct Watch {
    to: UnboundedSender<Frame>,
    /// Whether every frame is shown.
    all: bool,
}

impl<S: Subscriber> Layer<S> for Watch {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = MessageText(String::new());
        event.record(&mut message);
        if let Some(frame) = frame(&message.0, self.all) {
            // Fails once the session has ended. It is not needed then.
            let _ = self.to.send(frame);
        }
    }
}

struct MessageText(String);

impl Visit for MessageText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// Turns `< frame PING FIN 00ff [2 bytes]` into `< (ping) 00ff [2 bytes]`, unless all frames are shown as they are. `None` for
/// other log messages, and for other frames unless all are shown.
fn frame(message: &str, all: bool) -> Option<Frame> {
    let (direction, frame) = message.split_once(" frame ").filter(|(direction, _)| matches!(*direction, "<" | ">"))?;
    let (opcode, rest) = frame.split_once(' ')?;
    let kind = match opcode {
        "PING" => "ping",
        "PONG" => "pong",
        _ if all => "frame",
        _ => return None,
    };
    let line = match all {
        true => message.to_owned(),
        false => format!("{direction} ({kind}) {}", rest.strip_prefix("FIN ").unwrap_or(rest)),
    };
    Some(Frame { kind, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_and_pongs_are_shown_and_others_when_asked_for() {
        let shown = |message, all| frame(message, all).map(|Frame { kind, line }| (kind, line));
        let expected = |kind, line: &str| Some((kind, line.to_owned()));
        assert_eq!(shown("< frame PING FIN [0 bytes]", false), expected("ping", "< (ping) [0 bytes]"));
        assert_eq!(shown("> frame PONG FIN 00ff [2 bytes]", false), expected("pong", "> (pong) 00ff [2 bytes]"));
        for line in ["< frame PING FIN [0 bytes]", "> frame PONG FIN 00ff [2 bytes]"] {
            assert_eq!(shown(line, true).map(|(_, shown)| shown).as_deref(), Some(line));
        }
        let text = "< frame TEXT FIN ' frame PING FIN ' [16 bytes]";
        assert_eq!((shown(text, false), shown(text, true)), (None, expected("frame", text)));
        for other in ["", "<", "< text 'frame PING FIN ' [15 bytes]", "- frame PING FIN [0 bytes]"] {
            assert_eq!((shown(other, false), shown(other, true)), (None, None));
        }
    }
}
