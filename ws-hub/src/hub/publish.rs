//! Publishing on a topic: [`Publish`].

use std::future::IntoFuture;
use std::sync::Arc;

use ws_session::{ByteString, Message};

use super::{Action, Hub, Inner};
use crate::backplane::{BoxFuture, Doubt, MAX_KEY, Outgoing, PublishError, Refusal};
use crate::position::Position;
use crate::publication::Publication;
use crate::topic::Topic;

impl Hub {
    /// Publishes a message on a topic, when the result is awaited. Returns its position, if the topic has history.
    ///
    /// It waits for the broker, never for a subscriber. It is never retried. If the future is dropped before it is ready, the
    /// message may have been published.
    ///
    /// # Errors
    ///
    /// If it was [refused](PublishError::Refused), or if the result is [unknown](PublishError::Unknown).
    pub fn publish(&self, topic: &str, message: impl Into<Message>) -> Publish<'_> {
        Publish { hub: self, topic: topic.to_owned(), outgoing: Outgoing::new(message) }
    }
}

/// A publication that begins when it is awaited: [`Hub::publish`].
#[must_use = "nothing is published until it is awaited"]
pub struct Publish<'a> {
    hub: &'a Hub,
    topic: String,
    outgoing: Outgoing,
}

impl Publish<'_> {
    /// Sets the key whose value this is: subscribers with [`SlowPolicy::Newest`](crate::SlowPolicy::Newest) that are slow get
    /// the newest value of each key. At most 255 bytes.
    pub fn key(mut self, key: impl Into<ByteString>) -> Self {
        self.outgoing.key = Some(key.into());
        self
    }

    /// Names the publication, so that it can be published again when its result was unknown: while the first one is in the
    /// topic's history, the second one is not published, and has the position of the first. With NATS, it is so for 2 minutes at
    /// most. At most 255 bytes.
    ///
    /// All publishers of a topic share its keys, at all instances and over restarts: put something random into them. A
    /// publisher that chooses a key of another one publishes nothing.
    ///
    /// It is [refused](PublishError::Refused) on a topic without history, and on a backplane that does not promise it
    /// ([`Promises::idempotent`](crate::Promises::idempotent)).
    pub fn idempotency_key(mut self, key: impl Into<ByteString>) -> Self {
        self.outgoing.idempotency_key = Some(key.into());
        self
    }

    /// Publishes only if this position is the last one of the topic; else it is [refused](Refusal::Conflict). So a value that
    /// several instances change is never overwritten unseen: read it with [`Hub::latest`], and publish the next one after its
    /// position; after a conflict, begin again.
    ///
    /// ```
    /// # use ws_hub::{Hub, PublishError, Refusal};
    /// # async fn f(hub: &Hub) -> Result<(), Box<dyn std::error::Error>> {
    /// loop {
    ///     let page = hub.latest("counter", 1).await?;
    ///     let value: u64 = match page.publications.last() {
    ///         Some(last) => std::str::from_utf8(last.message.as_bytes())?.parse()?,
    ///         None => 0,
    ///     };
    ///     match hub.publish("counter", format!("{}", value + 1)).after(page.end()).await {
    ///         Err(PublishError::Refused(Refusal::Conflict)) => {}
    ///         result => break result.map(drop)?,
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It is refused on a topic without history, and on a backplane that does not promise it
    /// ([`Promises::conditional`](crate::Promises::conditional)).
    pub fn after(mut self, position: Position) -> Self {
        self.outgoing.after = Some(position);
        self
    }
}

impl<'a> IntoFuture for Publish<'a> {
    type Output = Result<Option<Position>, PublishError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { hub, topic, outgoing } = self;
        Box::pin(async move {
            {
                let bytes = outgoing.message.len();
                let result = hub.publish_checked(topic, outgoing).await;
                hub.inner.counters.published(bytes, &result);
                result
            }
        })
    }
}

impl Hub {
    async fn publish_checked(&self, topic: String, outgoing: Outgoing) -> Result<Option<Position>, PublishError> {
        let topic = Topic::new(topic).map_err(|invalid| PublishError::Refused(Refusal::Topic(invalid)))?;
        self.inner.check(&topic, &outgoing).map_err(PublishError::Refused)?;
        if !self.may(Action::Publish, &topic).await {
            return Err(PublishError::Refused(Refusal::Forbidden));
        }
        self.inner.send(topic, outgoing).await
    }
}

impl Inner {
    /// Checks what needs no broker.
    fn check(&self, topic: &Topic, outgoing: &Outgoing) -> Result<(), Refusal> {
        let (size, limit) = (outgoing.message.len(), self.settings.max_publication);
        if size > limit {
            return Err(Refusal::TooLarge { size, limit });
        }
        for (key, name) in [(&outgoing.key, "a key"), (&outgoing.idempotency_key, "an idempotency key")] {
            if let Some(size) = key.as_ref().map(|key| key.len()).filter(|size| *size > MAX_KEY) {
                return Err(Refusal::KeyTooLong { key: name, size });
            }
        }
        for (is_asked, feature, is_promised) in [
            (outgoing.after.is_some(), "publishing after a position", self.promises.conditional),
            (outgoing.idempotency_key.is_some(), "an idempotency key", self.promises.idempotent),
        ] {
            if is_asked && !is_promised {
                return Err(Refusal::Unsupported(feature));
            }
            if is_asked && self.settings.options(topic.as_str()).history.is_none() {
                return Err(Refusal::NoHistory(feature));
            }
        }
        Ok(())
    }

    /// Publishes, within the timeout.
    pub(crate) async fn send(&self, topic: Topic, mut outgoing: Outgoing) -> Result<Option<Position>, PublishError> {
        outgoing.history = self.settings.options(topic.as_str()).history;
        let (message, key) = (outgoing.message.clone(), outgoing.key.clone());
        let Some(link) = self.link() else { return Err(PublishError::Refused(Refusal::Unavailable { locally: 0 })) };
        let published = link.publish(&topic, outgoing);
        match self.clock.within(self.settings.publish_timeout, published).await {
            Some(Err(PublishError::Refused(Refusal::Unavailable { .. }))) => {
                let mut publication = Publication::new(topic, message);
                (publication.key, publication.is_local) = (key, true);
                let entry = self.table.get(publication.topic.as_str());
                let locally = entry.map_or(0, |entry| entry.arrived(&Arc::new(publication)));
                Err(PublishError::Refused(Refusal::Unavailable { locally }))
            }
            Some(result) => result,
            None => Err(PublishError::Unknown(Doubt::TimedOut)),
        }
    }
}
