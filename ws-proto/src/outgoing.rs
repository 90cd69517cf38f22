//! The queue of outgoing bytes.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use bytes::{Buf, Bytes};

use crate::frame::{FrameHeader, codec, mask};
use crate::memory::Memory;

/// Payloads from this size on, in bytes, are kept by reference instead of being copied next to their header.
const REFERENCE_FROM: usize = 4 << 10;

/// Frames that are shared with other connections are kept by reference from this size on, in bytes: a reference takes about
/// as much.
const SHARE_FROM: usize = 64;

/// The size of a segment of copied bytes, about, in bytes.
const SEGMENT: usize = 32 << 10;

/// The initial capacity of a segment, in bytes: a few small messages.
const FIRST_ROOM: usize = 1000;

/// The number of segments by which the queue grows after the first few: as many as a burst of shared frames takes.
const MORE_SEGMENTS: usize = 16;

/// The unused capacity that a segment may keep once nothing more is added to it, in bytes.
const SLACK: usize = 64;

/// The frames that wait to be written, oldest first. It is a [`bytes::Buf`], and its
/// [`chunks_vectored`](Buf::chunks_vectored) fills the slices of one vectored write.
///
/// Small payloads are copied next to their headers into one piece of memory. Large ones are kept by reference. Memory is
/// released when it has been written.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The first segment. Between two writes of small messages it is the only one.
    front: Segment,
    /// The segments after it.
    segments: VecDeque<Segment>,
    len: usize,
    /// The number of bytes that were queued since the connection began.
    queued: u64,
    /// The number of bytes that were written since the connection began.
    written: u64,
    /// The supplier of memory. It is here because writing empties the queue.
    memory: Option<Arc<dyn Memory>>,
}

#[derive(Debug)]
enum Segment {
    Copied { bytes: Vec<u8>, taken: usize },
    Shared(Bytes),
}

impl Default for Segment {
    fn default() -> Self {
        Self::Copied { bytes: Vec::new(), taken: 0 }
    }
}

impl Outgoing {
    /// The number of bytes that were written since the connection began. The bytes in the queue lie between this position and
    /// [`queued`](Self::queued).
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The number of bytes that were queued since the connection began, written or not. Bytes that are discarded when a
    /// connection breaks stay counted: [`written`](Self::written) never reaches this number then.
    pub fn queued(&self) -> u64 {
        self.queued
    }

    /// The number of bytes in the queue.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Discards the bytes in the queue.
    pub(crate) fn clear(&mut self) {
        self.release();
        self.len = 0;
    }

    pub(crate) fn set_memory(&mut self, memory: Option<Arc<dyn Memory>>) {
        self.memory = memory;
    }

    #[inline]
    pub(crate) fn memory(&self) -> Option<&Arc<dyn Memory>> {
        self.memory.as_ref()
    }

    /// Releases all memory: an empty queue owns none.
    fn release(&mut self) {
        self.release_front();
        if self.segments.capacity() > 0 {
            self.segments = VecDeque::new();
        }
    }

    fn release_front(&mut self) {
        if let Segment::Copied { bytes, .. } = mem::take(&mut self.front)
            && bytes.capacity() > 0
            && let Some(memory) = &self.memory
        {
            memory.give_queue(bytes);
        }
    }

    /// Appends a frame that is not masked. A large payload is kept by reference.
    #[inline]
    pub(crate) fn push_shared(&mut self, header: &FrameHeader, payload: Bytes) {
        if payload.len() < REFERENCE_FROM {
            return self.push_copied(header, &payload);
        }
        self.push_referred(header, payload);
    }

    fn push_referred(&mut self, header: &FrameHeader, payload: Bytes) {
        self.append(FrameHeader::MAX_SIZE, 0, |out| codec::encode(header, out));
        self.refer_to(payload);
    }

    /// Appends a frame, copying its payload, and masking the copy when the header holds a key.
    #[inline]
    pub(crate) fn push_copied(&mut self, header: &FrameHeader, payload: &[u8]) {
        // Small enough to be inlined where it is called; all else is not.
        match codec::encode_short(header) {
            Some(short) => self.push_short(short, payload),
            None => self.push_any(header, payload),
        }
    }

    fn push_short(&mut self, header: [u8; 2], payload: &[u8]) {
        let size = header.len() + payload.len();
        let has_room = self.last().is_some_and(|last| last.capacity() - last.len() >= size);
        let out = if has_room { self.last() } else { self.make_room(size, FIRST_ROOM) };
        if let Some(out) = out {
            out.extend_from_slice(&header);
            out.extend_from_slice(payload);
            self.count(size);
        }
    }

    #[inline(never)]
    fn push_any(&mut self, header: &FrameHeader, payload: &[u8]) {
        self.append(FrameHeader::MAX_SIZE + payload.len(), FIRST_ROOM, |out| {
            codec::encode(header, out);
            mask::append_keyed(out, payload, header.mask);
        });
    }

    /// Appends a frame that is encoded already; unless it is tiny, by reference.
    #[inline]
    pub(crate) fn push_frame(&mut self, frame: &Bytes) {
        if frame.len() < SHARE_FROM {
            return self.append(frame.len(), FIRST_ROOM, |out| out.extend_from_slice(frame));
        }
        self.refer_to(frame.clone());
    }

    fn refer_to(&mut self, bytes: Bytes) {
        let is_first = self.is_empty();
        self.count(bytes.len());
        if is_first {
            self.front = Segment::Shared(bytes);
            return;
        }
        self.fit_last();
        let len = self.segments.len();
        if len == self.segments.capacity() && len > 0 {
            self.segments.reserve(MORE_SEGMENTS);
        }
        self.segments.push_back(Segment::Shared(bytes));
    }

    /// Lets `write` add at most `size` bytes to the last segment, or to a new one with at least so much `room`.
    #[inline]
    fn append(&mut self, size: usize, room: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let has_room = self.last().is_some_and(|last| last.len() + size <= last.capacity());
        let out = if has_room { self.last() } else { self.make_room(size, room) };
        if let Some(out) = out {
            let before = out.len();
            write(out);
            let added = out.len() - before;
            self.count(added);
        }
    }

    #[inline]
    fn count(&mut self, added: usize) {
        self.len += added;
        self.queued += added as u64;
    }

    /// The copied bytes that all which is queued ends with, if it does.
    #[inline]
    fn last(&mut self) -> Option<&mut Vec<u8>> {
        match self.segments.back_mut().unwrap_or(&mut self.front) {
            Segment::Copied { bytes, .. } => Some(bytes),
            Segment::Shared(_) => None,
        }
    }

    /// A last segment that has room for `size` bytes.
    #[inline(never)]
    fn make_room(&mut self, size: usize, room: usize) -> Option<&mut Vec<u8>> {
        if self.is_empty()
            && let Some(memory) = &self.memory
        {
            let mut bytes = memory.take_queue();
            bytes.clear();
            self.front = Segment::Copied { bytes, taken: 0 };
        }
        match self.last() {
            Some(last) if last.len() + size <= last.capacity() => {}
            Some(last) if last.is_empty() || last.len() + size <= SEGMENT => {
                // Twofold growth, but never past a segment.
                let grown = (2 * last.capacity()).clamp(room, SEGMENT).saturating_sub(last.len());
                last.reserve_exact(size.max(grown));
            }
            _ => {
                self.fit_last();
                self.segments.push_back(Segment::Copied { bytes: Vec::with_capacity(size.max(room)), taken: 0 });
            }
        }
        self.last()
    }

    /// Gives back what the last segment does not need: nothing more is added to it. What is lent goes back whole.
    fn fit_last(&mut self) {
        let is_lent = self.segments.is_empty() && self.memory.is_some();
        if let Some(bytes) = self.last()
            && bytes.capacity() > bytes.len() + SLACK
            && !is_lent
        {
            bytes.shrink_to_fit();
        }
    }
}

impl Segment {
    fn unread(&self) -> &[u8] {
        match self {
            Self::Copied { bytes, taken } => bytes.get(*taken..).unwrap_or_default(),
            Self::Shared(bytes) => bytes,
        }
    }

    #[cfg(test)]
    fn capacity(&self) -> usize {
        match self {
            Self::Copied { bytes, .. } => bytes.capacity(),
            Self::Shared(bytes) => bytes.len(),
        }
    }

    fn skip(&mut self, n: usize) {
        match self {
            Self::Copied { taken, .. } => *taken += n,
            Self::Shared(bytes) => bytes.advance(n),
        }
    }
}

impl Buf for Outgoing {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        match self.front.unread() {
            [] => self.segments.front().map_or(&[], Segment::unread),
            front => front,
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let front = Some(self.front.unread()).filter(|front| !front.is_empty());
        let chunks = front.into_iter().chain(self.segments.iter().map(Segment::unread));
        slices.iter_mut().zip(chunks).map(|(slice, chunk)| *slice = std::io::IoSlice::new(chunk)).count()
    }

    /// Takes `n` bytes out; at most what is there.
    fn advance(&mut self, n: usize) {
        let mut left = n.min(self.len);
        self.len -= left;
        self.written += left as u64;
        if self.len == 0 {
            return self.release();
        }
        let front = self.front.unread().len();
        if left < front {
            return self.front.skip(left);
        }
        left -= front;
        self.release_front();
        while let Some(segment) = self.segments.front_mut() {
            let here = segment.unread().len();
            if left < here {
                segment.skip(left);
                break;
            }
            left -= here;
            self.segments.pop_front();
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
        assert_eq!((out.front.capacity(), out.segments.capacity()), (0, 0), "an empty queue owns no memory");
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
    #[cfg(feature = "std")]
    fn one_vectored_write_sees_headers_and_payloads_in_order() {
        let out = sample();
        let mut slices = [std::io::IoSlice::new(&[]); 16];
        let n = out.chunks_vectored(&mut slices);
        let seen: Vec<u8> = slices[..n].iter().flat_map(|slice| slice.iter().copied()).collect();
        assert_eq!(seen, drain(sample(), usize::MAX));
        assert_eq!(n, 5, "copied, 4 KiB, copied, 70 KB, copied");
    }

    #[test]
    fn room_is_for_what_is_copied_and_grows_twofold() {
        let mut out = Outgoing::default();
        let header = FrameHeader { mask: Some([1, 2, 3, 4]), ..FrameHeader::new(OpCode::Binary, 10_000) };
        out.push_copied(&header, &[0; 10_000]);
        assert!(out.front.capacity() <= 10_000 + FrameHeader::MAX_SIZE, "{}", out.front.capacity());

        let mut out = Outgoing::default();
        let mut grown = 0;
        for _ in 0..SEGMENT / 4 {
            let before = out.front.capacity();
            out.push_copied(&FrameHeader::new(OpCode::Binary, 1), b"x");
            grown += usize::from(out.front.capacity() != before);
        }
        assert!(grown < 10, "{grown} times");
    }

    #[test]
    fn advancing_past_the_end_takes_what_is_there() {
        let mut out = sample();
        out.advance(usize::MAX);
        assert!(out.is_empty());
    }
}
