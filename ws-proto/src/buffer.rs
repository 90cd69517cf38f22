//! Read buffers that connections share.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use crate::memory::{Memory, supplied_for};
use crate::sizes::SUPPLIED_FROM;

/// A read buffer for any number of connections that read one after the other. One for each thread is enough.
///
/// [`Connection::read_buffer`](crate::Connection::read_buffer) returns the memory for the next read, and
/// [`Connection::received`](crate::Connection::received) takes in the bytes.
///
/// Between two reads it holds its own memory. After long messages, it also holds memory for another message of at most
/// 256 KiB, or twice that if the [`Memory`] supplies more.
#[derive(Debug)]
pub struct ReadBuffer {
    size: usize,
    /// The memory for most reads.
    shared: Vec<u8>,
    /// The memory for an expected long message, which keeps it. After the read, it holds the bytes that followed the message.
    message: Vec<u8>,
    target: ReadTarget,
    /// The number of bytes at the front of the target that the last read has left to be received.
    filled: usize,
}

/// The destination of the last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadTarget {
    /// The memory that all connections share.
    Shared,
    /// Memory that the next message may keep.
    Message,
    /// The rest of an incomplete message, in its own memory.
    Payload,
}

impl ReadBuffer {
    /// A buffer for reads of up to `size` bytes, at least 1. Most servers should use 64 to 128 KiB. It is allocated on first
    /// use.
    pub const fn new(size: usize) -> Self {
        Self { size, shared: Vec::new(), message: Vec::new(), target: ReadTarget::Shared, filled: 0 }
    }

    /// The memory that all connections share. It can also be used for other reads, such as those of the opening handshake.
    #[inline]
    pub fn shared(&mut self) -> &mut [u8] {
        self.target = ReadTarget::Shared;
        if self.shared.is_empty() {
            self.allocate();
        }
        &mut self.shared
    }

    #[cold]
    fn allocate(&mut self) {
        self.shared = vec![0; self.size.max(1)];
    }

    /// The last `n` bytes of the input that [`Connection::received`](crate::Connection::received) returned for the last read. For
    /// a driver that keeps the buffer, instead of the input, until it asks for the next event.
    #[inline]
    pub fn unread(&mut self, n: usize) -> &mut [u8] {
        let memory = match self.target {
            ReadTarget::Shared => &mut self.shared,
            ReadTarget::Message => &mut self.message,
            ReadTarget::Payload => return &mut [],
        };
        let end = self.filled.min(memory.len());
        memory.get_mut(end - n.min(end)..end).unwrap_or_default()
    }

    /// Takes the memory that is held for another long message, empty if there is none. Call it once the bytes of the last
    /// read have been received, to bound the memory of idle threads; [`Memory::give_message`] may reuse it.
    #[inline]
    pub fn take_message(&mut self) -> Vec<u8> {
        mem::take(&mut self.message)
    }

    /// Selects `size` bytes of memory that a message may keep for the next read.
    pub(crate) fn for_message(&mut self, size: usize, memory: &Arc<dyn Memory>) -> &mut [u8] {
        self.target = ReadTarget::Message;
        if !(size..=size.saturating_mul(2)).contains(&self.message.capacity()) {
            let other = mem::replace(&mut self.message, supplied_for(memory, size));
            if other.capacity() >= SUPPLIED_FROM {
                memory.give_message(other);
            }
        }
        self.message.resize(size, 0);
        &mut self.message
    }

    /// Selects the memory of the incomplete message for the next read.
    pub(crate) fn for_payload(&mut self) {
        self.target = ReadTarget::Payload;
    }

    #[inline]
    pub(crate) fn target(&self) -> ReadTarget {
        self.target
    }

    /// The first `n` bytes of the shared memory, or all if there are fewer.
    #[inline]
    pub(crate) fn first_shared(&mut self, n: usize) -> &mut [u8] {
        let n = n.min(self.shared.len());
        self.filled = n;
        self.shared.get_mut(..n).unwrap_or_default()
    }

    /// The first `n` bytes of the memory that a message may keep.
    pub(crate) fn first_of_message(&mut self, n: usize) -> &mut [u8] {
        self.filled = n;
        self.unread(n)
    }

    /// The memory that a message may keep.
    pub(crate) fn message(&mut self) -> &mut Vec<u8> {
        &mut self.message
    }
}
