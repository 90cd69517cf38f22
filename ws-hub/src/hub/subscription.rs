//! [`Subscription`]: the deliveries of a topic as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::Membership;
use crate::position::Position;
use crate::publication::Delivery;
use crate::queue::Queue;
use crate::topic::Topic;

/// The deliveries of a topic, in order. Dropping it ends the subscription. It is a [`Stream`], too.
#[must_use = "dropping it ends the subscription"]
pub struct Subscription {
    membership: Membership,
    queue: Arc<Queue>,
}

impl Subscription {
    pub(super) fn new(membership: Membership, queue: Arc<Queue>) -> Self {
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

    /// Waits for the next delivery. `None` after the subscription was ended as too slow
    /// ([`SlowPolicy::Close`](crate::SlowPolicy::Close)).
    ///
    /// Cancel-safe: when the future is dropped, no delivery is lost.
    pub async fn next(&mut self) -> Option<Delivery> {
        poll_fn(|cx| self.queue.poll_next(cx)).await
    }

    /// The next delivery, if there is one now.
    pub fn try_next(&mut self) -> Option<Delivery> {
        self.queue.try_next()
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
