//! [`Subscription`]: the deliveries of a topic as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::hub::Membership;
use crate::options::SlowPolicy;
use crate::position::Position;
use crate::publication::Delivery;
use crate::subscriber::{Offer, Subscriber};
use crate::topic::Topic;
use crate::waiting::{Bound, Waiting};

/// The deliveries of a topic, in order. Dropping it ends the subscription. It is a [`Stream`], too.
#[must_use = "dropping it ends the subscription"]
pub struct Subscription {
    membership: Membership,
    queue: Arc<Queue>,
}

impl Subscription {
    pub(crate) fn new(membership: Membership, queue: Arc<Queue>) -> Self {
        Self { membership, queue }
    }

    /// The topic.
    pub fn topic(&self) -> &Topic {
        self.membership.topic()
    }

    /// The position at which the subscription began: see [`Membership::start`].
    pub fn start(&self) -> Option<Position> {
        self.membership.start()
    }

    /// Waits for the next delivery. `None` after the subscription was ended as too slow ([`SlowPolicy::Close`]).
    ///
    /// Cancel-safe: when the future is dropped, no delivery is lost.
    pub async fn next(&mut self) -> Option<Delivery> {
        poll_fn(|cx| self.queue.poll_next(cx)).await
    }

    /// The next delivery, if there is one now.
    pub fn try_next(&mut self) -> Option<Delivery> {
        self.queue.lock().waiting.take()
    }
}

impl Stream for Subscription {
    type Item = Delivery;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.queue.poll_next(cx)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("topic", self.topic()).finish_non_exhaustive()
    }
}

/// The deliveries that wait for a [`Subscription`].
pub(crate) struct Queue {
    state: Mutex<State>,
}

struct State {
    waiting: Waiting,
    /// It was too slow: after what waits, there is nothing more.
    has_ended: bool,
    waker: Option<Waker>,
}

impl Queue {
    pub(crate) fn new(bound: Bound, policy: SlowPolicy) -> Self {
        let state = State { waiting: Waiting::new(bound, policy), has_ended: false, waker: None };
        Self { state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let mut state = self.lock();
        if let Some(delivery) = state.waiting.take() {
            return Poll::Ready(Some(delivery));
        }
        if state.has_ended {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Subscriber for Queue {
    fn offer(&self, delivery: &Delivery) -> Offer {
        let mut state = self.lock();
        if state.has_ended {
            return Offer::Gone;
        }
        if !state.waiting.offer(delivery) {
            return Offer::Full;
        }
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Offer::Taken
    }

    fn end(&self) {
        let mut state = self.lock();
        state.has_ended = true;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}
