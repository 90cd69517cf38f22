//! A waiting task, as part of a future.

use std::task::{Context, Poll};

use crate::shared::{Shared, State, Waiting};

/// A waiting task, as part of a future. It is removed when the future is dropped.
pub(super) struct WaitGuard<'a> {
    shared: &'a Shared,
    waiting: Waiting,
}

impl<'a> WaitGuard<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self { shared, waiting: Waiting::default() }
    }

    /// The result of `ready`. Without one, the task is woken when the condition may hold.
    pub(super) fn poll<R>(&mut self, cx: &mut Context<'_>, ready: impl FnOnce(&mut State) -> Option<R>) -> Poll<R> {
        self.shared.poll_until(&mut self.waiting, cx, ready)
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        if self.waiting.is_waiting() {
            self.waiting.leave(self.shared.lock().wakers.waiters());
        }
    }
}
