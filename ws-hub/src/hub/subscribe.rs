//! Subscribing to a topic: [`Subscribe`].

use std::error::Error;
use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ws_session::{Prepared, Sender};

use super::{Action, Hub, Inner, Membership, Subscription};
use crate::backplane::BoxFuture;
use crate::catchup::Start;
use crate::entry::{Entry, NotAdded, Seat};
use crate::forward::Forward;
use crate::position::Position;
use crate::publication::{Delivery, GapCause};
use crate::queue::Queue;
use crate::subscriber::Subscriber;
use crate::topic::{InvalidTopic, Topic};
use crate::waiting::Bound;

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
        Subscribe { hub: self, topic: topic.to_owned(), start: Start::default(), bound: Bound::default() }
    }
}

/// A subscription that begins when it is awaited: [`Hub::subscribe`].
#[must_use = "nothing is subscribed until it is awaited"]
pub struct Subscribe<'a> {
    hub: &'a Hub,
    topic: String,
    start: Start,
    bound: Bound,
}

impl<'a> Subscribe<'a> {
    /// Begins after a position, such as that of the last publication that was seen
    /// ([`Publication::position`](crate::Publication::position)). First, everything is delivered that was published since, and
    /// then [`Delivery::Recovered`](crate::Delivery::Recovered); or nothing of it, and
    /// [`Delivery::Unrecoverable`](crate::Delivery::Unrecoverable) with the reason.
    pub fn since(mut self, position: impl Into<Option<Position>>) -> Self {
        self.start.since = position.into();
        self
    }

    /// Begins with the last publications of the topic's history, at most so many, each with its position. Then comes
    /// [`Delivery::Recovered`](crate::Delivery::Recovered), and then what is published. From the first of them on, nothing is
    /// missing. On a topic without history, [`Delivery::Unrecoverable`](crate::Delivery::Unrecoverable) comes first. Default 0.
    ///
    /// Together with [`since`](Self::since): what was missed since the position; or if it cannot be had, the reason, and then
    /// the last publications.
    ///
    /// ```
    /// # use ws_hub::{Hub, Position, SubscribeError};
    /// # async fn f(hub: &Hub, seen: Option<Position>) -> Result<(), SubscribeError> {
    /// let mut chat = hub.subscribe("chat/rust").since(seen).last(50).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It is bounded by [`HubBuilder::max_recovery`](crate::HubBuilder::max_recovery), and by what the backplane reads at once,
    /// some megabytes: as many as that allows are delivered.
    pub fn last(mut self, publications: usize) -> Self {
        self.start.last = publications;
        self
    }

    /// Limits the deliveries that wait in the [`Subscription`], and their bytes, with about 128 for each beside the payload.
    /// Default 1,000 and 1 MiB. Above it, the topic's [`SlowPolicy`](crate::SlowPolicy) acts.
    pub fn bound(mut self, deliveries: usize, bytes: usize) -> Self {
        self.bound = Bound { deliveries, bytes };
        self
    }

    /// Subscribes a WebSocket connection. `encode` makes a message of each delivery, or none.
    ///
    /// The message of a publication is encoded once for all connections with
    /// [`Publication::prepared`](crate::Publication::prepared). A [`Gap`](crate::Gap) should be told in the words of the
    /// application's protocol.
    ///
    /// ```
    /// # use ws_hub::{Delivery, Hub, Membership, SubscribeError};
    /// # use ws_session::Sender;
    /// # async fn f(hub: &Hub, sender: &Sender) -> Result<Membership, SubscribeError> {
    /// hub.subscribe("news").forward(sender, |delivery| match delivery {
    ///     Delivery::Publication(publication) => Some(publication.prepared().clone()),
    ///     Delivery::Gap(_) | Delivery::Unrecoverable(_) => Some("reload, please".into()),
    ///     _ => None,
    /// }).await
    /// # }
    /// ```
    ///
    /// `encode` runs with a lock of the topic held: it must not call the hub, and should be quick.
    ///
    /// Deliveries go into the connection's outgoing queue up to its high-water mark
    /// ([`Limits::high_water`](ws_session::Limits::high_water)). Above it, the topic's [`SlowPolicy`](crate::SlowPolicy) acts.
    /// What was recovered waits in memory until there is room, as [`HubBuilder::max_recovery`](crate::HubBuilder::max_recovery)
    /// bounds it. With [`SlowPolicy::Newest`](crate::SlowPolicy::Newest), the newest publication of each key waits until there is room, within
    /// [`bound`](Self::bound).
    ///
    /// Cancel-safe: if the future is dropped, nothing is subscribed.
    ///
    /// # Errors
    ///
    /// The same as those of the subscription.
    pub async fn forward(
        self,
        sender: &Sender,
        encode: impl Fn(&Delivery) -> Option<Prepared> + Send + Sync + 'static,
    ) -> Result<Membership, SubscribeError> {
        let inner = &self.hub.inner;
        let policy = inner.settings.options(&self.topic).slow;
        let recovers = self.start.since.is_some() || self.start.last > 0;
        let forward = Forward::new(sender.clone(), encode, policy, recovers, self.bound, &inner.clock);
        self.to(forward).await
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
        if !self.hub.may(Action::Subscribe, &topic).await {
            return Err(SubscribeError::Forbidden);
        }
        self.hub.inner.subscribe(&topic, subscriber, self.start).await
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
    pub(super) async fn subscribe(
        self: &Arc<Self>,
        topic: &Topic,
        subscriber: Arc<dyn Subscriber>,
        start: Start,
    ) -> Result<Membership, SubscribeError> {
        let (entry, seat, tail) = self.join(topic, subscriber, start)?;
        // From here on, dropping it unsubscribes.
        let mut membership = Membership::new(Arc::clone(self), Arc::clone(&entry), seat);
        // While the broker is away, there is nothing to wait for.
        let is_lost = self.lock_reach().lost();
        let time = if is_lost.is_some() { Duration::ZERO } else { self.settings.subscribe_timeout };
        let attached = poll_fn(|cx| if entry.is_attached(cx.waker()) { Poll::Ready(()) } else { Poll::Pending });
        if self.clock.within(time, attached).await.is_none() {
            poll_fn(|cx| {
                entry.stop_waiting(cx.waker());
                Poll::Ready(())
            })
            .await;
            entry.owe(seat, is_lost.unwrap_or(GapCause::BrokerLost));
        }
        membership.set_start(tail.or_else(|| entry.top()));
        self.recover(&entry);
        Ok(membership)
    }

    /// Adds a subscriber to a topic. Returns the last place before its live publications, too, if that is known.
    pub(crate) fn join(
        self: &Arc<Self>,
        topic: &Topic,
        subscriber: Arc<dyn Subscriber>,
        start: Start,
    ) -> Result<(Arc<Entry>, Seat, Option<Position>), SubscribeError> {
        loop {
            let entry = self.entry(topic);
            match entry.add(Arc::clone(&subscriber), start) {
                Ok((seat, tail)) => return Ok((entry, seat, tail)),
                Err(NotAdded::Removed) => {}
                Err(NotAdded::Full) => return Err(SubscribeError::Full),
            }
        }
    }

    /// The entry of a topic. A new one is subscribed at the backplane.
    fn entry(self: &Arc<Self>, topic: &Topic) -> Arc<Entry> {
        if let Some(entry) = self.table.get(topic.as_str()) {
            return entry;
        }
        let settings = &self.settings;
        let make = || {
            Entry::new(topic.clone(), Arc::clone(settings.options(topic.as_str())), settings.recovery, &self.counters)
        };
        let reach = self.lock_reach();
        let (entry, is_new) = self.table.get_or_insert(topic, make);
        if is_new {
            if let Some(cause) = reach.lost() {
                entry.lost(cause);
            }
            drop(reach);
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
    /// [`HubBuilder::authorize`](crate::HubBuilder::authorize) does not allow it.
    Forbidden,
    /// The topic has as many subscribers as [`TopicOptions::max_subscribers`](crate::TopicOptions::max_subscribers) allows.
    Full,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(invalid) => write!(f, "not subscribed: {invalid}"),
            Self::Forbidden => f.write_str("not subscribed: it is not allowed"),
            Self::Full => f.write_str("not subscribed: the topic has as many subscribers as max_subscribers allows"),
        }
    }
}

impl Error for SubscribeError {}
