//! [`Topic`]: the name of a topic.

use std::borrow::Borrow;
use std::error::Error;
use std::fmt;

use ws_session::ByteString;

/// The name of a topic: 1 to 255 bytes of UTF-8, of any characters. Each backplane encodes it for its broker, so that no rule
/// of a broker about dots, blanks or wildcards applies. Cheap to clone.
///
/// Names that begin with a NUL and `ws-hub` are the hub's own.
///
/// Names that differ in one byte are different topics. Nothing is normalized.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(ByteString);

impl Topic {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 255;

    /// A name.
    ///
    /// # Errors
    ///
    /// If it is empty, longer than [`MAX_LEN`](Self::MAX_LEN), or one of the hub's own.
    pub fn new(name: impl Into<ByteString>) -> Result<Self, InvalidTopic> {
        let name = name.into();
        match name.len() {
            0 => Err(InvalidTopic::Empty),
            1..=Self::MAX_LEN if name.starts_with(OWN) => Err(InvalidTopic::Reserved),
            1..=Self::MAX_LEN => Ok(Self(name)),
            len => Err(InvalidTopic::TooLong { len }),
        }
    }

    /// A topic of the hub itself. It can be longer than others, by less than 32 bytes.
    pub(crate) fn own(name: fmt::Arguments<'_>) -> Self {
        Self(format!("{OWN}{name}").into())
    }

    /// Whether it is one of the hub's own.
    pub(crate) fn is_own(&self) -> bool {
        self.0.starts_with(OWN)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The beginning of the hub's own topics.
pub(crate) const OWN: &str = "\0ws-hub/";

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// As a string literal with escapes, because a name can hold any character.
impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

/// A name that no topic can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTopic {
    /// It has no bytes.
    Empty,
    /// It has more than [`Topic::MAX_LEN`] bytes.
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// It is one of the hub's own.
    Reserved,
}

impl fmt::Display for InvalidTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name of a topic must not be empty"),
            Self::Reserved => f.write_str("names that begin with \\0ws-hub/ are the hub's own"),
            Self::TooLong { len } => {
                write!(f, "the name of a topic has {len} bytes; at most {} are allowed", Topic::MAX_LEN)
            }
        }
    }
}

impl Error for InvalidTopic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_1_to_255_bytes_are_valid() {
        assert_eq!(Topic::new(""), Err(InvalidTopic::Empty));
        assert_eq!(Topic::new("ü".repeat(128)), Err(InvalidTopic::TooLong { len: 256 }));
        assert_eq!(Topic::new("\0ws-hub/beat"), Err(InvalidTopic::Reserved));
        for name in ["a", "a..b", "*.>", " ", "\0", "ü", &"x".repeat(255)] {
            assert_eq!(Topic::new(name).unwrap().as_str(), name);
        }
    }
}
