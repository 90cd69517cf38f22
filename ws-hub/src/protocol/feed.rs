//! [`Feed`]: a topic's deliveries as pushes of the protocol, on one connection.
//!
//! Beside the subscriber of [`Subscribe::forward`](crate::Subscribe::forward), it holds deliveries until the subscription has
//! been answered, and lets all that is recovered wait for a slow connection.

use std::future::poll_fn;
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
use crate::waiting::{Bound, Waiting};

/// The reason in the Close frame to a connection that was too slow.
const TOO_SLOW: &str = "too slow for the publications sent here";

pub(crate) struct Feed {
    topic: Topic,
    sender: Sender,
    policy: SlowPolicy,
    bound: Bound,
    clock: Clock,
    /// Itself, for the task that waits for room.
    own: Weak<Feed>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    waiting: Option<Box<Waiting>>,
    /// What was asked for has not all come: it waits, whatever the policy is.
    is_recovering: bool,
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
    /// `recovery` is what may be recovered, if anything is asked for.
    pub(crate) fn new(
        topic: Topic,
        sender: Sender,
        policy: SlowPolicy,
        recovery: Option<Bounds>,
        clock: Clock,
    ) -> Arc<Self> {
        let mut bound = Bound::default();
        if let Some(recovery) = recovery {
            bound.deliveries = bound.deliveries.saturating_add(recovery.publications);
            bound.bytes = bound.bytes.saturating_add(recovery.bytes);
        }
        let state = State { phase: Phase::Held, waiting: None, is_recovering: recovery.is_some(), stopping: None };
        let state = Mutex::new(state);
        Arc::new_cyclic(|own| Self { topic, sender, policy, bound, clock, own: own.clone(), state })
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
        let waiting = state.waiting.get_or_insert_with(|| Box::new(Waiting::new(self.bound, self.policy)));
        if waiting.offer(delivery) { Offer::Taken } else { Offer::Full }
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
            if let Some(next) = state.waiting.as_mut().and_then(|waiting| waiting.take()) {
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
                    _ if state.is_recovering || self.policy == SlowPolicy::Newest => {
                        let offer = self.keep(&mut state, delivery);
                        self.drain(&mut state);
                        offer
                    }
                    _ => Offer::Full,
                }
            }
        };
        if matches!(delivery, Delivery::Recovered { .. } | Delivery::Unrecoverable(Unrecoverable::NoHistory)) {
            state.is_recovering = false;
        }
        offer
    }

    fn end(&self) {
        // The closing handshake begins with the call.
        drop(self.sender.close(RESUMABLE, TOO_SLOW));
    }
}
