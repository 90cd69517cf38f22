//! What connections read into.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use crate::memory::{Memory, supplied};
use crate::sizes::SUPPLIED_FROM;

/// Memory that connections read into, one after the other: one for each thread is enough.
///
/// [`Connection::read_buffer`](crate::Connection::read_buffer) says where the next read goes, and
/// [`Connection::received`](crate::Connection::received) takes what it brought.
///
/// Between two reads it holds its own memory and, after long messages, memory for one more of at most 256 KiB (or
/// twice that, when the [`Memory`] supplies it so).
#[derive(Debug)]
pub struct ReadBuffer {
    size: usize,
    /// Where most reads go.
    shared: Vec<u8>,
    /// Where a long message is read that is expected next, and keeps the memory; afterwards, what followed it.
    message: Vec<u8>,
    target: Target,
}

/// Where the last read was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// To memory that all connections share.
    Shared,
    /// To memory that the next message may keep.
    Message,
    /// To the rest of an incomplete message, in its own memory.
    Payload,
}

impl ReadBuffer {
    /// A buffer for reads of up to `size` bytes, at least 1; 64 to 128 KiB is good for most servers. It is allocated when it
    /// is first used.
    pub const fn new(size: usize) -> Self {
        Self { size, shared: Vec::new(), message: Vec::new(), target: Target::Shared }
    }

    /// The memory that all connections share. Other reads can go there as well, those of the opening handshake for one.
    #[inline]
    pub fn shared(&mut self) -> &mut [u8] {
        self.target = Target::Shared;
        if self.shared.is_empty() {
            self.allocate();
        }
        &mut self.shared
    }

    #[cold]
    fn allocate(&mut self) {
        self.shared = vec![0; self.size.max(1)];
    }

    /// `size` bytes of memory that a message may keep, for the next read.
    pub(crate) fn for_message(&mut self, size: usize, memory: &Arc<dyn Memory>) -> &mut [u8] {
        self.target = Target::Message;
        if !(size..=size.saturating_mul(2)).contains(&self.message.capacity()) {
            let other = mem::replace(&mut self.message, supplied(memory, size));
            if other.capacity() >= SUPPLIED_FROM {
                memory.give_message(other);
            }
        }
        self.message.resize(size, 0);
        &mut self.message
    }

    /// The next read goes elsewhere, to the message that is incomplete.
    pub(crate) fn for_payload(&mut self) {
        self.target = Target::Payload;
    }

    #[inline]
    pub(crate) fn target(&self) -> Target {
        self.target
    }

    /// The first `n` bytes of the shared memory, or as many as there are.
    #[inline]
    pub(crate) fn first_shared(&mut self, n: usize) -> &mut [u8] {
        let n = n.min(self.shared.len());
        self.shared.get_mut(..n).unwrap_or_default()
    }

    /// The memory that a message may keep.
    pub(crate) fn message(&mut self) -> &mut Vec<u8> {
        &mut self.message
    }
}
