//! Reuses the memory of long messages.
//!
//! An allocator returns memory of this size to the system when it is freed, and the system clears it page by page when it is
//! allocated again. For a message of 1 MiB that costs more than receiving it. So some memory is kept while there are
//! connections, and for a while after its last use.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ws_proto::{Bytes, Incoming, Message};

/// The smallest buffer that is kept, which is the smallest that [`take`] is asked for; and the most bytes that all of them
/// take, as many as the messages of 1 MiB that may wait to be received. A single buffer may be larger, because a server that
/// allows messages of that size gets one after another.
const SMALLEST: usize = 16 << 10;
const MOST: usize = 16 << 20;

/// Buffers that were not used for this time are freed, at the next deadline of any connection.
const UNUSED: Duration = Duration::from_secs(1);

static STORE: Mutex<BufferStore> = Mutex::new(BufferStore { buffers: Vec::new(), size: 0, connections: 0, used: None });

/// The buffers of this process.
struct BufferStore {
    buffers: Vec<Vec<u8>>,
    /// Their total size in bytes.
    size: usize,
    /// The number of connections.
    connections: usize,
    /// The time at which a buffer was last kept.
    used: Option<Instant>,
}

impl BufferStore {
    fn lock() -> MutexGuard<'static, Self> {
        STORE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer that is large enough, and not much too large.
    fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let fits = |buffer: &Vec<u8>| (capacity..=capacity.saturating_mul(2)).contains(&buffer.capacity());
        let buffer = self.buffers.swap_remove(self.buffers.iter().rposition(fits)?);
        self.size -= buffer.capacity();
        Some(buffer)
    }

    /// The buffer keeps its content, so that it need not be cleared to be read into.
    fn put(&mut self, buffer: Vec<u8>) {
        if self.connections > 0 && (self.buffers.is_empty() || self.size + buffer.capacity() <= MOST) {
            self.size += buffer.capacity();
            self.used = Some(Instant::now());
            self.buffers.push(buffer);
        }
    }

    fn tidy(&mut self, now: Instant) {
        if self.used.is_some_and(|used| now.saturating_duration_since(used) >= UNUSED) {
            self.used = None;
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.buffers = Vec::new();
        self.size = 0;
    }
}

/// A connection. While it lives, memory is kept.
#[derive(Debug)]
pub(crate) struct StoreGuard(());

impl StoreGuard {
    pub(crate) fn new() -> Self {
        BufferStore::lock().connections += 1;
        Self(())
    }
}

impl Drop for StoreGuard {
    fn drop(&mut self) {
        let mut kept = BufferStore::lock();
        kept.connections -= 1;
        if kept.connections == 0 {
            kept.clear();
        }
    }
}

/// Frees buffers that were not used for a while.
pub(crate) fn tidy() {
    BufferStore::lock().tidy(Instant::now());
}

/// A buffer with at least this capacity, and at most twice as much. Its content is undefined.
pub(crate) fn take(capacity: usize) -> Vec<u8> {
    let kept = BufferStore::lock().take(capacity);
    kept.unwrap_or_else(|| Vec::with_capacity(capacity))
}

/// Keeps a buffer that is no longer needed, if it is large enough.
pub(crate) fn give_back(buffer: Vec<u8>) {
    if buffer.capacity() >= SMALLEST {
        BufferStore::lock().put(buffer);
    }
}

/// The message with memory of its own. A long one returns it when it is dropped.
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
        BufferStore::lock().put(std::mem::take(&mut self.0));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Held by each test that uses the store, because there is one for the process.
    pub(in crate::memory) static USED: Mutex<()> = Mutex::new(());

    fn long(len: usize) -> Message {
        let mut bytes = take(len);
        assert!(bytes.capacity() >= len);
        bytes.clear();
        bytes.resize(len, 7);
        into_message(Incoming::Binary(Cow::Owned(bytes)))
    }

    fn kept() -> (usize, usize) {
        let kept = BufferStore::lock();
        (kept.buffers.len(), kept.size)
    }

    #[test]
    fn the_memory_of_long_messages_is_used_again_while_there_are_connections() {
        let _used = USED.lock().unwrap();
        drop(long(100_000));
        assert_eq!(kept(), (0, 0), "nobody is there to use it again");

        let (first, second) = (StoreGuard::new(), StoreGuard::new());
        let message = long(100_000);
        assert_eq!(message, Message::from(vec![7; 100_000]));
        let address = message.as_bytes().as_ptr();
        let clone = message.clone();
        drop(message);
        assert_eq!(kept(), (0, 0), "somebody still has it");
        drop(clone);
        assert_eq!(kept(), (1, 100_000));
        let other = long(70_000);
        assert_eq!(other.as_bytes().as_ptr(), address);
        std::thread::spawn(|| drop(other)).join().unwrap();
        assert_eq!(kept(), (1, 100_000));

        drop(long(1 << 20));
        let short = long(200_000);
        assert_eq!(kept(), (2, 100_000 + (1 << 20)), "one is too small, one five times too large");
        drop(short);
        drop(into_message(Incoming::Binary(Cow::Owned(vec![7; 1000]))));
        assert_eq!(kept().0, 3, "what is short is not kept");

        let many: Vec<Message> = (0..20).map(|_| long(1 << 20)).collect();
        drop(many);
        assert!(kept().1 <= MOST && kept().1 > MOST - (1 << 20), "{:?}", kept());
        drop(long(MOST + 1));
        assert!(kept().1 <= MOST, "{:?}", kept());

        let used = BufferStore::lock().used.unwrap();
        BufferStore::lock().tidy(used + UNUSED - Duration::from_nanos(1));
        assert!(kept().1 > 0, "it has just been of use");
        BufferStore::lock().tidy(used + UNUSED);
        assert_eq!(kept(), (0, 0));

        drop([long(3 * MOST), long(3 * MOST)]);
        assert_eq!(kept(), (1, 3 * MOST), "one alone, however large");
        drop(long(2 * MOST));
        assert_eq!(kept(), (1, 3 * MOST));
        BufferStore::lock().clear();

        let message = long(100_000);
        drop(long(1 << 20));
        drop(first);
        assert_eq!(kept(), (1, 1 << 20));
        drop(second);
        assert_eq!(kept(), (0, 0));
        drop(message);
        assert_eq!(kept(), (0, 0), "it outlived the connections");
    }
}
