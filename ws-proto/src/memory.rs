//! Memory that an embedder supplies.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use crate::sizes::MOST_SURPLUS;

/// Supplies memory to connections, so that they do not allocate and free it for each message.
///
/// One value serves any number of connections: hand an [`Arc`] of it to
/// [`Connection::set_memory`](crate::Connection::set_memory). A connection asks it for two kinds of memory:
///
/// - for **long messages** that come in, 16 KiB and more. A message leaves the connection in this memory. Reusing it saves
///   the operating system clearing fresh pages for each long message.
/// - for **the queue** of bytes to be written, while something is queued.
///
/// Every method has a default, which is the global allocator. The methods take `&self`: use a lock, or memory of the current
/// thread. They must not call the connection.
///
/// A connection never trusts what it gets. Memory that is too small, or more than about twice as large as needed, is
/// given back, and the global allocator supplies the memory instead.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use ws_proto::{Config, Connection, Memory, Timestamp};
///
/// /// Keeps one buffer for the next long message.
/// #[derive(Debug, Default)]
/// struct KeepsOne(Mutex<Vec<u8>>);
///
/// impl Memory for KeepsOne {
///     fn take_message(&self, capacity: usize) -> Vec<u8> {
///         let kept = self.0.lock().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default();
///         if kept.capacity() >= capacity { kept } else { Vec::with_capacity(capacity) }
///     }
///
///     fn give_message(&self, memory: Vec<u8>) {
///         if let Ok(mut kept) = self.0.lock() {
///             *kept = memory;
///         }
///     }
/// }
///
/// let mut connection = Connection::server(Config::default(), Timestamp::ZERO);
/// connection.set_memory(Some(Arc::new(KeepsOne::default())));
/// ```
pub trait Memory: fmt::Debug + Send + Sync {
    /// Supplies memory for a long message, with at least this capacity in bytes. Its content means nothing and need not be
    /// cleared: a connection hands out only what was received.
    fn take_message(&self, capacity: usize) -> Vec<u8> {
        Vec::with_capacity(capacity)
    }

    /// Takes back memory from [`take_message`](Self::take_message) that no message uses.
    fn give_message(&self, memory: Vec<u8>) {
        drop(memory);
    }

    /// Supplies a vector for what is queued, of any capacity. It grows to about 32 KiB as needed. Its content is thrown
    /// away.
    ///
    /// A connection takes one when something is queued on an empty queue, and keeps it until all of it is written.
    fn take_queue(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes back the vector from [`take_queue`](Self::take_queue) when what it held has been written or thrown away. It may
    /// have grown, and this may be another thread. A connection that is dropped before does not give it back.
    fn give_queue(&self, memory: Vec<u8>) {
        drop(memory);
    }
}

/// Memory for a long message, with a capacity in `capacity`, whatever `memory` supplies.
#[inline]
pub(crate) fn supplied(memory: &Arc<dyn Memory>, capacity: RangeInclusive<usize>) -> Vec<u8> {
    let vec = memory.take_message(*capacity.start());
    if capacity.contains(&vec.capacity()) { vec } else { replaced(memory, vec, *capacity.start()) }
}

/// As [`supplied`], for a message of a known size, in bytes.
#[inline]
pub(crate) fn supplied_for(memory: &Arc<dyn Memory>, size: usize) -> Vec<u8> {
    supplied(memory, size..=size.saturating_mul(1 + MOST_SURPLUS))
}

/// Memory of the global allocator for what does not fit.
#[cold]
fn replaced(memory: &Arc<dyn Memory>, unfit: Vec<u8>, capacity: usize) -> Vec<u8> {
    if unfit.capacity() > 0 {
        memory.give_message(unfit);
    }
    Vec::with_capacity(capacity)
}
