//! The pieces of a streamed message until they are a fragment.

use std::collections::VecDeque;
use std::mem;

use ws_proto::Bytes;

/// The size in bytes below which a piece is copied behind others. Kept as it is, it would take some 50 bytes besides.
const SHORT: usize = 1024;

/// Pieces in their order. Short ones are put together as they come, so that a fragment of them takes the memory of its bytes.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pieces: VecDeque<Bytes>,
    /// Short pieces, behind all others.
    short: Vec<u8>,
    len: usize,
}

impl Gathered {
    /// The number of bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        self.len += piece.len();
        if piece.len() < SHORT {
            self.short.extend_from_slice(&piece);
        } else {
            self.flush();
            self.pieces.push_back(piece);
        }
    }

    fn flush(&mut self) {
        if !self.short.is_empty() {
            self.pieces.push_back(mem::take(&mut self.short).into());
        }
    }

    /// Takes the first piece, if it has at least `most` bytes or is the only one. Otherwise takes all of them, put together.
    pub(super) fn take_front(&mut self, most: usize) -> Bytes {
        self.flush();
        let front = match self.pieces.front() {
            Some(front) if self.pieces.len() == 1 || front.len() >= most => self.pieces.pop_front().unwrap_or_default(),
            _ => mem::take(&mut self.pieces).make_contiguous().concat().into(),
        };
        self.len -= front.len();
        front
    }

    /// Puts a piece back that is first again. The short rest of a fragment is copied, and no longer holds the memory of all.
    pub(super) fn put_back(&mut self, front: Bytes) {
        if self.is_empty() {
            self.push(front);
        } else if !front.is_empty() {
            self.len += front.len();
            self.pieces.push_front(front);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_stay_in_their_order() {
        let mut gathered = Gathered::default();
        let long = Bytes::from(vec![b'l'; SHORT]);
        for piece in [b"ab", &b"c"[..], &long, b"", b"d", &long, b"e"] {
            gathered.push(Bytes::copy_from_slice(piece));
        }
        assert_eq!(gathered.len(), 5 + 2 * SHORT);
        let all = [b"abc", &long[..], b"d", &long, b"e"].concat();
        let mut front = gathered.take_front(usize::MAX);
        assert_eq!((&front[..], gathered.is_empty()), (&all[..], true));
        let rest = front.split_off(4);
        gathered.put_back(rest);
        gathered.push(long.clone());
        assert_eq!(gathered.len(), all.len() - 4 + SHORT);
        assert_eq!(gathered.take_front(10), all[4..]);
        assert_eq!(gathered.take_front(10), long);
        assert!(gathered.is_empty() && gathered.take_front(10).is_empty());
    }

    #[test]
    fn short_pieces_take_the_memory_of_their_bytes() {
        let mut gathered = Gathered::default();
        for n in 0..64 << 10 {
            gathered.push(Bytes::copy_from_slice(&[n as u8]));
        }
        assert!(gathered.short.capacity() <= 64 << 10 && gathered.pieces.capacity() == 0);
        // They are not copied again.
        let at = gathered.short.as_ptr();
        let fragment = gathered.take_front(64 << 10);
        assert_eq!((fragment.len(), fragment.as_ptr()), (64 << 10, at));
    }
}
