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

/// Lines for pings and pongs, in the order in which they are sent and received. None if they are not watched.
pub(crate) struct Pings(Option<UnboundedReceiver<String>>);

impl Pings {
    pub(super) fn unwatched() -> Self {
        Self(None)
    }

    /// A log layer that watches for pings and pongs, or for all frames, and the receiver of its lines.
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

    /// Waits for the next line, for ever if pings are not watched.
    pub(super) async fn next(&mut self) -> String {
        if let Some(from) = &mut self.0
            && let Some(line) = from.recv().await
        {
            return line;
        }
        std::future::pending().await
    }

    /// The next line, if it is ready. A ping that arrived before a message is shown before it.
    pub(super) fn take(&mut self) -> Option<String> {
        self.0.as_mut()?.try_recv().ok()
    }
}

struct Watch {
    to: UnboundedSender<String>,
    /// Whether every frame is shown.
    all: bool,
}

impl<S: Subscriber> Layer<S> for Watch {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = MessageText(String::new());
        event.record(&mut message);
        let line = if self.all { frame(&message.0) } else { shown(&message.0) };
        if let Some(line) = line {
            // Fails once the session has ended. The line is not needed then.
            let _ = self.to.send(line);
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

/// Turns `< frame PING FIN 00ff [2 bytes]` into `< (ping) 00ff [2 bytes]`. `None` for other log messages.
fn shown(message: &str) -> Option<String> {
    let (direction, frame) = message.split_once(" frame ")?;
    let (opcode, rest) = frame.split_once(' ')?;
    let opcode = opcode.to_ascii_lowercase();
    let is_one = matches!(direction, "<" | ">") && matches!(&*opcode, "ping" | "pong");
    is_one.then(|| format!("{direction} ({opcode}) {}", rest.strip_prefix("FIN ").unwrap_or(rest)))
}

/// A line about a frame, as it is. `None` for other log messages.
fn frame(message: &str) -> Option<String> {
    message.split_once(" frame ").filter(|(direction, _)| matches!(*direction, "<" | ">")).map(|_| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_and_pongs_are_shown_and_nothing_else() {
        assert_eq!(shown("< frame PING FIN [0 bytes]").as_deref(), Some("< (ping) [0 bytes]"));
        assert_eq!(shown("> frame PONG FIN 00ff [2 bytes]").as_deref(), Some("> (pong) 00ff [2 bytes]"));
        for other in [
            "",
            "<",
            "< text 'frame PING FIN ' [15 bytes]",
            "< frame TEXT FIN ' frame PING FIN ' [16 bytes]",
            "- frame PING FIN [0 bytes]",
        ] {
            assert_eq!(shown(other), None);
        }
    }
}
