//! Short messages that arrive together share memory.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use ws_proto::{ByteString, Incoming, Message, MessageKind};

use super::recycle;

/// The longest message, in bytes, that shares memory with others.
const SHORT: usize = 128;

/// The size of the shared memory, in bytes. A message that is kept holds at most this much.
const CHUNK: usize = 1 << 10;

/// Makes messages of the input of one read. To allocate and free the memory of a short message takes longer than all other
/// work on it, so messages that arrive together share memory.
#[derive(Default)]
pub(crate) struct Burst {
    chunk: BytesMut,
}

impl Burst {
    /// The message with memory of its own. `more` bytes of input follow it.
    #[inline(always)]
    pub(crate) fn message(&mut self, incoming: Incoming<'_>, more: usize) -> Message {
        let (kind, bytes) = match &incoming {
            Incoming::Binary(Cow::Borrowed(bytes)) => (MessageKind::Binary, *bytes),
            Incoming::Text(Cow::Borrowed(text)) => (MessageKind::Text, text.as_bytes()),
            _ => return recycle::into_message(incoming),
        };
        if !(1..=SHORT).contains(&bytes.len()) || !self.has_room(bytes.len(), more) {
            return match kind {
                MessageKind::Binary => Message::Binary(Bytes::copy_from_slice(bytes)),
                MessageKind::Text => recycle::into_message(incoming),
            };
        }
        self.chunk.extend_from_slice(bytes);
        let bytes = self.chunk.split().freeze();
        match kind {
            MessageKind::Binary => Message::Binary(bytes),
            // Checked again, because that is faster than an allocation.
            MessageKind::Text => match ByteString::try_from(bytes) {
                Ok(text) => Message::Text(text),
                Err(_) => recycle::into_message(incoming),
            },
        }
    }

    /// Whether there is room for a short message. It allocates if more of them may follow.
    #[inline]
    fn has_room(&mut self, len: usize, more: usize) -> bool {
        len <= self.chunk.capacity() || (more > 0 && self.make_room(len + more))
    }

    fn make_room(&mut self, len: usize) -> bool {
        self.chunk = BytesMut::with_capacity(len.min(CHUNK));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(bytes: &[u8]) -> Incoming<'_> {
        Incoming::Binary(Cow::Borrowed(bytes))
    }

    #[test]
    fn messages_of_a_burst_are_what_came_in() {
        let mut burst = Burst::default();
        let sent: Vec<Message> = (0..3 * CHUNK)
            .map(|n| {
                let len = n % (SHORT + 3);
                if n % 3 == 0 { "é".repeat(len / 2).into() } else { vec![n as u8; len].into() }
            })
            .collect();
        let received: Vec<Message> = sent
            .iter()
            .enumerate()
            .map(|(n, message)| {
                let incoming = match message {
                    Message::Text(text) => Incoming::Text(Cow::Borrowed(&**text)),
                    Message::Binary(bytes) => Incoming::Binary(Cow::Borrowed(bytes)),
                };
                let received = burst.message(incoming, sent.len() - 1 - n);
                assert!(burst.chunk.capacity() < CHUNK);
                received
            })
            .collect();
        assert_eq!(received, sent);
    }

    #[test]
    fn a_message_that_comes_alone_has_memory_of_its_own() {
        let mut burst = Burst::default();
        let alone = burst.message(binary(b"alone"), 0);
        assert_eq!(burst.chunk.capacity(), 0);
        let (long, empty) = (burst.message(binary(&[7; SHORT + 1]), 1000), burst.message(binary(b""), 1000));
        assert_eq!((burst.chunk.capacity(), empty.len()), (0, 0));
        drop(burst);
        for message in [alone, long] {
            assert!(message.into_bytes().is_unique());
        }
    }

    #[test]
    fn short_messages_share_no_more_than_came_with_them() {
        let mut burst = Burst::default();
        let first = burst.message(binary(&[1; 20]), 30);
        let second = burst.message(Incoming::Text(Cow::Borrowed(&"2".repeat(20))), 10);
        assert_eq!(burst.chunk.capacity(), 10);
        assert!(!first.into_bytes().is_unique(), "the second is there, too");
        let third = burst.message(binary(&[3; 20]), 0);
        assert_eq!(burst.chunk.capacity(), 10, "no room is made for the last");
        drop(burst);
        assert!(second.into_bytes().is_unique() && third.into_bytes().is_unique());
    }
}
