//! The memory of each worker thread that connections only have while they use it: an idle one owns none, and none is
//! asked of the allocator for each message.
//!
//! It is made once, for a thread's first connection. What is made late, behind the memory of thousands of connections, would
//! keep the allocator from giving theirs back to the system.

use std::cell::{Cell, RefCell};

use ws_proto::ReadBuffer;

/// How much is read at once.
const READ: usize = 128 << 10;

/// How much a thread lends for what is queued. No connection makes memory of just this size.
const WRITE: usize = 4 << 10;

thread_local! {
    static READ_BUFFER: RefCell<ReadBuffer> = const { RefCell::new(ReadBuffer::new(READ)) };
    static WRITE_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Makes what this thread lends, unless it has it: a connection comes.
pub(crate) fn prepare() {
    let _ = WRITE_BUFFER.try_with(|slot| {
        let buffer = slot.take();
        slot.set(if buffer.capacity() == 0 { Vec::with_capacity(WRITE) } else { buffer });
    });
}

/// Lends this thread's read buffer. Whoever reads through another connection meanwhile, a tunnel for one, gets its
/// own.
#[inline]
pub(crate) fn with_read_buffer<R>(read: impl FnOnce(&mut ReadBuffer) -> R) -> R {
    READ_BUFFER.with(|buffer| match buffer.try_borrow_mut() {
        Ok(mut buffer) => read(&mut buffer),
        Err(_) => read(&mut ReadBuffer::new(READ)),
    })
}

/// Lends this thread's memory for what is queued. While a thread ends there is nothing to take.
pub(super) fn take_queue() -> Vec<u8> {
    WRITE_BUFFER.try_with(Cell::take).unwrap_or_default()
}

/// Takes it back. What has grown is not kept, and while a thread ends there is nobody to keep anything for.
pub(super) fn give_queue(memory: Vec<u8>) {
    if memory.capacity() == WRITE {
        let _ = WRITE_BUFFER.try_with(|slot| slot.set(memory));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_to_its_thread_and_no_other_memory_does() {
        assert_eq!(take_queue().capacity(), 0, "at first there is none");
        prepare();
        prepare();
        let mut buffer = take_queue();
        assert_eq!((buffer.capacity(), take_queue().capacity()), (WRITE, 0), "it is lent to one");
        buffer.push(7);
        let address = buffer.as_ptr();
        give_queue(buffer);
        give_queue(Vec::with_capacity(WRITE - 1));
        give_queue(Vec::with_capacity(WRITE + 1));
        let buffer = take_queue();
        assert_eq!(buffer.as_ptr(), address);
        give_queue(buffer);
        assert_eq!(std::thread::spawn(|| take_queue().capacity()).join().unwrap(), 0);
    }

    #[test]
    fn who_reads_while_another_does_gets_a_buffer_of_its_own() {
        with_read_buffer(|outer| {
            outer.shared().fill(1);
            with_read_buffer(|inner| assert_eq!(inner.shared(), vec![0; READ]));
            assert_eq!(outer.shared(), vec![1; READ]);
        });
        with_read_buffer(|again| assert_eq!(again.shared(), vec![1; READ], "it is the same as before"));
    }

    #[test]
    fn a_thread_that_ends_lets_go_of_everything() {
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                prepare();
                give_queue(take_queue());
            }
        }
        thread_local! {
            static LATE: Late = const { Late };
        }
        let thread = std::thread::spawn(|| {
            LATE.with(|_| ());
            prepare();
        });
        assert!(thread.join().is_ok());
    }
}
