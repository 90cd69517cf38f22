//! The chunks of a message between the driver and the application that receives it piece by piece.

use std::collections::VecDeque;

use ws_proto::Bytes;

/// The bytes that wait to be taken at which reading stops. One read may exceed it by the size of a read buffer.
const FULL: usize = 128 << 10;

/// The size up to which pieces that wait are put together, in bytes.
const TOGETHER: usize = 16 << 10;

/// A message that is received in chunks.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// The chunks that wait.
    chunks: VecDeque<Vec<u8>>,
    /// Their size in bytes.
    bytes: usize,
    /// Whether the last chunk has arrived.
    has_ended: bool,
    /// Whether the application wants no more of it.
    is_unwanted: bool,
}

impl Incoming {
    /// A message whose rest is discarded.
    pub(super) fn unwanted() -> Self {
        Self { is_unwanted: true, ..Self::default() }
    }

    /// Adds a piece, which is the last or not.
    pub(super) fn push(&mut self, piece: &[u8], last: bool) {
        self.has_ended |= last;
        if piece.is_empty() || self.is_unwanted {
            return;
        }
        self.bytes += piece.len();
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() + piece.len() <= TOGETHER => chunk.extend_from_slice(piece),
            _ => self.chunks.push_back(piece.to_vec()),
        }
    }

    /// Takes the next chunk.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.pop_front()?;
        self.bytes -= chunk.len();
        Some(chunk.into())
    }

    /// Discards the rest of the message. Returns the chunks that wait, to be dropped once the lock is released.
    pub(super) fn discard(&mut self) -> VecDeque<Vec<u8>> {
        self.is_unwanted = true;
        self.bytes = 0;
        std::mem::take(&mut self.chunks)
    }

    /// Whether the application wants no more of it.
    pub(super) fn is_unwanted(&self) -> bool {
        self.is_unwanted
    }

    /// Whether nothing of it is left to be received or taken.
    pub(super) fn is_over(&self) -> bool {
        self.has_ended && self.chunks.is_empty()
    }

    /// Whether reading must stop.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= FULL
    }

    /// Whether reading may continue.
    pub(super) fn has_room_again(&self) -> bool {
        self.bytes <= FULL / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_are_put_together_and_large_ones_wait_alone() {
        let mut incoming = Incoming::default();
        incoming.push(b"a", false);
        incoming.push(b"", false);
        incoming.push(b"b", false);
        incoming.push(&[7; TOGETHER], false);
        assert_eq!(incoming.pop().as_deref(), Some(&b"ab"[..]));
        assert_eq!(incoming.pop().map(|chunk| chunk.len()), Some(TOGETHER));
        assert!(incoming.pop().is_none() && !incoming.is_over());
        incoming.push(b"", true);
        assert!(incoming.is_over());
    }

    #[test]
    fn it_is_full_until_half_is_taken() {
        let mut incoming = Incoming::default();
        for _ in 0..4 {
            assert!(!incoming.is_full());
            incoming.push(&[7; FULL / 4], false);
        }
        assert!(incoming.is_full());
        incoming.pop();
        assert!(!incoming.is_full() && !incoming.has_room_again());
        incoming.pop();
        assert!(incoming.has_room_again());
    }

    #[test]
    fn an_unwanted_message_takes_no_memory() {
        let mut incoming = Incoming::default();
        incoming.push(b"a", false);
        assert_eq!(incoming.discard().len(), 1);
        incoming.push(&[7; FULL], true);
        assert!(!incoming.is_full() && incoming.is_over());
    }
}
