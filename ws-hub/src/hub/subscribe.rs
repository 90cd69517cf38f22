//! Subscribing to a topic: [`Subscribe`].

use std::error::Error;
use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use super::{Hub, Inner, Membership};
use crate::backplane::BoxFuture;
use crate::entry::{Entry, NotAdded};
use crate::position::Position;
use crate::publication::GapCause;
use crate::subscriber::Subscriber;
use crate::subscription::{Bound, Queue, Subscription};
use crate::topic::{InvalidTopic, Topic};

impl Hub {
    /// Subscribes to a topic, when the result is awaited: publications that are accepted from then on are delivered.
    ///
    /// ```
    /// # use ws_hub::{Hub, Position, SubscribeError};
    /// # async fn f(hub: &Hub, seen: Position) -> Result<(), SubscribeError> {
    /// let mut live = hub.subscribe("chat/rust").await?;
    /// let mut all_since = hub.subscribe("chat/rust").since(seen).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe(&self, topic: &str) -> Subscribe<'_> {
        Subscribe { hub: self, topic: topic.to_owned(), since: None, bound: Bound::default() }
    }
}

/// A subscription that begins when it is awaited: [`Hub::subscribe`].
#[must_use = "nothing is subscribed until it is awaited"]
pub struct Subscribe<'a> {
    hub: &'a Hub,
    topic: String,
    since: Option<Position>,
    bound: Bound,
}

impl<'a> Subscribe<'a> {
    /// Begins after a position, such as that of the last publication that was seen
    /// ([`Publication::position`](crate::Publication::position)). First, everything is delivered that was published since, and
    /// then [`Delivery::Recovered`](crate::Delivery::Recovered); or nothing of it, and
    /// [`Delivery::Unrecoverable`](crate::Delivery::Unrecoverable) with the reason.
    pub fn since(mut self, position: impl Into<Option<Position>>) -> Self {
        self.since = position.into();
        self
    }

    /// Limits the deliveries that wait in the [`Subscription`], and their bytes, with about 128 for each beside the payload.
    /// Default 1,000 and 1 MiB. Above it, the topic's [`SlowPolicy`](crate::SlowPolicy) acts.
    pub fn bound(mut self, deliveries: usize, bytes: usize) -> Self {
        self.bound = Bound { deliveries, bytes };
        self
    }

    /// Subscribes something that takes deliveries itself.
    ///
    /// Cancel-safe: if the future is dropped, nothing is subscribed.
    ///
    /// # Errors
    ///
    /// The same as those of the subscription.
    pub async fn to(self, subscriber: Arc<dyn Subscriber>) -> Result<Membership, SubscribeError> {
        let topic = Topic::new(self.topic).map_err(SubscribeError::Topic)?;
        self.hub.inner.subscribe(&topic, subscriber, self.since).await
    }
}

impl<'a> IntoFuture for Subscribe<'a> {
    type Output = Result<Subscription, SubscribeError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    /// Cancel-safe: if the future is dropped, nothing is subscribed.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let options = self.hub.inner.settings.options(&self.topic);
            let queue = Arc::new(Queue::new(self.bound, options.slow));
            let membership = self.to(Arc::clone(&queue) as _).await?;
            Ok(Subscription::new(membership, queue))
        })
    }
}

impl Inner {
    async fn subscribe(
        self: &Arc<Self>,
        topic: &Topic,
        subscriber: Arc<dyn Subscriber>,
        since: Option<Position>,
    ) -> Result<Membership, SubscribeError> {
        let (entry, (seat, tail)) = loop {
            let entry = self.entry(topic);
            match entry.add(Arc::clone(&subscriber), since) {
                Ok(added) => break (entry, added),
                Err(NotAdded::Removed) => {}
                Err(NotAdded::Full) => return Err(SubscribeError::Full),
            }
        };
        // From here on, dropping it unsubscribes.
        let mut membership = Membership::new(Arc::clone(self), Arc::clone(&entry), seat);
        let attached = poll_fn(|cx| if entry.is_attached(cx.waker()) { Poll::Ready(()) } else { Poll::Pending });
        if self.clock.within(self.settings.subscribe_timeout, attached).await.is_none() {
            entry.owe(seat, GapCause::BrokerLost);
        }
        membership.set_start(tail.or_else(|| entry.top()));
        self.recover(&entry);
        Ok(membership)
    }

    /// The entry of a topic. A new one is subscribed at the backplane.
    fn entry(self: &Arc<Self>, topic: &Topic) -> Arc<Entry> {
        if let Some(entry) = self.table.get(topic.as_str()) {
            return entry;
        }
        let settings = &self.settings;
        let make = || Entry::new(topic.clone(), Arc::clone(settings.options(topic.as_str())), settings.recovery);
        let is_lost = self.lost_state();
        let (entry, is_new) = self.table.get_or_insert(topic, make);
        if is_new {
            if let Some(cause) = *is_lost {
                entry.lost(cause);
            }
            drop(is_lost);
            self.attach(&entry);
        }
        entry
    }
}

/// A subscription that was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The name of the topic is not valid.
    Topic(InvalidTopic),
    /// The topic has as many subscribers as [`TopicOptions::max_subscribers`](crate::TopicOptions::max_subscribers) allows.
    Full,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(invalid) => write!(f, "not subscribed: {invalid}"),
            Self::Full => f.write_str("not subscribed: the topic has as many subscribers as max_subscribers allows"),
        }
    }
}

impl Error for SubscribeError {}
