//! [`Position`]: a place in the stream of a topic's publications.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// The identity of a stream. A stream that is lost, for example because a broker restarted without its data, is followed by one
/// with another epoch, and no position of the old one means anything in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As 16 hexadecimal digits.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A place in the stream of a topic with history: after the publication with this offset.
///
/// Offsets only go up within an epoch. They need not be consecutive: each publication names the offset before it
/// ([`Publication::previous`](crate::Publication::previous)). Offset 0 is the beginning, before any publication.
///
/// Its text form is the epoch, a colon and the offset: `00c0ffee00c0ffee:42`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The identity of the stream.
    pub epoch: Epoch,
    /// The offset of the last publication before this place; 0 if there is none.
    pub offset: u64,
}

impl Position {
    /// The place after the publication with this offset.
    pub fn new(epoch: Epoch, offset: u64) -> Self {
        Self { epoch, offset }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.offset)
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (epoch, offset) = text.split_once(':').ok_or(InvalidPosition)?;
        // `from_str_radix` and `parse` accept a sign.
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if epoch.len() != 16 || !digits(epoch) || !digits(offset) {
            return Err(InvalidPosition);
        }
        let epoch = u64::from_str_radix(epoch, 16).map_err(|_| InvalidPosition)?;
        let offset = offset.parse().map_err(|_| InvalidPosition)?;
        Ok(Self::new(Epoch(epoch), offset))
    }
}

/// A text that is no [`Position`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPosition;

impl fmt::Display for InvalidPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a position is 16 hexadecimal digits, a colon and a decimal number")
    }
}

impl Error for InvalidPosition {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_from_its_text() {
        for position in [Position::new(Epoch(0), 0), Position::new(Epoch(u64::MAX), u64::MAX)] {
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        let text = "00c0ffee00c0ffee:42";
        assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
        for text in
            ["", ":", "1:1", "00c0ffee00c0ffee:", "00c0ffee00c0ffee:+1", "+0c0ffee00c0ffee:1", "00c0ffee00c0ffee:a"]
        {
            assert_eq!(text.parse::<Position>(), Err(InvalidPosition), "{text}");
        }
    }
}
