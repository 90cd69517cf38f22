//! The two tasks that may poll one connection: one that receives, one that sends.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::sync::{Mutex, PoisonError};

/// The side that a task polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Receiving,
    Sending,
}

/// Wakes both tasks. A transport keeps only the waker of the last poll. With this waker, a task is also woken if the other has
/// polled after it and then left.
#[derive(Debug, Default)]
pub(super) struct Pollers {
    wakers: Mutex<[Option<Waker>; 2]>,
}

impl Pollers {
    /// Records the task that polls this side.
    pub(super) fn set(&self, side: Side, waker: &Waker) {
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match side {
            Side::Receiving => &mut wakers[0],
            Side::Sending => &mut wakers[1],
        };
        let replaced = match slot {
            Some(known) if known.will_wake(waker) => None,
            slot => slot.replace(waker.clone()),
        };
        drop(wakers);
        // Dropping the last waker of a task may drop the task and everything it holds.
        drop(replaced);
    }
}

impl Wake for Pollers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let wakers = std::mem::take(&mut *self.wakers.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}
