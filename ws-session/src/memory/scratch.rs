//! Per-thread scratch buffers. A connection borrows them while it works, so an idle connection owns no buffer, and no message
//! needs an allocation for them.
//!
//! They are allocated once, for a thread's first connection. Later, behind the memory of thousands of connections, they would
//! keep the allocator from returning that memory to the system.

use std::cell::{Cell, RefCell};

use ws_proto::ReadBuffer;

use super::recycle;

/// The most bytes in one read.
const READ: usize = 128 << 10;

/// The size of a thread's buffer for the outgoing queue, in bytes. No connection allocates exactly this size.
const WRITE: usize = 4 << 10;

thread_local! {
    static READ_BUFFER: RefCell<ReadBuffer> = const { RefCell::new(ReadBuffer::new(READ)) };
    static WRITE_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Allocates this thread's buffers, unless it has them. Called for each new connection.
pub(crate) fn prepare() {
    let _ = WRITE_BUFFER.try_with(|slot| {
        let buffer = slot.take();
        slot.set(if buffer.capacity() == 0 { Vec::with_capacity(WRITE) } else { buffer });
    });
}

/// Lends this thread's read buffer. A nested read through another connection, such as a tunnel, gets a buffer of its
/// own.
#[inline]
pub(crate) fn with_read_buffer<R>(read: impl FnOnce(&mut ReadBuffer) -> R) -> R {
    // While a thread ends, its buffer may be gone, and a handle that is dropped then still has the transport read.
    if READ_BUFFER.try_with(|_| ()).is_err() {
        return lend(&mut ReadBuffer::new(READ), read);
    }
    READ_BUFFER.with(|buffer| match buffer.try_borrow_mut() {
        Ok(mut buffer) => lend(&mut buffer, read),
        Err(_) => lend(&mut ReadBuffer::new(READ), read),
    })
}

/// The memory of a long message goes back to the store, which frees it with the last connection. A thread may read no more.
#[inline]
fn lend<R>(buffer: &mut ReadBuffer, read: impl FnOnce(&mut ReadBuffer) -> R) -> R {
    let result = read(buffer);
    let message = buffer.take_message();
    if message.capacity() > 0 {
        recycle::give_back(message);
    }
    result
}

/// Lends this thread's buffer for the outgoing queue. A thread that is ending has none.
pub(super) fn take_queue() -> Vec<u8> {
    WRITE_BUFFER.try_with(Cell::take).unwrap_or_default()
}

/// Takes the buffer back. A buffer that has grown is not kept, and a thread that is ending keeps none.
pub(super) fn give_queue(memory: Vec<u8>) {
    if memory.capacity() == WRITE {
        let _ = WRITE_BUFFER.try_with(|slot| slot.set(memory));
    }
}

#[cfg(test)]
mod tests {
    use ws_proto::{Config, Connection, Event, Timestamp};
    use ws_test_support::frames::{BINARY, masked};

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
    fn a_nested_read_gets_a_buffer_of_its_own() {
        with_read_buffer(|outer| {
            outer.shared().fill(1);
            with_read_buffer(|inner| assert_eq!(inner.shared(), vec![0; READ]));
            assert_eq!(outer.shared(), vec![1; READ]);
        });
        with_read_buffer(|again| assert_eq!(again.shared(), vec![1; READ], "it is the same as before"));
    }

    /// It would stay until the thread ends, however many connections have.
    #[test]
    fn a_thread_holds_no_memory_of_long_messages() {
        let _used = recycle::tests::USED.lock().unwrap();
        let mut connection = Connection::server(Config::default(), Timestamp::ZERO);
        connection.set_memory(Some(super::super::supplied()));
        let frame = masked(BINARY, [7; 20_000]);
        for _ in 0..3 {
            with_read_buffer(|buffer| {
                let target = connection.read_buffer(buffer);
                target[..frame.len()].copy_from_slice(&frame);
                let mut input = connection.received(frame.len(), buffer);
                assert!(matches!(connection.receive(&mut input, Timestamp::ZERO), Some(Event::Message(_))));
            });
            with_read_buffer(|buffer| assert_eq!(buffer.take_message().capacity(), 0));
        }
        with_read_buffer(|buffer| assert!(connection.read_buffer(buffer).len() < READ, "a message is expected"));
        with_read_buffer(|buffer| assert_eq!(buffer.take_message().capacity(), 0));
    }

    /// One long message does not make each short one behind it cost as much.
    #[test]
    fn memory_for_a_long_message_is_not_cleared_for_each_short_one_that_comes_instead() {
        let _used = recycle::tests::USED.lock().unwrap();
        let _kept = recycle::StoreGuard::new();
        let mut connection = Connection::server(Config::default(), Timestamp::ZERO);
        connection.set_memory(Some(super::super::supplied()));
        // The size of the memory to read into, and how much of it was cleared.
        let mut read = |payload: Vec<u8>| {
            let frame = masked(BINARY, payload);
            with_read_buffer(|buffer| {
                let target = connection.read_buffer(buffer);
                let (size, cleared) = (target.len(), target.iter().filter(|byte| **byte == 0).count());
                target.fill(0xEE);
                target[..frame.len()].copy_from_slice(&frame);
                let mut input = connection.received(frame.len(), buffer);
                assert!(matches!(connection.receive(&mut input, Timestamp::ZERO), Some(Event::Message(_))));
                (size, cleared)
            })
        };
        read(vec![7; 100_000]);
        let (size, _) = read(vec![1]);
        assert!((100_000..READ).contains(&size), "another long message is expected");
        for n in 2..10 {
            assert_eq!(read(vec![n]), (size, 0));
        }
    }

    #[test]
    fn a_thread_that_ends_lets_go_of_everything() {
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                prepare();
                give_queue(take_queue());
                assert_eq!(with_read_buffer(|buffer| buffer.shared().len()), READ);
            }
        }
        thread_local! {
            static EARLIER: Late = const { Late };
            static LATER: Late = const { Late };
        }
        // One of the two is dropped when the buffers are gone.
        let thread = std::thread::spawn(|| {
            EARLIER.with(|_| ());
            prepare();
            with_read_buffer(|_| ());
            LATER.with(|_| ());
        });
        assert!(thread.join().is_ok());
    }
}
