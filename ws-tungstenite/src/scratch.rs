//! Per-thread memory. A connection borrows it while it reads and while something is queued, so an idle connection owns none.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use ws_proto::{Memory, ReadBuffer};

/// The most bytes in one read.
pub(crate) const READ: usize = 128 << 10;

/// The capacity of a queue's vector above which it is freed, in bytes.
const MOST_QUEUE: usize = 32 << 10;

thread_local! {
    static READ_BUFFER: Cell<Option<Box<ReadBuffer>>> = const { Cell::new(None) };
    static QUEUE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
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

/// The memory of all connections' queues.
pub(crate) fn memory() -> Arc<dyn Memory> {
    static MEMORY: OnceLock<Arc<Queues>> = OnceLock::new();
    MEMORY.get_or_init(|| Arc::new(Queues)).clone()
}

#[derive(Debug)]
struct Queues;

impl Memory for Queues {
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
}
