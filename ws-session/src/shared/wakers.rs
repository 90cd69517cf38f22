//! The waiting tasks: the one that runs the driver, the one that receives, and those that wait for anything else.

use std::mem;
use std::task::{Context, Waker};

use super::waiting::Waiters;

/// The wakers of one connection. No task is woken under the lock, because a waker may run any code. Methods return the tasks
/// to wake once the lock is released.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    /// The task that runs the driver.
    driver: Option<Waker>,
    /// The task that receives. It stays while it does not wait, so that it need not be cloned for each message.
    receiver: Option<Waker>,
    /// The tasks that wait for anything else: room, a flush, a pong, the end.
    waiters: Waiters,
    /// Whether the driver's task checks the connection once more before it sleeps, so that it needs no waking.
    is_driver_awake: bool,
    /// Whether the receiver waits.
    is_receiving: bool,
    /// Whether the receiver is to be woken, to say whether it still waits.
    is_asked: bool,
    /// Whether a condition of the waiters may have changed.
    has_news: bool,
    /// Whether a message is being sent as a stream, so that the messages of other tasks wait for its end. It stands here because
    /// it takes no memory here.
    pub(crate) senders_wait: bool,
}

impl Wakers {
    // ---- the driver ----

    /// The driver's task, to be woken for a request. `None` while it is awake.
    #[inline]
    pub(crate) fn driver(&mut self) -> Option<Waker> {
        if self.is_driver_awake { None } else { self.driver.take() }
    }

    /// The driver's task, awake or not.
    pub(crate) fn peek_driver(&self) -> Option<&Waker> {
        self.driver.as_ref()
    }

    /// Forgets the driver's task, awake or not.
    pub(crate) fn take_driver(&mut self) -> Option<Waker> {
        self.driver.take()
    }

    /// Keeps the waker of the task that runs the driver.
    #[inline]
    pub(crate) fn set_driver(&mut self, cx: &Context<'_>) -> Replaced {
        set(&mut self.driver, cx)
    }

    /// Records whether the driver's task checks the connection once more before it sleeps.
    #[inline]
    pub(crate) fn set_driver_awake(&mut self, awake: bool) {
        self.is_driver_awake = awake;
    }

    // ---- the receiver ----

    /// Whether a task waits to receive.
    #[inline]
    pub(crate) fn is_receiving(&self) -> bool {
        self.is_receiving
    }

    /// Records that this task waits to receive.
    pub(crate) fn receive(&mut self, cx: &Context<'_>) -> Replaced {
        (self.is_receiving, self.is_asked) = (true, false);
        set(&mut self.receiver, cx)
    }

    /// Records that it no longer waits.
    #[inline]
    pub(crate) fn stop_receiving(&mut self) {
        self.is_receiving = false;
    }

    /// Asks the receiver whether it still waits: it may have been given up. Until it answers, it does not.
    #[cold]
    pub(crate) fn ask_receiver(&mut self) {
        self.is_asked |= mem::take(&mut self.is_receiving);
    }

    /// The task that waits to receive, unless it is `own`.
    pub(crate) fn other_receiver(&self, own: &Waker) -> Option<Waker> {
        let receiver = self.receiver.as_ref().filter(|_| self.is_receiving);
        receiver.filter(|receiver| !receiver.will_wake(own)).cloned()
    }

    /// Removes the task that receives.
    pub(crate) fn drop_receiver(&mut self) -> Option<Waker> {
        self.is_receiving = false;
        self.receiver.take()
    }

    // ---- all others ----

    /// Records that a condition of the waiters may have changed.
    #[inline]
    pub(crate) fn announce(&mut self) {
        self.has_news = true;
    }

    /// The tasks that wait for neither a message nor the driver.
    pub(crate) fn waiters(&mut self) -> &mut Waiters {
        &mut self.waiters
    }

    // ---- the tasks to wake ----

    /// The tasks to wake now: the waiters if a condition may have changed, and the receiver if it waits and `is_receivable`.
    /// The caller's own task is left out.
    #[inline]
    pub(crate) fn due(&mut self, is_receivable: bool, own: Option<&Waker>) -> Due {
        let mut due = Due::default();
        let receives = is_receivable && mem::take(&mut self.is_receiving);
        if mem::take(&mut self.is_asked) || receives {
            match (&self.receiver, own) {
                (Some(receiver), Some(own)) if receiver.will_wake(own) => due.is_own = true,
                _ => due.receiver = self.receiver.take(),
            }
        }
        if mem::take(&mut self.has_news) {
            due.waiters = self.waiters.take();
            if let Some(own) = own {
                due.has_own_waiter = due.waiters.take_out(own);
                due.is_own |= due.has_own_waiter;
            }
        }
        due
    }
}

/// Tasks to be woken, once the lock is released.
#[derive(Debug, Default)]
#[must_use = "wake them"]
pub(crate) struct Due {
    receiver: Option<Waker>,
    waiters: Waiters,
    is_own: bool,
    has_own_waiter: bool,
}

impl Due {
    /// Whether a future that waits for anything but a message waits in the caller's own task.
    #[inline]
    pub(crate) fn has_own_waiter(&self) -> bool {
        self.has_own_waiter
    }

    /// Whether the caller's own task has something to find, too. It needs no waking.
    #[inline]
    pub(crate) fn is_own(&self) -> bool {
        self.is_own
    }

    #[inline]
    pub(crate) fn wake(self) {
        wake(self.receiver);
        self.waiters.wake();
    }
}

/// A waker that another has replaced. It must be dropped after the lock is released, because that may drop a task and
/// everything it holds.
#[must_use = "it is to be dropped once the lock is released"]
#[derive(Debug, Default)]
pub(crate) struct Replaced {
    _waker: Option<Waker>,
}

impl From<Option<Waker>> for Replaced {
    fn from(waker: Option<Waker>) -> Self {
        Self { _waker: waker }
    }
}

/// Wakes tasks that were handed out.
#[inline]
pub(crate) fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

/// Keeps a task's waker, which is cloned only if it is another.
#[inline]
pub(crate) fn set(slot: &mut Option<Waker>, cx: &Context<'_>) -> Replaced {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => Replaced::default(),
        slot => slot.replace(cx.waker().clone()).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::super::waiting::Waiting;
    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn task() -> (Arc<Count>, Waker) {
        let count = Arc::<Count>::default();
        (Arc::clone(&count), count.into())
    }

    #[test]
    fn a_driver_that_is_awake_is_not_woken() {
        let (_count, waker) = task();
        let mut wakers = Wakers::default();
        drop(wakers.set_driver(&Context::from_waker(&waker)));
        wakers.set_driver_awake(true);
        assert!(wakers.driver().is_none() && wakers.peek_driver().is_some());
        wakers.set_driver_awake(false);
        assert!(wakers.driver().is_some());
        assert!(wakers.driver().is_none(), "it is woken once");
    }

    #[test]
    fn the_receiver_is_due_once_and_only_while_it_waits() {
        let (count, waker) = task();
        let mut wakers = Wakers::default();
        wakers.due(true, None).wake();
        drop(wakers.receive(&Context::from_waker(&waker)));
        wakers.due(false, None).wake();
        assert!(wakers.is_receiving());
        wakers.due(true, None).wake();
        wakers.due(true, None).wake();
        assert_eq!((count.0.load(Ordering::Relaxed), wakers.is_receiving()), (1, false));
        drop(wakers.receive(&Context::from_waker(&waker)));
        wakers.stop_receiving();
        wakers.due(true, None).wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn waiters_are_due_when_there_is_news() {
        let (count, waker) = task();
        let mut wakers = Wakers::default();
        Waiting::default().wait(wakers.waiters(), &waker);
        wakers.due(true, None).wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        wakers.announce();
        wakers.due(true, None).wake();
        wakers.announce();
        wakers.due(true, None).wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn ones_own_task_is_told_and_not_woken() {
        let ((count, own), (others, other)) = (task(), task());
        let mut wakers = Wakers::default();
        drop(wakers.receive(&Context::from_waker(&own)));
        let due = wakers.due(true, Some(&own));
        assert!(due.is_own() && !due.has_own_waiter());
        due.wake();
        Waiting::default().wait(wakers.waiters(), &own);
        Waiting::default().wait(wakers.waiters(), &other);
        wakers.announce();
        let due = wakers.due(false, Some(&own));
        assert!(due.is_own() && due.has_own_waiter());
        due.wake();
        assert_eq!((count.0.load(Ordering::Relaxed), others.0.load(Ordering::Relaxed)), (0, 1));
        assert!(!wakers.due(true, Some(&own)).is_own());
    }
}
