//! The memory of long messages, used again.
//!
//! An allocator gives memory of this size back to the system as soon as it is free, and the system clears it page by page
//! when it is asked for again: for a message of 1 MiB that costs more than receiving it. So each thread keeps some.

use std::borrow::Cow;
use std::cell::RefCell;

use ws_proto::{Bytes, Incoming, Message};

/// The smallest buffer that is kept, and how much each thread keeps in all: as many messages of 1 MiB as may wait to be
/// received.
const SMALLEST: usize = 64 << 10;
const MOST: usize = 16 << 20;

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept { buffers: Vec::new(), size: 0 }) };
}

/// Empty buffers, and what they take together.
struct Kept {
    buffers: Vec<Vec<u8>>,
    size: usize,
}

impl Kept {
    /// A buffer that is large enough, and not much too large.
    fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let fits = |buffer: &Vec<u8>| (capacity..=capacity.saturating_mul(2)).contains(&buffer.capacity());
        let buffer = self.buffers.swap_remove(self.buffers.iter().rposition(fits)?);
        self.size -= buffer.capacity();
        Some(buffer)
    }

    fn put(&mut self, mut buffer: Vec<u8>) {
        if self.size + buffer.capacity() <= MOST {
            buffer.clear();
            self.size += buffer.capacity();
            self.buffers.push(buffer);
        }
    }
}

/// An empty buffer with at least this capacity, and at most twice it.
pub(crate) fn take(capacity: usize) -> Vec<u8> {
    let kept = KEPT.try_with(|kept| kept.borrow_mut().take(capacity)).ok().flatten();
    kept.unwrap_or_else(|| Vec::with_capacity(capacity))
}

/// The message on its own. A long one gives its memory back to the thread it is dropped on.
pub(crate) fn into_message(incoming: Incoming<'_>) -> Message {
    match incoming {
        Incoming::Binary(Cow::Owned(bytes)) if bytes.capacity() >= SMALLEST => {
            Message::Binary(Bytes::from_owner(Recycled(bytes)))
        }
        other => other.into_message(),
    }
}

struct Recycled(Vec<u8>);

impl AsRef<[u8]> for Recycled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Recycled {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        // When the thread is ending, it is freed like any other.
        let _ = KEPT.try_with(|kept| kept.borrow_mut().put(buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(len: usize) -> Message {
        let mut bytes = take(len);
        assert!(bytes.is_empty() && bytes.capacity() >= len);
        bytes.resize(len, 7);
        into_message(Incoming::Binary(Cow::Owned(bytes)))
    }

    fn kept() -> (usize, usize) {
        KEPT.with(|kept| (kept.borrow().buffers.len(), kept.borrow().size))
    }

    #[test]
    fn the_memory_of_a_long_message_is_used_again() {
        let message = long(100_000);
        assert_eq!(message, Message::from(vec![7; 100_000]));
        let address = message.as_bytes().as_ptr();
        let clone = message.clone();
        drop(message);
        assert_eq!(kept(), (0, 0), "somebody still has it");
        drop(clone);
        assert_eq!(kept(), (1, 100_000));
        assert_eq!(long(70_000).as_bytes().as_ptr(), address);
    }

    #[test]
    fn what_would_be_wasteful_is_not() {
        drop(long(1 << 20));
        assert_eq!(kept(), (1, 1 << 20));
        let short = long(100_000);
        assert_eq!(kept(), (1, 1 << 20), "ten times too large");
        drop(short);
        assert_eq!(kept().0, 2);
        drop(into_message(Incoming::Binary(Cow::Owned(vec![7; 1000]))));
        assert_eq!(kept().0, 2, "too short");
    }

    #[test]
    fn no_more_is_kept_than_a_few_mib() {
        let many: Vec<Message> = (0..20).map(|_| long(1 << 20)).collect();
        drop(many);
        assert_eq!(kept(), (16, MOST));
        drop(long(MOST + 1));
        assert_eq!(kept(), (16, MOST));
    }

    #[test]
    fn a_message_may_be_dropped_anywhere() {
        let message = long(100_000);
        std::thread::spawn(|| drop(message)).join().unwrap();
        assert_eq!(kept(), (0, 0));
    }
}
