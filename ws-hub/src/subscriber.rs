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

    /// Takes what was recovered, all at once, whatever room there is: the hub bounds it
    /// ([`HubBuilder::max_recovery`](crate::HubBuilder::max_recovery)). Publications in order, with
    /// [`Delivery::Recovered`] after those that were asked for; or [`Delivery::Unrecoverable`] first.
    ///
    /// The default [offers](Self::offer) one after the other, and ends at the first that is not taken: then a gap is told before the
    /// next delivery.
    fn recovered(&self, deliveries: &[Delivery]) -> Offer {
        let mut answers = deliveries.iter().map(|delivery| self.offer(delivery));
        answers.find(|answer| *answer != Offer::Taken).unwrap_or(Offer::Taken)
    }

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
