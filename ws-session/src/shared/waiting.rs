//! The tasks that wait for something other than a message: room, a flush, a pong, the end.

use std::task::Waker;

use super::key::Key;

/// The tasks that wait, by key, so that one that gives up can be removed. It takes no memory while there are none.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    #[expect(clippy::box_collection, reason = "a vector would take three words of every idle connection")]
    waiting: Option<Box<Vec<(Key, Waker)>>>,
}

impl Waiters {
    /// Takes all of them, if any. A task that still has to wait registers again.
    pub(super) fn take(&mut self) -> Self {
        Self { waiting: self.waiting.take() }
    }

    /// Removes `own`. Returns whether it was there.
    #[inline]
    pub(super) fn take_out(&mut self, own: &Waker) -> bool {
        let Some(all) = &mut self.waiting else { return false };
        let before = all.len();
        all.retain(|(_, waker)| !waker.will_wake(own));
        all.len() < before
    }

    /// The tasks that wait, without `own`.
    pub(crate) fn others(&self, own: &Waker) -> Vec<Waker> {
        let wakers = self.waiting.as_deref().map(Vec::as_slice).unwrap_or_default().iter().map(|(_, waker)| waker);
        wakers.filter(|waker| !waker.will_wake(own)).cloned().collect()
    }

    /// Wakes all of them. Must not be called under the lock, because a waker may run any code.
    #[inline]
    pub(super) fn wake(self) {
        if let Some(all) = self.waiting {
            all.into_iter().for_each(|(_, waker)| waker.wake());
        }
    }

    fn set(&mut self, key: Key, waker: &Waker) {
        let all = self.waiting.get_or_insert_default();
        match all.iter_mut().find(|(other, _)| *other == key) {
            Some((_, waiting)) => waiting.clone_from(waker),
            None => all.push((key, waker.clone())),
        }
    }

    fn remove(&mut self, key: Key) {
        if let Some(all) = &mut self.waiting {
            all.retain(|(other, _)| *other != key);
        }
        self.waiting.take_if(|all| all.is_empty());
    }
}

/// One task's place among the [`Waiters`], which it keeps from one poll to the next.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    key: Option<Key>,
}

impl Waiting {
    /// Whether it is registered.
    pub(crate) fn is_waiting(&self) -> bool {
        self.key.is_some()
    }

    /// Registers `waker`.
    pub(crate) fn wait(&mut self, waiters: &mut Waiters, waker: &Waker) {
        waiters.set(*self.key.get_or_insert_with(Key::new), waker);
    }

    /// Removes the task.
    pub(crate) fn leave(&mut self, waiters: &mut Waiters) {
        if let Some(key) = self.key.take() {
            waiters.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    #[test]
    fn a_waiter_that_leaves_is_forgotten_and_nothing_is_kept() {
        let (mut waiters, mut one, mut other) = (Waiters::default(), Waiting::default(), Waiting::default());
        one.wait(&mut waiters, Waker::noop());
        one.wait(&mut waiters, Waker::noop());
        other.wait(&mut waiters, Waker::noop());
        assert_eq!(waiters.waiting.as_ref().map(|all| all.len()), Some(2), "each has one place");
        one.leave(&mut waiters);
        assert!(!one.is_waiting() && other.is_waiting());
        other.leave(&mut waiters);
        assert!(waiters.waiting.is_none());
        other.leave(&mut waiters);
    }

    #[test]
    fn ones_own_task_is_taken_out() {
        struct Task;
        impl Wake for Task {
            fn wake(self: Arc<Self>) {}
        }
        let (mut waiters, own) = (Waiters::default(), Waker::from(Arc::new(Task)));
        assert!(!waiters.take_out(&own));
        Waiting::default().wait(&mut waiters, &own);
        Waiting::default().wait(&mut waiters, &Arc::new(Task).into());
        assert!(waiters.take_out(&own) && !waiters.take_out(&own));
        assert_eq!(waiters.waiting.as_ref().map(|all| all.len()), Some(1), "another task is not");
    }
}
