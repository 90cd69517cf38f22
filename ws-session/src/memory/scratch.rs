//! The memory of each worker thread that connections only have while they use it: an idle one owns none, and none is
//! asked of the allocator for each message.
//!
//! It is made once, for a thread's first connection. What is made late, behind the memory of thousands of connections, would
//! keep the allocator from giving theirs back to the system.

use std::cell::{Cell, RefCell};

use ws_proto::Scratch;

use super::recycle;

/// How much is read at once.
const READ: usize = 128 << 10;

/// How much a thread lends for what is queued. No connection makes memory of just this size.
const WRITE: usize = 4 << 10;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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
    let mut buffer = recycle::take(size);
    buffer.resize(size, 0);
    let result = read(&mut buffer);
    recycle::give_back(buffer);
    result
}

/// Lends this thread's memory for what is queued. While a thread ends there is nothing to take, and nobody to keep anything
/// for; what has grown is not kept.
pub(crate) static WRITING: Scratch = Scratch {
    take: || WRITE_BUFFER.try_with(Cell::take).unwrap_or_default(),
    give: |mut buffer| {
        if buffer.capacity() == WRITE {
            buffer.clear();
            let _ = WRITE_BUFFER.try_with(|slot| slot.set(buffer));
        }
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_to_its_thread_and_no_other_memory_does() {
        assert_eq!((WRITING.take)().capacity(), 0, "at first there is none");
        prepare();
        prepare();
        let mut buffer = (WRITING.take)();
        assert_eq!((buffer.capacity(), (WRITING.take)().capacity()), (WRITE, 0), "it is lent to one");
        buffer.push(7);
        let address = buffer.as_ptr();
        (WRITING.give)(buffer);
        (WRITING.give)(Vec::with_capacity(WRITE - 1));
        (WRITING.give)(Vec::with_capacity(WRITE + 1));
        let buffer = (WRITING.take)();
        assert_eq!((buffer.len(), buffer.as_ptr()), (0, address));
        (WRITING.give)(buffer);
        assert_eq!(std::thread::spawn(|| (WRITING.take)().capacity()).join().unwrap(), 0);
    }

    #[test]
    fn a_message_buffer_is_as_large_as_asked_for_and_may_be_kept() {
        // Too short to be used again by other tests.
        for size in [8_000, 6_000, 12_000] {
            with_message_buffer(size, |buffer| assert_eq!((buffer.len(), buffer.capacity() >= size), (size, true)));
        }
        assert_eq!(with_message_buffer(4_000, std::mem::take).len(), 4_000);
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
                prepare();
                (WRITING.give)((WRITING.take)());
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
