//! [`Subscription`]: the deliveries of a topic as a stream.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use ws_session::ByteString;

use crate::hub::Membership;
use crate::options::SlowPolicy;
use crate::position::Position;
use crate::publication::{Delivery, Gap, GapCause};
use crate::subscriber::{Offer, Subscriber};
use crate::topic::Topic;

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
    pub fn next(&mut self) -> impl Future<Output = Option<Delivery>> + Send + '_ {
        poll_fn(|cx| self.queue.poll_next(cx))
    }

    /// The next delivery, if there is one now.
    pub fn try_next(&mut self) -> Option<Delivery> {
        self.queue.lock().take()
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

/// How much may wait for a subscriber.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) deliveries: usize,
    pub(crate) bytes: usize,
}

impl Default for Bound {
    fn default() -> Self {
        Self { deliveries: 1000, bytes: 1 << 20 }
    }
}

/// The deliveries that wait for a [`Subscription`].
pub(crate) struct Queue {
    bound: Bound,
    policy: SlowPolicy,
    state: Mutex<State>,
}

struct State {
    waiting: VecDeque<Delivery>,
    bytes: usize,
    /// It was too slow: after what waits, there is nothing more.
    has_ended: bool,
    waker: Option<Waker>,
}

impl Queue {
    pub(crate) fn new(bound: Bound, policy: SlowPolicy) -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, has_ended: false, waker: None };
        Self { bound, policy, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let mut state = self.lock();
        if let Some(delivery) = state.take() {
            return Poll::Ready(Some(delivery));
        }
        if state.has_ended {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl State {
    fn take(&mut self) -> Option<Delivery> {
        let delivery = self.waiting.pop_front()?;
        self.bytes -= weight(&delivery);
        if self.waiting.is_empty() {
            // An idle subscription holds no memory.
            self.waiting = VecDeque::new();
        }
        Some(delivery)
    }

    fn is_full(&self, bound: Bound, more: usize) -> bool {
        // A single delivery is never too large.
        let is_above = self.waiting.len() >= bound.deliveries || self.bytes + more > bound.bytes;
        is_above && !self.waiting.is_empty()
    }

    fn push(&mut self, delivery: Delivery) {
        self.bytes += weight(&delivery);
        self.waiting.push_back(delivery);
    }

    /// Removes the waiting publication with this key, and in its place nothing: the newer one goes to the end.
    fn supersede(&mut self, key: Option<&ByteString>) {
        let is_older = |delivery: &Delivery| matches!(delivery, Delivery::Publication(older) if older.key.as_ref() == key);
        if let Some(index) = self.waiting.iter().position(is_older)
            && let Some(older) = self.waiting.remove(index)
        {
            self.bytes -= weight(&older);
        }
    }

    /// Drops the oldest publication, with a gap in its place.
    fn drop_oldest(&mut self) {
        let is_publication = |delivery: &Delivery| matches!(delivery, Delivery::Publication(_));
        let Some(index) = self.waiting.iter().position(is_publication) else { return };
        let gap = Delivery::Gap(GapCause::SlowSubscriber.into());
        let is_told = index > 0 && matches!(self.waiting[index - 1], Delivery::Gap(Gap { cause: GapCause::SlowSubscriber }));
        let older = if is_told { self.waiting.remove(index) } else { Some(std::mem::replace(&mut self.waiting[index], gap)) };
        self.bytes -= older.as_ref().map_or(0, weight);
    }
}

impl Subscriber for Queue {
    fn offer(&self, delivery: &Delivery) -> Offer {
        let mut state = self.lock();
        if state.has_ended {
            return Offer::Gone;
        }
        let more = weight(delivery);
        if state.is_full(self.bound, more) {
            if self.policy != SlowPolicy::Newest {
                return Offer::Full;
            }
            if let Delivery::Publication(publication) = delivery {
                state.supersede(publication.key.as_ref());
            }
            while state.is_full(self.bound, more) && state.waiting.iter().any(|d| matches!(d, Delivery::Publication(_))) {
                state.drop_oldest();
            }
        }
        state.push(delivery.clone());
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

/// The memory that a delivery takes while it waits, in bytes, about.
fn weight(delivery: &Delivery) -> usize {
    match delivery {
        Delivery::Publication(publication) => publication.weight(),
        _ => size_of::<Delivery>(),
    }
}
