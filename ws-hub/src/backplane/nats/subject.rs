//! Names of topics, streams and subjects at the server.

use std::fmt::Write as _;

use crate::options::History;
use crate::position::Epoch;
use crate::topic::Topic;

/// The subjects of a backplane: they begin with its prefix.
#[derive(Clone, Debug)]
pub(super) struct Subjects {
    pub(super) prefix: String,
}

impl Subjects {
    /// Where publications on a topic without history are sent.
    pub(super) fn plain(&self, topic: &Topic) -> String {
        format!("{}.topic.{}", self.prefix, encode(topic.as_str()))
    }

    /// Where publications on a topic with history are sent, for the stream to store them.
    pub(super) fn log(&self, set: Set, topic: &Topic) -> String {
        format!("{}.log.{set}.{}", self.prefix, encode(topic.as_str()))
    }

    /// Where publications on a topic with history arrive, after the stream has stored them.
    pub(super) fn live(&self, set: Set, topic: &Topic) -> String {
        format!("{}.live.{set}.{}", self.prefix, encode(topic.as_str()))
    }

    /// All that a stream stores.
    pub(super) fn all_log(&self, set: Set) -> String {
        format!("{}.log.{set}.>", self.prefix)
    }

    /// Of a stream that is the lock while another one is made. Nobody publishes there.
    pub(super) fn lock(&self, set: Set) -> String {
        format!("{}.lock.{set}", self.prefix)
    }

    pub(super) fn all_live(&self, set: Set) -> String {
        format!("{}.live.{set}.>", self.prefix)
    }
}

/// A set of options for history: size and age in milliseconds. There is one stream for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Set {
    pub(super) size: u64,
    pub(super) age: u64,
}

/// The shortest age that a server accepts, in milliseconds.
const SHORTEST: u64 = 100;
/// 100 years. A server counts in nanoseconds, in 63 bits.
const LONGEST: u64 = 100 * 365 * 24 * 3600 * 1000;

impl From<&History> for Set {
    fn from(history: &History) -> Self {
        let size = u64::try_from(history.size).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64);
        let age = u64::try_from(history.age.as_millis()).unwrap_or(u64::MAX).clamp(SHORTEST, LONGEST);
        Self { size, age }
    }
}

impl std::fmt::Display for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.size, self.age)
    }
}

/// The name of a stream ends with its epoch.
pub(super) fn stream_name(base: &str, set: Set, epoch: Epoch) -> String {
    format!("{base}_{set}_{epoch}")
}

/// The epoch of a stream, if it is one of a hub.
pub(super) fn epoch_of(stream: &str) -> Option<Epoch> {
    let (_, digits) = stream.rsplit_once('_')?;
    if digits.len() != 16 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok().map(Epoch)
}

/// A name as one token of a subject: visible ASCII stays as it is, but `.`, `*`, `>` and `%`. Every other byte is written as `%`
/// and two hexadecimal digits. Also a header's value.
pub(super) fn encode(name: &str) -> String {
    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'.' | b'*' | b'>' | b'%' => drop(write!(token, "%{byte:02X}")),
            b'!'..=b'~' => token.push(char::from(byte)),
            _ => drop(write!(token, "%{byte:02X}")),
        }
    }
    token
}

/// Undoes [`encode`]. What is not encoded well stays as it is: others write headers, too.
pub(super) fn decode(token: &str) -> String {
    let mut name = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|two| byte == b'%' && two.iter().all(u8::is_ascii_hexdigit));
        match digits.and_then(|two| str::from_utf8(two).ok()).and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(decoded) => {
                name.push(decoded);
                rest = &after[2..];
            }
            None => {
                name.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(name).unwrap_or_else(|_| token.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_name_is_one_token_and_no_two_are_the_same() {
        let names = ["a", "a.b", "a..b", "a%2Eb", "*", ">", "a b", "ü", "\0", "\r\n", "$JS", &".".repeat(255)];
        let mut tokens: Vec<String> = names.iter().map(|name| encode(name)).collect();
        for (name, token) in names.iter().zip(&tokens) {
            assert_eq!(decode(token), *name);
            assert!(!token.is_empty() && token.len() <= 3 * 255, "{token}");
            assert!(token.bytes().all(|byte| byte.is_ascii_graphic() && !b".*>".contains(&byte)), "{token}");
        }
        tokens.sort();
        tokens.dedup();
        assert_eq!(tokens.len(), names.len());
        assert_eq!(encode("chat/rust-1"), "chat/rust-1");
    }

    #[test]
    fn a_stream_has_its_options_and_its_epoch_in_its_name() {
        let history = |size, age| Set::from(&History { size, age });
        let name = stream_name("WS_HUB", history(100, Duration::from_secs(3600)), Epoch(0xab));
        assert_eq!(name, "WS_HUB_100-3600000_00000000000000ab");
        assert_eq!(epoch_of(&name), Some(Epoch(0xab)));
        for other in ["", "ORDERS", "ORDERS_1", "ORDERS_00000000000000g0", "ORDERS_+0000000000000ab"] {
            assert_eq!(epoch_of(other), None, "{other}");
        }
        assert_eq!(history(1, Duration::ZERO).age, 100);
        assert_eq!(history(1, Duration::MAX).age, LONGEST);
        assert_eq!(history(usize::MAX, Duration::MAX).size, i64::MAX as u64);
    }
}
