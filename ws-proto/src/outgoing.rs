//! The queue of bytes on their way out.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use crate::frame::{FrameHeader, codec, mask};

/// Payloads from this size on are kept by reference instead of being copied next to their header.
const REFERENCE_FROM: usize = 4 << 10;

/// Copied bytes are gathered in segments of about this size,
const SEGMENT: usize = 32 << 10;

/// which begin with room for some small messages.
const FIRST_ROOM: usize = 1000;

/// Frames waiting to be written, oldest first: a [`bytes::Buf`] whose
/// [`chunks_vectored`](Buf::chunks_vectored) gives what one vectored write can take.
///
/// Small payloads lie next to their headers in one piece of memory; large ones stay where they are and are only
/// referred to. The memory is released when it has been written.
#[derive(Debug, Default)]
pub struct Outgoing {
    segments: VecDeque<Segment>,
    len: usize,
    /// How many bytes have been put in since the beginning, and taken out.
    queued: u64,
    written: u64,
}

#[derive(Debug)]
enum Segment {
    Copied { bytes: Vec<u8>, read: usize },
    Shared(Bytes),
}

impl Outgoing {
    /// How many bytes have been written since the connection began. What is queued now ends at
    /// [`queued`](Self::queued).
    pub fn written(&self) -> u64 {
        self.written
    }

    /// How many bytes have been queued since the connection began, written or not. What is thrown away when a
    /// connection breaks stays counted: [`written`](Self::written) never gets here then.
    pub fn queued(&self) -> u64 {
        self.queued
    }

    /// How many bytes are waiting.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Throws away what is waiting.
    pub(crate) fn clear(&mut self) {
        self.segments = VecDeque::new();
        self.len = 0;
    }

    /// Appends a frame that is not masked; a large payload by reference.
    pub(crate) fn push_shared(&mut self, header: &FrameHeader, payload: Bytes) {
        if payload.len() < REFERENCE_FROM {
            return self.push_copied(header, &payload);
        }
        self.len += payload.len();
        self.queued += payload.len() as u64;
        self.append(FrameHeader::MAX_SIZE, |out| codec::encode(header, out));
        self.fit_last();
        self.segments.push_back(Segment::Shared(payload));
    }

    /// Appends a frame, copying its payload, and masking the copy when the header holds a key.
    #[inline]
    pub(crate) fn push_copied(&mut self, header: &FrameHeader, payload: &[u8]) {
        self.append(FrameHeader::MAX_SIZE + payload.len(), |out| {
            codec::encode(header, out);
            match header.mask {
                Some(key) => mask::append(out, payload, key),
                None => out.extend_from_slice(payload),
            }
        });
    }

    /// Lets `write` add at most `size` bytes to a segment that has room, or to a new one.
    #[inline]
    fn append(&mut self, size: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(self.segments.back(), Some(Segment::Copied { bytes, .. }) if bytes.len() + size <= SEGMENT) {
            self.fit_last();
            self.segments.push_back(Segment::Copied { bytes: Vec::with_capacity(size.max(FIRST_ROOM)), read: 0 });
        }
        if let Some(Segment::Copied { bytes, .. }) = self.segments.back_mut() {
            let before = bytes.len();
            if bytes.capacity() - before < size {
                // Twofold growth, but never past a segment.
                bytes.reserve_exact(size.max((2 * bytes.capacity()).min(SEGMENT).saturating_sub(before)));
            }
            write(bytes);
            let added = bytes.len() - before;
            self.len += added;
            self.queued += added as u64;
        }
    }
}

impl Outgoing {
    /// Gives back what the last segment does not need: nothing more is added to it.
    fn fit_last(&mut self) {
        if let Some(Segment::Copied { bytes, .. }) = self.segments.back_mut() {
            bytes.shrink_to_fit();
        }
    }
}

impl Segment {
    fn unread(&self) -> &[u8] {
        match self {
            Self::Copied { bytes, read } => bytes.get(*read..).unwrap_or_default(),
            Self::Shared(bytes) => bytes,
        }
    }

    fn skip(&mut self, n: usize) {
        match self {
            Self::Copied { read, .. } => *read += n,
            Self::Shared(bytes) => bytes.advance(n),
        }
    }
}

impl Buf for Outgoing {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.segments.front().map_or(&[], Segment::unread)
    }

    #[cfg(feature = "handshake")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            *slice = std::io::IoSlice::new(segment.unread());
            filled += 1;
        }
        filled
    }

    /// Takes `n` bytes out; at most what is there.
    fn advance(&mut self, n: usize) {
        let mut left = n.min(self.len);
        self.len -= left;
        self.written += left as u64;
        while let Some(front) = self.segments.front_mut() {
            let here = front.unread().len();
            if left < here {
                front.skip(left);
                break;
            }
            left -= here;
            self.segments.pop_front();
        }
        if self.segments.is_empty() {
            self.segments = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::OpCode;

    fn drain(mut out: Outgoing, step: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while out.has_remaining() {
            let n = out.chunk().len().min(step);
            bytes.extend_from_slice(&out.chunk()[..n]);
            out.advance(n);
        }
        assert_eq!(out.written(), bytes.len() as u64);
        assert_eq!(out.segments.capacity(), 0, "an empty queue owns no memory");
        bytes
    }

    fn sample() -> Outgoing {
        let mut out = Outgoing::default();
        for len in [0, 5, REFERENCE_FROM - 1, REFERENCE_FROM, 3, 70_000, 1] {
            out.push_shared(&FrameHeader::new(OpCode::Binary, len as u64), Bytes::from(alloc::vec![len as u8; len]));
        }
        out
    }

    #[test]
    fn bytes_come_out_as_they_went_in_whatever_the_steps() {
        let whole = drain(sample(), usize::MAX);
        assert_eq!(sample().queued(), whole.len() as u64);
        for step in [1, 2, 7, 4096, 65_536] {
            assert_eq!(drain(sample(), step), whole);
        }
        assert_eq!(&whole[..9], [0x82, 0, 0x82, 5, 5, 5, 5, 5, 5]);
    }

    #[test]
    #[cfg(feature = "handshake")]
    fn one_vectored_write_sees_headers_and_payloads_in_order() {
        let out = sample();
        let mut slices = [std::io::IoSlice::new(&[]); 16];
        let n = out.chunks_vectored(&mut slices);
        let seen: Vec<u8> = slices[..n].iter().flat_map(|slice| slice.iter().copied()).collect();
        assert_eq!(seen, drain(sample(), usize::MAX));
        assert_eq!(n, 5, "copied, 4 KiB, copied, 70 KB, copied");
    }

    #[test]
    fn advancing_past_the_end_takes_what_is_there() {
        let mut out = sample();
        out.advance(usize::MAX);
        assert!(out.is_empty());
    }
}
