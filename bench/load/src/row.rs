//! One line of the table: what is echoed, over how many connections, how many at once.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, bail};

/// Written `16B 64x16`: the size of a message, the connections, the messages in flight on each. `16B 10x1 of 1000`
/// has 1,000 connections open, of which 990 do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub size: usize,
    pub payload: Payload,
    pub connections: usize,
    pub in_flight: usize,
    /// How many connections there are in all.
    pub open: usize,
}

/// What messages are made of. `16KiB-utf8 64x1` asks for text; without a suffix they are binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    Binary,
    /// Text of one byte per character.
    Ascii,
    /// Text of one to four bytes per character, most of them more than one.
    Utf8,
    /// Text as programs exchange it: something to compress.
    Json,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl FromStr for Row {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (message, shape) = text.split_once(' ')?;
            let (size, payload) = match message.split_once('-') {
                None => (message, Payload::Binary),
                Some((size, "ascii")) => (size, Payload::Ascii),
                Some((size, "utf8")) => (size, Payload::Utf8),
                Some((size, "json")) => (size, Payload::Json),
                Some(_) => return None,
            };
            let (shape, open) = match shape.split_once(" of ") {
                None => (shape, None),
                Some((shape, open)) => (shape, Some(open.parse().ok()?)),
            };
            let (connections, in_flight) = shape.split_once('x')?;
            let connections = connections.parse().ok()?;
            let open = open.unwrap_or(connections);
            Some(Self { size: parse_size(size)?, payload, connections, in_flight: in_flight.parse().ok()?, open })
        };
        let row = parse().with_context(|| format!("{text:?} is no row such as \"16KiB-utf8 64x1\""))?;
        if row.size == 0 || row.connections == 0 || row.in_flight == 0 {
            bail!("{text:?} has a zero in it");
        }
        Ok(row)
    }
}

fn parse_size(text: &str) -> Option<usize> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit {
        "B" => 1,
        "KiB" => KIB,
        "MiB" => MIB,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(unit)
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size {
            size if size % MIB == 0 => write!(f, "{}MiB", size / MIB)?,
            size if size % KIB == 0 => write!(f, "{}KiB", size / KIB)?,
            size => write!(f, "{size}B")?,
        }
        f.write_str(match self.payload {
            Payload::Binary => "",
            Payload::Ascii => "-ascii",
            Payload::Utf8 => "-utf8",
            Payload::Json => "-json",
        })?;
        write!(f, " {}x{}", self.connections, self.in_flight)?;
        if self.open != self.connections {
            write!(f, " of {}", self.open)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_printed_as_it_is_written() {
        for text in [
            "16B 1x1",
            "125B 64x16",
            "16KiB-utf8 64x1",
            "1KiB-ascii 1000x1",
            "1MiB 4x2",
            "1KiB-json 64x1",
            "16B 10x1 of 1000",
        ] {
            assert_eq!(text.parse::<Row>().unwrap().to_string(), text);
        }
        for text in ["", "16 64x1", "16B", "16B 64", "16B 0x1", "16KB 1x1", "16B-latin1 1x1"] {
            assert!(text.parse::<Row>().is_err(), "{text}");
        }
    }
}
