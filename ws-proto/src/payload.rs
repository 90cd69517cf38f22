//! The payload of an incomplete binary message.

use alloc::vec::Vec;
use core::mem;

use crate::frame::mask;

/// The received bytes of a binary message, with room for more.
#[derive(Debug, Default)]
pub(crate) struct BinaryPayload {
    /// The received bytes. Old bytes from an earlier use of the memory may follow them, and need not be cleared before a read.
    memory: Vec<u8>,
    len: usize,
}

impl BinaryPayload {
    /// An empty payload in `memory`, whose content is ignored.
    pub(crate) fn within(memory: Vec<u8>) -> Self {
        Self { memory, len: 0 }
    }

    /// A payload that is all of `memory`.
    pub(crate) fn all(memory: Vec<u8>) -> Self {
        Self { len: memory.len(), memory }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    pub(crate) fn reserve_exact(&mut self, more: usize) {
        self.memory.truncate(self.len);
        self.memory.reserve_exact(more);
    }

    /// Moves the payload to larger memory.
    pub(crate) fn move_to(&mut self, memory: Vec<u8>) {
        let before = mem::replace(self, Self::within(memory));
        self.push(before.bytes(), None);
    }

    fn bytes(&self) -> &[u8] {
        self.memory.get(..self.len).unwrap_or_default()
    }

    /// Adds and unmasks a piece. Returns the key for the byte after it.
    #[inline]
    pub(crate) fn push(&mut self, piece: &[u8], key: Option<[u8; 4]>) -> Option<[u8; 4]> {
        let used_before = self.memory.get_mut(self.len..).unwrap_or_default();
        let (front, rest) = piece.split_at(piece.len().min(used_before.len()));
        let key = mask::copy_keyed(used_before, front, key);
        self.len += piece.len();
        if rest.is_empty() { key } else { mask::append_keyed(&mut self.memory, rest, key) }
    }

    /// The room for the next bytes: at most `most`, and at most the reserved memory.
    pub(crate) fn room(&mut self, most: usize) -> &mut [u8] {
        let end = self.len.saturating_add(most).min(self.memory.capacity());
        if self.memory.len() < end {
            self.memory.resize(end, 0);
        }
        self.memory.get_mut(self.len..end).unwrap_or_default()
    }

    /// Takes in and unmasks the first `n` bytes of the room. Returns their number, and the key for the byte after them.
    pub(crate) fn fill(&mut self, n: usize, key: Option<[u8; 4]>) -> (usize, Option<[u8; 4]>) {
        let room = self.memory.get_mut(self.len..).unwrap_or_default();
        let n = n.min(room.len());
        let came = room.get_mut(..n).unwrap_or_default();
        self.len += n;
        (n, key.map(|key| mask::apply(came, key)))
    }

    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        self.memory.truncate(self.len);
        self.memory
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const KEY: Option<[u8; 4]> = Some([1, 2, 3, 4]);

    /// Every order of the two ways in, over memory of every state, gives the same bytes.
    #[test]
    fn bytes_come_by_pieces_and_through_the_room() {
        let plain: Vec<u8> = (0..100).map(|n| n as u8).collect();
        let mut masked = plain.clone();
        mask::apply(&mut masked, [1, 2, 3, 4]);
        for used_before in [0, 1, 37, 99, 100, 150] {
            for ways in 0..1 << 4 {
                let mut payload = BinaryPayload::within(vec![0xEE; used_before]);
                payload.reserve_exact(0);
                let mut key = KEY;
                for (n, piece) in masked.chunks(26).enumerate() {
                    if payload.capacity() < payload.len() + piece.len() {
                        let mut memory = vec![0xDD; used_before];
                        memory.reserve_exact(100);
                        payload.move_to(memory);
                    }
                    if ways >> n & 1 == 0 {
                        key = payload.push(piece, key);
                    } else {
                        payload.room(piece.len() + 5)[..piece.len()].copy_from_slice(piece);
                        let (filled, next) = payload.fill(piece.len(), key);
                        assert_eq!(filled, piece.len());
                        key = next;
                    }
                }
                assert_eq!(payload.into_vec(), plain, "{used_before}, {ways:04b}");
            }
        }
    }

    #[test]
    fn room_is_the_reserved_memory_and_no_more_can_be_filled() {
        let mut payload = BinaryPayload::within(Vec::with_capacity(64));
        assert_eq!(payload.room(10).len(), 10);
        assert_eq!(payload.fill(11, None), (10, None), "no more than there was room for");
        assert_eq!(payload.room(1000).len(), payload.capacity() - 10);
        assert_eq!(payload.room(0), []);
        assert_eq!(payload.into_vec().len(), 10, "what did not come is not there");
        assert_eq!(BinaryPayload::default().fill(5, KEY), (0, KEY));
    }
}
