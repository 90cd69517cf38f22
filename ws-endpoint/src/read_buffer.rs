//! The read buffers of each worker thread: connections do not own one.

use std::cell::Cell;
use std::mem;

use crate::recycle;

/// How much is read at once.
const SIZE: usize = 128 << 10;

thread_local! {
    static READ_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// What the next long message is read into, and keeps.
    static MESSAGE_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends this thread's read buffer. Whoever reads through another connection meanwhile, a tunnel for one, gets its
/// own.
pub(crate) fn with_read_buffer<R>(read: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = READ_BUFFER.take();
    if buffer.is_empty() {
        buffer = vec![0; SIZE];
    }
    let result = read(&mut buffer);
    READ_BUFFER.set(buffer);
    result
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
