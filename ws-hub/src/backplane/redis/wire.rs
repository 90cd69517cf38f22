//! What is in the channels and the streams: the head of a publication, and the IDs of entries.
//!
//! A publication in a channel is a line and what follows it:
//!
//! ```text
//! w1 KIND KEYLEN [EPOCH ID PREVIOUS]\n
//! KEY PAYLOAD
//! ```
//!
//! KIND is `t` (text) or `b` (binary). KEYLEN is the number of bytes of the key, or `-` without one. With history, EPOCH is 16
//! hexadecimal digits, ID is that of the stream's entry, and PREVIOUS that of the entry before it, `0-0` for the first. The key
//! and the payload follow the line directly.

use std::fmt::Write as _;

use ws_session::{ByteString, Bytes, Message};

use crate::position::{Epoch, Position};
use crate::publication::Publication;
use crate::topic::Topic;

/// An offset is the ID of an entry: milliseconds above this number of bits, the sequence number in them.
const BITS: u32 = 22;
/// Sequence numbers are below this. The script that publishes keeps to it.
const SEQUENCES: u64 = 1 << BITS;

/// What stands before key and payload, without the place.
pub(super) fn head(message: &Message, key: Option<&ByteString>) -> String {
    let kind = if message.is_text() { 't' } else { 'b' };
    match key {
        Some(key) => format!("{kind} {}", key.len()),
        None => format!("{kind} -"),
    }
}

/// Key and payload.
pub(super) fn body(into: &mut Vec<u8>, message: &Message, key: Option<&ByteString>) {
    into.reserve_exact(key.map_or(0, |key| key.len()) + message.len());
    into.extend_from_slice(key.map_or(&[][..], |key| key.as_bytes()));
    into.extend_from_slice(message.as_bytes());
}

/// A publication as it is in a channel, without history.
pub(super) fn encode(message: &Message, key: Option<&ByteString>) -> Vec<u8> {
    let mut bytes = format!("w1 {}\n", head(message, key)).into_bytes();
    body(&mut bytes, message, key);
    bytes
}

/// Reads a publication from a channel. `None` if it is not in this form.
pub(super) fn decode(topic: &Topic, bytes: Vec<u8>) -> Option<Publication> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let mut body = Bytes::from(bytes);
    let line = body.split_to(end + 1);
    let line = std::str::from_utf8(line.get(..end)?).ok()?;
    let mut words = line.strip_prefix("w1 ")?.split(' ');
    let (kind, key) = (words.next()?, words.next()?);
    let place = match (words.next(), words.next(), words.next(), words.next()) {
        (None, ..) => None,
        (Some(epoch), Some(id), Some(previous), None) => Some((self::epoch(epoch)?, offset(id)?, offset(previous)?)),
        _ => return None,
    };
    let publication = contents(topic, kind, key, body)?;
    Some(match place {
        Some((epoch, offset, previous)) => publication.at(Position::new(epoch, offset), previous),
        None => publication,
    })
}

/// Reads a publication from an entry: its `h` and `b`.
pub(super) fn entry(topic: &Topic, head: &[u8], body: Vec<u8>) -> Option<Publication> {
    let (kind, key) = std::str::from_utf8(head).ok()?.split_once(' ')?;
    contents(topic, kind, key, body.into())
}

fn contents(topic: &Topic, kind: &str, key: &str, mut body: Bytes) -> Option<Publication> {
    let key = match key {
        "-" => None,
        len => {
            let len = len.parse().ok()?;
            Some(ByteString::try_from(if len <= body.len() { body.split_to(len) } else { return None }).ok()?)
        }
    };
    let message = match kind {
        "t" => Message::text(ByteString::try_from(body).ok()?),
        "b" => Message::binary(body),
        _ => return None,
    };
    let mut publication = Publication::new(topic.clone(), message);
    publication.key = key;
    Some(publication)
}

/// The ID of an entry as an offset.
pub(super) fn offset(id: &str) -> Option<u64> {
    let (ms, sequence) = id.split_once('-')?;
    let (ms, sequence): (u64, u64) = (ms.parse().ok()?, sequence.parse().ok()?);
    (ms < 1 << (64 - BITS) && sequence < SEQUENCES).then_some((ms << BITS) | sequence)
}

/// An offset as the ID of an entry.
pub(super) fn id(offset: u64) -> String {
    let mut id = String::new();
    let _ = write!(id, "{}-{}", offset >> BITS, offset % SEQUENCES);
    id
}

pub(super) fn epoch(text: &str) -> Option<Epoch> {
    let is_epoch = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_epoch.then(|| u64::from_str_radix(text, 16).ok().map(Epoch)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        Topic::new("a").unwrap()
    }

    #[test]
    fn publications_are_read_as_they_were_written() {
        let key: ByteString = "k\n".into();
        for message in [Message::from(""), "w1 t -\n".into(), vec![0, 255, b'\n'].into(), Vec::new().into()] {
            for key in [None, Some(&key)] {
                let read = decode(&topic(), encode(&message, key)).unwrap();
                assert_eq!((&read.message, read.key.as_ref()), (&message, key));
                assert_eq!(read.message.kind(), message.kind());
                assert_eq!(read.position, None);
                let mut bytes = Vec::new();
                body(&mut bytes, &message, key);
                let read = entry(&topic(), head(&message, key).as_bytes(), bytes).unwrap();
                assert_eq!((&read.message, read.key.as_ref()), (&message, key));
            }
        }
    }

    #[test]
    fn a_place_is_read() {
        let read = decode(&topic(), b"w1 b 1 00c0ffee00c0ffee 2-3 0-0\nkab".to_vec()).unwrap();
        assert_eq!(read.position, Some(Position::new(Epoch(0xc0_ffee_00c0_ffee), (2 << 22) | 3)));
        assert_eq!((read.previous, read.key.as_deref(), read.message.as_bytes()), (0, Some("k"), &b"ab"[..]));
    }

    #[test]
    fn what_others_publish_is_no_publication() {
        for bytes in [
            "",
            "hello",
            "\n",
            "w1\n",
            "w1 \n",
            "w1 t\n",
            "w1 x -\n",
            "w1 t 1\n",
            "w1 t +\n",
            "w2 t -\n",
            "w1 t - 1\n",
            "w1 t - 00c0ffee00c0ffee 1-1\n",
            "w1 t - 00c0ffee00c0ffee 1-1 0-0 0\n",
            "w1 t - c0ffee 1-1 0-0\n",
            "w1 t - 00c0ffee00c0ffee 1 0-0\n",
            "w1 t - 00c0ffee00c0ffee 1-4194304 0-0\n",
            "w1 t -",
        ] {
            assert!(decode(&topic(), bytes.as_bytes().to_vec()).is_none(), "{bytes:?}");
        }
        assert!(decode(&topic(), b"w1 t -\n\xff".to_vec()).is_none());
        assert!(decode(&topic(), b"w1 b 1\n\xff".to_vec()).is_none());
    }

    #[test]
    fn an_id_is_an_offset() {
        for text in ["0-0", "0-1", "1764557971000-0", "1764557971000-4194303", "4398046511103-4194303"] {
            assert_eq!(id(offset(text).unwrap()), text);
        }
        for text in ["", "1", "1-", "-1", "4398046511104-0", "0-4194304", "a-0", "1-1-1"] {
            assert_eq!(offset(text), None, "{text}");
        }
        assert!(offset("1-4194303") < offset("2-0"));
    }
}
