//! [`Subscriber`]: what takes the deliveries of a subscription.

use crate::publication::Delivery;

/// Takes the deliveries of a subscription, without waiting. Hubs have two: for a
/// [`Subscription`](crate::Subscription), and for a connection ([`Subscribe::forward`](crate::Subscribe::forward)). An
/// application can write its own.
///
/// The hub calls it with a lock held, so that all deliveries of a topic come in order. It must not block, and must not call the
/// hub.
pub trait Subscriber: Send + Sync {
    /// Takes a delivery, or refuses it.
    fn offer(&self, delivery: &Delivery) -> Offer;

    /// The subscription ends, because the subscriber was too slow and the topic's policy is
    /// [`SlowPolicy::Close`](crate::SlowPolicy::Close).
    fn end(&self);
}

/// The answer of a [`Subscriber`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It has the delivery.
    Taken,
    /// It has no room.
    Full,
    /// It takes no more deliveries, ever.
    Gone,
}
