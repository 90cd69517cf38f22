//! Log events: their target, and the formats of errors and messages. Heads are in `heads`, frames in `tap`.

mod heads;
mod tap;

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Write as _};

use tracing::subscriber::NoSubscriber;
use tracing::{debug, dispatcher};
use ws_proto::Message;

#[cfg(feature = "http2")]
pub(crate) use self::heads::Redacted;
pub(crate) use self::heads::log_head;
pub(crate) use self::tap::Tap;

/// The target of every event, whichever crate it comes from and whichever the adapter.
pub(crate) const TARGET: &str = "ws_tokio";

/// The most characters of a payload in a log line.
pub(crate) const SHOWN: usize = 75;

/// Prints an important line to standard error if the program has not set up `tracing`.
pub(crate) fn unless_heard(line: fmt::Arguments<'_>) {
    if dispatcher::get_default(|dispatch| dispatch.is::<NoSubscriber>()) {
        // In one write, so that no other thread's output stands within the line. A closed standard error is ignored.
        let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
    }
}

/// An error and its causes, in one line: `reading the users: no such file: users.txt`. A cause is left out where the error
/// has said the same already.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        for cause in causes(self.0).skip(1) {
            let cause = cause.to_string();
            if !said.contains(&cause) {
                write!(f, ": {cause}")?;
                said = cause;
            }
        }
        Ok(())
    }
}

/// An error and its causes.
pub(crate) fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        let error: &'a (dyn StdError + 'static) = *error;
        error.source()
    })
}

/// Logs a message that has come in.
#[inline]
pub(crate) fn log_received(id: u64, message: &Message) {
    debug!(target: TARGET, id, "< {}", Elided(message));
}

/// Logs a message that is to go out, unless it `waits` for another to end. It is logged later then.
#[inline]
pub(crate) fn log_sent(id: u64, message: &Message, waits: bool) {
    if tracing::enabled!(target: TARGET, tracing::Level::DEBUG) && !waits {
        debug!(target: TARGET, id, "> {}", Elided(message));
    }
}

/// A message in one short line: `text 'hello' [5 bytes]`, `binary 00ff [2 bytes]`.
struct Elided<'a>(&'a Message);

impl fmt::Display for Elided<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Message::Text(text) => {
                let mut chars = text.chars();
                f.write_str("text '")?;
                for c in chars.by_ref().take(SHOWN) {
                    write!(f, "{}", c.escape_debug())?;
                }
                f.write_str(if chars.next().is_some() { "…'" } else { "'" })?;
            }
            Message::Binary(bytes) => {
                f.write_str("binary ")?;
                for byte in bytes.iter().take(SHOWN / 2) {
                    write!(f, "{byte:02x}")?;
                }
                f.write_str(if bytes.len() > SHOWN / 2 { "…" } else { "" })?;
            }
        }
        write!(f, " [{} bytes]", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_elided() {
        let shown = Elided(&Message::from("é\n".repeat(100))).to_string();
        assert!(shown.starts_with("text 'é\\né\\n") && shown.ends_with("…' [300 bytes]"), "{shown}");
        assert_eq!(Elided(&Message::from(b"\0\xff")).to_string(), "binary 00ff [2 bytes]");
        assert_eq!(Elided(&Message::from(vec![0xAB; 1000])).to_string().len(), 7 + 74 + 3 + 13);
        assert_eq!(Elided(&Message::from("")).to_string(), "text '' [0 bytes]");
    }
}
