//! The memory of long messages, used again: clearing it for each of them would cost more than receiving it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::mem;

use ws_proto::{Bytes, Incoming, Message};

/// How many buffers a worker keeps at most.
const MOST: usize = 64;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of at least this capacity; what lies in it means nothing.
pub(crate) fn take(capacity: usize) -> Vec<u8> {
    let fits = |buffer: &Vec<u8>| (capacity..=capacity.saturating_mul(2)).contains(&buffer.capacity());
    let kept = KEPT.with_borrow_mut(|kept| kept.iter().rposition(fits).map(|index| kept.swap_remove(index)));
    kept.unwrap_or_else(|| Vec::with_capacity(capacity))
}

/// The message on its own, its memory on the way back to [`take`].
pub(crate) fn into_message(incoming: Incoming<'_>) -> Message {
    match incoming {
        Incoming::Binary(Cow::Owned(bytes)) => Message::Binary(Bytes::from_owner(Recycled(bytes))),
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
        give_back(mem::take(&mut self.0));
    }
}

/// Keeps a buffer that nobody needs.
pub(crate) fn give_back(buffer: Vec<u8>) {
    // While the thread ends there is nobody to keep it for.
    let _ = KEPT.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.len() < MOST {
            kept.push(buffer);
        }
    });
}
