//! The bytes of a row, encoded once: what every connection sends over and over, and what must come back.

use ws_test_support::frames::{BINARY, TEXT, frame};
use ws_test_support::random::Random;

use crate::json;
use crate::row::{Payload, Row};

/// What a server makes of the bytes it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Every byte comes back as it was sent.
    Raw,
    /// An upgrade first; then masked frames (RFC 6455 §5.2) come back unmasked.
    WebSocket,
}

/// Messages that all differ, so that an answer out of place is noticed.
pub(crate) struct Cycle {
    /// The frames to send, followed by the first `in_flight` of them again: whatever is owed is one slice.
    outgoing: Vec<u8>,
    /// The frames that come back, once.
    incoming: Vec<u8>,
    pub(crate) sent_len: u64,
    pub(crate) echo_len: u64,
    messages: u64,
}

impl Cycle {
    pub(crate) fn new(row: &Row, wire: Wire) -> Self {
        let messages = row.in_flight.max(2);
        let mut random = Random(row.size as u64);
        let (mut masked, mut unmasked) = (Vec::new(), Vec::new());
        let first = first_byte(row.payload);
        for index in 0..messages {
            let payload = payload(row, index, &mut random);
            let key = (random.next() as u32).to_le_bytes();
            masked.extend(frame(first, &payload, Some(key)));
            unmasked.extend(frame(first, &payload, None));
        }
        let incoming = match wire {
            Wire::Raw => masked.clone(),
            Wire::WebSocket => unmasked,
        };
        let sent_len = masked.len() / messages;
        masked.extend_from_within(..row.in_flight * sent_len);
        Self {
            sent_len: sent_len as u64,
            echo_len: (incoming.len() / messages) as u64,
            messages: messages as u64,
            outgoing: masked,
            incoming,
        }
    }

    /// Where the stream goes on after `sent` bytes of it, when `owed` more may go.
    pub(crate) fn to_send(&self, sent: u64, owed: u64) -> &[u8] {
        let start = (sent % (self.messages * self.sent_len)) as usize;
        &self.outgoing[start..][..owed as usize]
    }

    /// Whether `bytes` is what must come back after `received` bytes of it.
    pub(crate) fn answers(&self, received: u64, mut bytes: &[u8]) -> bool {
        let mut rest = &self.incoming[(received % self.echo_cycle()) as usize..];
        while bytes.len() > rest.len() {
            let (head, tail) = bytes.split_at(rest.len());
            if head != rest {
                return false;
            }
            (bytes, rest) = (tail, &self.incoming);
        }
        rest.starts_with(bytes)
    }

    /// What comes back, once.
    pub(crate) fn echoes(&self) -> &[u8] {
        &self.incoming
    }

    /// What comes back for the first message.
    pub(crate) fn first_echo(&self) -> &[u8] {
        &self.incoming[..self.echo_len as usize]
    }

    /// How many bytes come back before the stream repeats.
    pub(crate) fn echo_cycle(&self) -> u64 {
        self.messages * self.echo_len
    }
}

/// The first byte of a message in one frame.
pub(crate) fn first_byte(kind: Payload) -> u8 {
    if kind == Payload::Binary { BINARY } else { TEXT }
}

pub(crate) fn payload(row: &Row, index: usize, random: &mut Random) -> Vec<u8> {
    const UTF8: &str = "Съешь же ещё этих мягких французских булок. いろはにほへと ちりぬるを 🦀 Ξεσκεπάζω — façade ";
    match row.payload {
        Payload::Binary => (0..row.size).map(|_| random.next() as u8).collect(),
        Payload::Ascii => (0..row.size).map(|_| b' ' + (random.next() % 95) as u8).collect(),
        Payload::Utf8 => {
            let mut text = String::with_capacity(row.size);
            for c in UTF8.chars().cycle().skip(index) {
                if text.len() + c.len_utf8() > row.size {
                    break;
                }
                text.push(c);
            }
            let mut bytes = text.into_bytes();
            bytes.resize(row.size, b'.');
            bytes
        }
        Payload::Json => json::message(row.size, index, random),
    }
}
