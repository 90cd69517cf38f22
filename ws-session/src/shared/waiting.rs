//! Who waits for something other than a message: room, a flush, a pong, the end.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use super::{Shared, State};

/// The tasks that wait, each under a key, so that who gives up is forgotten. Takes no memory while there are none.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    #[expect(clippy::box_collection, reason = "a vector would take three words of every idle connection")]
    waiting: Option<Box<Vec<(NonZeroU64, Waker)>>>,
}

/// A key that no other has in this process: who waits keeps its own while it is registered nowhere.
pub(crate) fn new_key() -> NonZeroU64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed))
}

impl Waiters {
    fn set(&mut self, key: NonZeroU64, waker: &Waker) {
        let all = self.waiting.get_or_insert_default();
        match all.iter_mut().find(|(other, _)| *other == key) {
            Some((_, waiting)) => waiting.clone_from(waker),
            None => all.push((key, waker.clone())),
        }
    }

    fn remove(&mut self, key: NonZeroU64) {
        if let Some(all) = &mut self.waiting {
            all.retain(|(other, _)| *other != key);
        }
        self.waiting.take_if(|all| all.is_empty());
    }

    /// Those that wait in another task than this waker's.
    pub(crate) fn others(&self, waker: &Waker) -> Vec<Waker> {
        let wakers = self.waiting.iter().flat_map(|all| all.iter()).map(|(_, waker)| waker);
        wakers.filter(|other| !other.will_wake(waker)).cloned().collect()
    }

    /// All of them, if any; whoever still has to wait comes back.
    pub(crate) fn take(&mut self) -> Option<Vec<(NonZeroU64, Waker)>> {
        self.waiting.take().map(|all| *all)
    }
}

/// One who waits. Dropped, it no longer does.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    key: Option<NonZeroU64>,
}

impl Waiting {
    /// Whether it waits for something that has not been found.
    pub(crate) fn is_registered(&self) -> bool {
        self.key.is_some()
    }

    /// What `ready` finds, or to be woken when there is something new to find.
    pub(crate) fn poll<R>(
        &mut self,
        shared: &Shared,
        cx: &mut Context<'_>,
        ready: impl FnOnce(&mut State) -> Option<R>,
    ) -> Poll<R> {
        let mut state = shared.lock();
        if let Some(result) = ready(&mut state) {
            self.leave(&mut state);
            return Poll::Ready(result);
        }
        let key = *self.key.get_or_insert_with(new_key);
        state.waiters.set(key, cx.waker());
        Poll::Pending
    }

    /// Waits no longer.
    pub(crate) fn leave(&mut self, state: &mut State) {
        if let Some(key) = self.key.take() {
            state.waiters.remove(key);
        }
    }
}

/// One who waits, as a future's state: it leaves when the future is dropped.
pub(crate) struct Guard<'a> {
    shared: &'a Shared,
    waiting: Waiting,
}

impl<'a> Guard<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        Self { shared, waiting: Waiting::default() }
    }

    pub(crate) fn poll<R>(&mut self, cx: &mut Context<'_>, ready: impl FnOnce(&mut State) -> Option<R>) -> Poll<R> {
        self.waiting.poll(self.shared, cx, ready)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if self.waiting.key.is_some() {
            self.waiting.leave(&mut self.shared.lock());
        }
    }
}
