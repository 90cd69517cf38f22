//! The memory of each worker thread that connections only have while they use it: an idle one owns none, and none is
//! asked of the allocator for each message.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::thread::LocalKey;

use ws_proto::{Message, Scratch};

use crate::recycle;

/// How much is read at once.
const READ: usize = 128 << 10;

/// The largest memory for what is queued that is kept for the next connection.
const WRITE: usize = 16 << 10;

/// The longest queue of messages that is kept for the next connection.
const QUEUE: usize = 128;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// What the next long message is read into, and keeps.
    static MESSAGE_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static WRITE_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static MESSAGES: Cell<VecDeque<Message>> = const { Cell::new(VecDeque::new()) };
}

/// Lends this thread's read buffer. Whoever reads through another connection meanwhile, a tunnel for one, gets its
/// own.
#[inline]
pub(crate) fn with_read_buffer<R>(read: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    READ_BUFFER.with(|buffer| match buffer.try_borrow_mut() {
        Ok(mut buffer) => {
            if buffer.is_empty() {
                *buffer = vec![0; READ];
            }
            read(&mut buffer)
        }
        Err(_) => read(&mut vec![0; READ]),
    })
}

/// Lends a buffer of this size that may be kept if something else is left in its place.
pub(crate) fn with_message_buffer<R>(size: usize, read: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = MESSAGE_BUFFER.take();
    if !(size..=2 * size).contains(&buffer.capacity()) {
        recycle::give_back(mem::replace(&mut buffer, recycle::take(size)));
    }
    buffer.resize(size, 0);
    let result = read(&mut buffer);
    MESSAGE_BUFFER.set(buffer);
    result
}

/// Lends this thread's memory for what is queued.
pub(crate) static WRITING: Scratch = Scratch {
    take: || take(&WRITE_BUFFER),
    give: |mut buffer| {
        if buffer.capacity() <= WRITE {
            buffer.clear();
            give(&WRITE_BUFFER, buffer);
        }
    },
};

/// A queue without messages, with room for some if this thread has one to lend.
pub(crate) fn take_queue() -> VecDeque<Message> {
    take(&MESSAGES)
}

/// Gives a queue back that nobody needs any more.
pub(crate) fn give_queue(queue: VecDeque<Message>) {
    if queue.is_empty() && (1..=QUEUE).contains(&queue.capacity()) {
        give(&MESSAGES, queue);
    }
}

/// While its thread ends there is nothing to take, and nobody to keep anything for.
fn take<T: Default>(slot: &'static LocalKey<Cell<T>>) -> T {
    slot.try_with(Cell::take).unwrap_or_default()
}

fn give<T>(slot: &'static LocalKey<Cell<T>>, memory: T) {
    let _ = slot.try_with(|slot| slot.set(memory));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_to_its_thread_unless_it_is_large() {
        assert_eq!((WRITING.take)().capacity(), 0, "at first there is none");
        for capacity in [100, WRITE] {
            let mut buffer = Vec::with_capacity(capacity);
            buffer.push(7);
            (WRITING.give)(buffer);
            let buffer = (WRITING.take)();
            assert_eq!((buffer.len(), buffer.capacity()), (0, capacity));
            assert_eq!((WRITING.take)().capacity(), 0, "it is lent to one");
        }
        (WRITING.give)(Vec::with_capacity(WRITE + 1));
        assert_eq!((WRITING.take)().capacity(), 0);

        give_queue(VecDeque::with_capacity(4));
        assert_eq!(std::thread::spawn(|| take_queue().capacity()).join().unwrap(), 0);
        give_queue(VecDeque::new());
        assert_eq!(take_queue().capacity(), 4);
        give_queue(VecDeque::with_capacity(QUEUE + 1));
        assert_eq!(take_queue().capacity(), 0);
    }

    #[test]
    fn a_message_buffer_is_as_large_as_asked_for_and_comes_back_unless_something_else_is_left() {
        // Too short to be used again by other tests.
        let address = with_message_buffer(8_000, |buffer| {
            assert_eq!((buffer.len(), buffer.capacity()), (8_000, 8_000));
            buffer.fill(7);
            buffer.as_ptr()
        });
        for size in [6_000, 4_000, 8_000] {
            with_message_buffer(size, |buffer| {
                assert_eq!((buffer.len(), buffer.as_ptr()), (size, address), "it has room enough, and not too much");
            });
        }
        for (size, capacity) in [(8_001, 8_001), (4_000, 4_000)] {
            with_message_buffer(size, |buffer| assert_eq!((buffer.len(), buffer.capacity()), (size, capacity)));
        }
        let kept = with_message_buffer(4_000, mem::take);
        assert_eq!(kept.len(), 4_000);
        with_message_buffer(4_000, |buffer| assert_eq!(buffer, &vec![0; 4_000], "another"));
    }

    #[test]
    fn who_reads_while_another_does_gets_a_buffer_of_its_own() {
        with_read_buffer(|outer| {
            outer.fill(1);
            with_read_buffer(|inner| assert_eq!(inner, &vec![0; READ]));
            assert_eq!(outer, &vec![1; READ]);
        });
        with_read_buffer(|again| assert_eq!(again, &vec![1; READ], "it is the same as before"));
    }

    #[test]
    fn a_thread_that_ends_lets_go_of_everything() {
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                (WRITING.give)((WRITING.take)());
                give_queue(take_queue());
            }
        }
        thread_local! {
            static LATE: Late = const { Late };
        }
        let thread = std::thread::spawn(|| {
            LATE.with(|_| ());
            (WRITING.give)(Vec::with_capacity(10));
            give_queue(VecDeque::with_capacity(10));
        });
        assert!(thread.join().is_ok());
    }
}
