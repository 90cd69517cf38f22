//! The read buffer of each worker thread: connections do not own one.

use std::cell::Cell;

/// How much is read at once.
const SIZE: usize = 128 << 10;

thread_local! {
    static READ_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
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
