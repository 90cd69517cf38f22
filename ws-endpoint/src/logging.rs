//! How frames look in the log.

use std::fmt;

use tracing::debug;
use ws_proto::Message;

/// The most characters of a payload in a log line.
const SHOWN: usize = 75;

/// Logs a message that has come in.
#[inline]
pub(crate) fn log_received(id: u64, message: &Message) {
    debug!(id, "< {}", Elided(message));
}

/// Logs a message that is to go out.
#[inline]
pub(crate) fn log_sent(id: u64, message: &Message) {
    debug!(id, "> {}", Elided(message));
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
