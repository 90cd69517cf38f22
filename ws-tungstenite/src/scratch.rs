//! Per-thread memory. A connection borrows it while it reads and while something is queued, so an idle connection owns none.

use std::borrow::Cow;
use std::cell::Cell;
use std::mem;
use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ws_proto::{Incoming, Memory, ReadBuffer};

/// The most bytes in one read.
pub(crate) const READ: usize = 128 << 10;

/// The capacity of a queue's vector above which it is freed, in bytes.
const MOST_QUEUE: usize = 32 << 10;

/// The capacities of a message's memory that a thread keeps, in bytes. The core asks for no less.
const KEPT_MESSAGE: RangeInclusive<usize> = 16 << 10..=1 << 20;

thread_local! {
    static READ_BUFFER: Cell<Option<Box<ReadBuffer>>> = const { Cell::new(None) };
    static QUEUE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// The memory of the last long message that was dropped here. `None` on threads that receive none.
    static MESSAGE: Cell<Option<Vec<u8>>> = const { Cell::new(None) };
}

/// Takes this thread's read buffer, or a new one if another connection holds it.
#[inline]
pub(crate) fn take_read_buffer() -> Box<ReadBuffer> {
    let spare = READ_BUFFER.try_with(Cell::take).ok().flatten();
    spare.unwrap_or_else(|| Box::new(ReadBuffer::new(READ)))
}

/// Gives a read buffer back. A thread keeps one.
#[inline]
pub(crate) fn give_read_buffer(buffer: Box<ReadBuffer>) {
    let _ = READ_BUFFER.try_with(|slot| slot.set(Some(buffer)));
}

/// The payload of a binary message. The memory of a long one serves again when it is dropped.
#[inline]
pub(crate) fn payload(message: Incoming<'_>) -> Bytes {
    match message {
        Incoming::Binary(Cow::Owned(memory)) if KEPT_MESSAGE.contains(&memory.capacity()) => {
            Bytes::from_owner(LongPayload(memory))
        }
        other => other.into_message().into_bytes(),
    }
}

struct LongPayload(Vec<u8>);

impl AsRef<[u8]> for LongPayload {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for LongPayload {
    fn drop(&mut self) {
        give_message(mem::take(&mut self.0));
    }
}

/// Keeps the memory of a message if this thread receives long messages.
fn give_message(memory: Vec<u8>) {
    let _ = MESSAGE.try_with(|slot| {
        if slot.take().is_some() {
            slot.set(Some(memory));
        }
    });
}

/// The memory of all connections.
pub(crate) fn memory() -> Arc<dyn Memory> {
    static MEMORY: OnceLock<Arc<ThreadMemory>> = OnceLock::new();
    MEMORY.get_or_init(|| Arc::new(ThreadMemory)).clone()
}

#[derive(Debug)]
struct ThreadMemory;

impl Memory for ThreadMemory {
    /// Memory with its last content, so that it need not be cleared.
    fn take_message(&self, capacity: usize) -> Vec<u8> {
        let kept = MESSAGE.try_with(|slot| slot.replace(Some(Vec::new()))).ok().flatten().unwrap_or_default();
        let fits = (capacity..=capacity.saturating_mul(2)).contains(&kept.capacity());
        if fits { kept } else { Vec::with_capacity(capacity) }
    }

    fn give_message(&self, memory: Vec<u8>) {
        if KEPT_MESSAGE.contains(&memory.capacity()) {
            give_message(memory);
        }
    }

    fn take_queue(&self) -> Vec<u8> {
        QUEUE.try_with(Cell::take).unwrap_or_default()
    }

    fn give_queue(&self, memory: Vec<u8>) {
        if memory.capacity() <= MOST_QUEUE {
            let _ = QUEUE.try_with(|slot| slot.set(memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_keeps_one_of_each() {
        let mut buffer = take_read_buffer();
        let address = buffer.shared().as_ptr();
        give_read_buffer(Box::new(ReadBuffer::new(1)));
        give_read_buffer(buffer);
        assert_eq!(take_read_buffer().shared().as_ptr(), address);

        let memory = memory();
        assert_eq!(memory.take_queue().capacity(), 0);
        memory.give_queue(Vec::with_capacity(MOST_QUEUE));
        memory.give_queue(Vec::with_capacity(MOST_QUEUE + 1));
        assert_eq!(memory.take_queue().capacity(), MOST_QUEUE);
    }

    #[test]
    fn the_memory_of_a_long_message_serves_again() {
        const SIZE: usize = 100_000;
        let memory = memory();
        let long = || {
            let mut bytes = memory.take_message(SIZE);
            bytes.resize(SIZE, 1);
            bytes
        };
        let drop_message = |bytes| drop(payload(Incoming::Binary(Cow::Owned(bytes))));

        let bytes = long();
        let address = bytes.as_ptr();
        drop_message(bytes);
        let again = long();
        assert_eq!(again.as_ptr(), address);
        // Another thread that receives none keeps none.
        let kept = thread::scope(|scope| {
            let kept = || {
                drop_message(again);
                MESSAGE.take()
            };
            scope.spawn(kept).join().unwrap()
        });
        assert_eq!(kept, None);

        drop_message(vec![0; *KEPT_MESSAGE.end() + 1]);
        drop_message(vec![0; KEPT_MESSAGE.start() - 1]);
        assert_eq!(MESSAGE.take(), Some(Vec::new()));
    }

    #[test]
    fn memory_that_does_not_fit_is_left() {
        let memory = memory();
        let _ = memory.take_message(*KEPT_MESSAGE.start());
        for (kept, asked) in [(20_000, 40_000), (100_000, 40_000)] {
            memory.give_message(vec![7; kept]);
            assert_eq!(memory.take_message(asked), []);
        }
        memory.give_message(vec![7; 50_000]);
        assert_eq!(memory.take_message(40_000), [7; 50_000]);
    }
}
