//! [`Feed`]: a topic's deliveries as pushes of the protocol, on one connection.
//!
//! Beside the subscriber of [`Subscribe::forward`](crate::Subscribe::forward), it holds deliveries until the subscription has
//! been answered, and lets all that is recovered wait for a slow connection.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};

use ws_session::{BroadcastOutcome, Sender, SlowConsumer};

use super::words;
use crate::catchup::Bounds;
use crate::clock::Clock;
use crate::options::{RESUMABLE, SlowPolicy};
use crate::publication::{Delivery, Unrecoverable};
use crate::subscriber::{Offer, Subscriber};
use crate::topic::Topic;
use crate::waiting::{Bound, Waiting, weight};

/// The reason in the Close frame to a connection that was too slow.
const TOO_SLOW: &str = "too slow for the publications sent here";

/// What waits for all subscriptions of a connection, in bytes, and how much that may be.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// As much as one subscription may have.
    pub(crate) fn new(recovery: Bounds) -> Arc<Self> {
        Arc::new(Self { limit: Bound::default().bytes.saturating_add(recovery.bytes), used: AtomicUsize::new(0) })
    }

    /// Whether there is room for so many bytes more. Without anything that waits, there is.
    fn has_room(&self, more: usize) -> bool {
        let used = self.used.load(Ordering::Relaxed);
        used == 0 || used.saturating_add(more) <= self.limit
    }
}

/// What waits for one subscription, counted.
struct Kept {
    waiting: Waiting,
    budget: Arc<Budget>,
}

impl Kept {
    fn change<T>(&mut self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        let before = self.waiting.bytes();
        let result = change(&mut self.waiting);
        self.budget.used.fetch_add(self.waiting.bytes(), Ordering::Relaxed);
        self.budget.used.fetch_sub(before, Ordering::Relaxed);
        result
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.waiting.bytes(), Ordering::Relaxed);
    }
}

/// What was asked for, and has not all come. It waits, whatever the policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    Nothing,
    /// What followed a position, or the last publications.
    Publications,
    /// What followed a position; if it cannot be had, the last publications.
    SinceOrLast,
}

impl Awaited {
    pub(crate) fn new(has_since: bool, has_last: bool) -> Self {
        match (has_since, has_last) {
            (false, false) => Self::Nothing,
            (true, true) => Self::SinceOrLast,
            _ => Self::Publications,
        }
    }

    /// What is awaited after a delivery.
    fn after(self, delivery: &Delivery) -> Self {
        match delivery {
            Delivery::Recovered { .. } => Self::Nothing,
            // The last publications are not tried then.
            Delivery::Unrecoverable(Unrecoverable::NoHistory | Unrecoverable::Unavailable) => Self::Nothing,
            Delivery::Unrecoverable(_) if self == Self::SinceOrLast => Self::Publications,
            Delivery::Unrecoverable(_) => Self::Nothing,
            _ => self,
        }
    }
}

pub(crate) struct Feed {
    topic: Topic,
    sender: Sender,
    policy: SlowPolicy,
    bound: Bound,
    budget: Arc<Budget>,
    clock: Clock,
    /// Itself, for the task that waits for room.
    own: Weak<Feed>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    waiting: Option<Box<Kept>>,
    awaited: Awaited,
    /// Who waits for [`Phase::Ended`].
    stopping: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The subscription is not answered yet: deliveries wait.
    Held,
    /// Deliveries go into the connection's queue.
    Direct,
    /// A task moves what waits into the connection's queue.
    Draining,
    /// The task is to end.
    Stopping,
    Ended,
}

impl Feed {
    /// `recovery` is what may be recovered.
    pub(crate) fn new(
        topic: Topic,
        sender: Sender,
        policy: SlowPolicy,
        awaited: Awaited,
        recovery: Bounds,
        budget: Arc<Budget>,
        clock: Clock,
    ) -> Arc<Self> {
        let mut bound = Bound::default();
        if awaited != Awaited::Nothing {
            bound.deliveries = bound.deliveries.saturating_add(recovery.publications);
            bound.bytes = bound.bytes.saturating_add(recovery.bytes);
        }
        let state = State { phase: Phase::Held, waiting: None, awaited, stopping: None };
        let state = Mutex::new(state);
        Arc::new_cyclic(|own| Self { topic, sender, policy, bound, budget, clock, own: own.clone(), state })
    }

    /// The subscription is answered: what waits may be pushed.
    pub(crate) fn open(&self) {
        let mut state = self.lock();
        if state.waiting.is_some() {
            self.drain(&mut state);
        } else {
            state.phase = Phase::Direct;
        }
    }

    /// Ends it, after the subscription has ended. When it is ready, no push follows.
    pub(crate) async fn stop(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            let is_draining = matches!(state.phase, Phase::Draining | Phase::Stopping);
            state.phase = if is_draining { Phase::Stopping } else { Phase::Ended };
            if !is_draining {
                return Poll::Ready(());
            }
            state.stopping = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, state: &mut State, delivery: &Delivery) -> Offer {
        // Words are small, and say what is missing.
        if matches!(delivery, Delivery::Publication(_)) && !self.budget.has_room(weight(delivery)) {
            if state.awaited == Awaited::Nothing {
                return Offer::Full;
            }
            // What is recovered has no holes: the client comes back, and recovers the rest.
            self.end();
            return Offer::Gone;
        }
        let waiting = || Kept { waiting: Waiting::new(self.bound, self.policy), budget: Arc::clone(&self.budget) };
        let kept = state.waiting.get_or_insert_with(|| Box::new(waiting()));
        if kept.change(|waiting| waiting.offer(delivery)) { Offer::Taken } else { Offer::Full }
    }

    /// Lets a task move what waits.
    fn drain(&self, state: &mut State) {
        let Some(own) = self.own.upgrade() else { return };
        state.phase = Phase::Draining;
        self.clock.spawn(async move {
            while let Some(delivery) = own.next_waiting() {
                let message = words::push(own.topic.as_str(), &delivery);
                if own.sender.send_prepared(&message).await.is_err() {
                    own.ended();
                    return;
                }
            }
        });
    }

    /// The next delivery for the task. With `None`, it ends.
    fn next_waiting(&self) -> Option<Delivery> {
        let mut state = self.lock();
        if state.phase == Phase::Draining {
            if let Some(next) = state.waiting.as_mut().and_then(|kept| kept.change(Waiting::take)) {
                return Some(next);
            }
            // Under the lock under which it is seen that nothing waits: what comes from now on goes its own way.
            (state.phase, state.waiting) = (Phase::Direct, None);
            return None;
        }
        drop(state);
        self.ended();
        None
    }

    fn ended(&self) {
        let mut state = self.lock();
        (state.phase, state.waiting) = (Phase::Ended, None);
        let stopping = state.stopping.take();
        drop(state);
        stopping.into_iter().for_each(Waker::wake);
    }
}

impl Subscriber for Feed {
    fn offer(&self, delivery: &Delivery) -> Offer {
        let mut state = self.lock();
        let offer = match state.phase {
            Phase::Stopping | Phase::Ended => Offer::Gone,
            Phase::Held | Phase::Draining => self.keep(&mut state, delivery),
            Phase::Direct => {
                let message = words::push(self.topic.as_str(), delivery);
                match self.sender.offer(&message, SlowConsumer::Skip) {
                    BroadcastOutcome::Queued => Offer::Taken,
                    BroadcastOutcome::Closed => Offer::Gone,
                    _ if state.awaited != Awaited::Nothing || self.policy == SlowPolicy::Newest => {
                        let offer = self.keep(&mut state, delivery);
                        self.drain(&mut state);
                        offer
                    }
                    _ => Offer::Full,
                }
            }
        };
        state.awaited = state.awaited.after(delivery);
        offer
    }

    fn end(&self) {
        // The closing handshake begins with the call.
        drop(self.sender.close(RESUMABLE, TOO_SLOW));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::{Gap, GapCause, Publication};

    const BOUNDS: Bounds = Bounds { publications: 10, bytes: 1000 };

    fn unrecoverable(reason: Unrecoverable) -> Delivery {
        Delivery::Unrecoverable(reason)
    }

    #[test]
    fn nothing_is_awaited_after_the_last_word_of_a_recovery() {
        let (since, both) = (Awaited::new(true, false), Awaited::new(true, true));
        let last = Awaited::new(false, true);
        assert_eq!(Awaited::new(false, false), Awaited::Nothing);
        for reason in [Unrecoverable::Expired, Unrecoverable::TooMany, Unrecoverable::Unknown] {
            assert_eq!(since.after(&unrecoverable(reason)), Awaited::Nothing);
            assert_eq!(last.after(&unrecoverable(reason)), Awaited::Nothing);
            // The last publications follow, or another reason.
            let then = both.after(&unrecoverable(reason));
            assert_eq!(then, Awaited::Publications);
            assert_eq!(then.after(&Delivery::Recovered { publications: 1 }), Awaited::Nothing);
            assert_eq!(then.after(&unrecoverable(reason)), Awaited::Nothing);
        }
        for awaited in [since, last, both] {
            for reason in [Unrecoverable::NoHistory, Unrecoverable::Unavailable] {
                assert_eq!(awaited.after(&unrecoverable(reason)), Awaited::Nothing);
            }
            assert_eq!(awaited.after(&Delivery::Recovered { publications: 0 }), Awaited::Nothing);
            assert_eq!(awaited.after(&Delivery::Gap(Gap { cause: GapCause::Missed })), awaited);
        }
    }

    #[test]
    fn what_waits_is_counted_over_all_subscriptions_until_it_is_taken_or_dropped() {
        let budget = Budget::new(BOUNDS);
        let publication = Publication::new(Topic::new("a").unwrap(), vec![0; 100_000]);
        let delivery = Delivery::Publication(Arc::new(publication));
        let more = weight(&delivery);
        let keep = || Kept { waiting: Waiting::new(Bound::default(), SlowPolicy::Skip), budget: Arc::clone(&budget) };
        let (mut first, mut second) = (keep(), keep());
        let mut kept = 0;
        while budget.has_room(more) {
            let one = if kept % 2 == 0 { &mut first } else { &mut second };
            assert!(one.change(|waiting| waiting.offer(&delivery)));
            kept += 1;
        }
        assert_eq!(kept, budget.limit / more);
        assert!(first.change(Waiting::take).is_some());
        assert!(budget.has_room(more));
        drop((first, second));
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
        // A single one is never too large.
        assert!(budget.has_room(usize::MAX));
    }
}
