//! [`Backplane`]: what carries publications between the instances of a hub.

#[cfg(feature = "background")]
mod background;
#[cfg(feature = "kafka")]
mod kafka;
mod memory;
#[cfg(feature = "nats")]
mod nats;
mod promises;
#[cfg(feature = "redis")]
mod redis;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ws_session::{ByteString, Message};

#[cfg(feature = "kafka")]
pub use self::kafka::Kafka;
pub use self::memory::Memory;
#[cfg(feature = "nats")]
pub use self::nats::{InvalidNats, Nats};
pub use self::promises::{Order, Promises, Recovery};
#[cfg(feature = "redis")]
pub use self::redis::{InvalidRedisUrl, Redis};
use crate::inbound::Inbound;
use crate::options::History;
use crate::position::Position;
use crate::publication::{Publication, Unrecoverable};
use crate::topic::{InvalidTopic, Topic};

/// The longest key of a publication, in bytes, and the longest idempotency key.
pub(crate) const MAX_KEY: usize = 255;

/// A boxed future of a backplane.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What carries publications between instances: a process's memory, or a broker. [`open`](Self::open) makes the link of one
/// hub.
///
/// An implementation must never leave a publication out silently. Where it cannot tell, it says [`Inbound::missed`] or
/// [`Inbound::lost`]. The hub drops doubles, and finds holes in the order of topics with history.
pub trait Backplane: Send + Sync + 'static {
    /// What it promises. Constant.
    fn promises(&self) -> Promises;

    /// Opens the link of a hub. It does not wait for a broker. What arrives is handed to `inbound`: the publications of all
    /// topics that are subscribed, this hub's own among them, and every doubt about them. Tasks are spawned with
    /// [`Inbound::spawn`], and end when [`Inbound::is_closed`].
    fn open(&self, inbound: Inbound) -> Box<dyn Link>;
}

/// The link of a hub to a backplane. Dropping it ends it.
///
/// No method blocks. No future holds a reference to the hub.
pub trait Link: Send + Sync {
    /// Publishes, without retrying. If the future is dropped, the result is unknown.
    fn publish(&self, topic: &Topic, outgoing: Outgoing) -> BoxFuture<'static, Result<Option<Position>, PublishError>>;

    /// Subscribes to a topic: publications that are accepted after the future is ready arrive. With history, returns a position
    /// from which on all publications arrive.
    ///
    /// A subscription that is lost with the connection is made again by the link, before it says [`Inbound::restored`].
    fn subscribe(
        &self,
        topic: &Topic,
        history: Option<&History>,
    ) -> BoxFuture<'static, Result<Option<Position>, Unavailable>>;

    /// Ends the subscription of a topic. A publication that arrives later is ignored. It takes effect in the order of the
    /// calls.
    fn unsubscribe(&self, topic: &Topic);

    /// The broker is silent: whatever connection there is must be given up, and another one made. The default does nothing.
    fn reset(&self) {}

    /// Reads at most `limit` publications of a topic after a position. The publication at the position itself must still be
    /// there, and be the same one; else what follows cannot be known to be all.
    fn history(
        &self,
        topic: &Topic,
        history: &History,
        since: Position,
        limit: usize,
    ) -> BoxFuture<'static, Result<Page, HistoryError>>;

    /// Reads the last publications of a topic, at most `limit` of them. An empty page tells the end of the stream
    /// ([`Page::since`]).
    fn latest(&self, topic: &Topic, history: &History, limit: usize) -> BoxFuture<'static, Result<Page, HistoryError>>;
}

/// What is published.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outgoing {
    /// The payload: text or binary.
    pub message: Message,
    /// The key whose value this is.
    pub key: Option<ByteString>,
    /// Names this publication, so that a second one with the same name is not published again, as long as the first is in the
    /// history, or for a shorter time that the backplane documents. The result is the position of the first.
    pub idempotency_key: Option<ByteString>,
    /// The position that must be the last one of the topic, else nothing is published ([`Refusal::Conflict`]).
    pub after: Option<Position>,
    /// The topic's history. `None` if it has none.
    pub history: Option<History>,
}

impl Outgoing {
    /// A message for a topic without history.
    pub fn new(message: impl Into<Message>) -> Self {
        Self { message: message.into(), key: None, idempotency_key: None, after: None, history: None }
    }
}

/// A part of a topic's history.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// The position after which it begins.
    pub since: Position,
    /// The publications after it, in order, without one missing.
    pub publications: Vec<Arc<Publication>>,
    /// Whether these are all that there were when it was read.
    pub is_complete: bool,
    /// The place up to which it was read, where that can lie after the last publication, because offsets are shared with other
    /// topics. Then any place is a position, and not only those of the topic's publications.
    pub until: Option<Position>,
}

impl Page {
    /// The publications that follow a position, and whether they are all that there were.
    pub fn new(since: Position, publications: Vec<Arc<Publication>>, is_complete: bool) -> Self {
        Self { since, publications, is_complete, until: None }
    }

    /// Sets the place [up to which](Self::until) it was read.
    #[must_use]
    pub fn until(mut self, place: Position) -> Self {
        self.until = Some(place);
        self
    }

    /// The position after the last of them.
    pub fn end(&self) -> Position {
        self.publications.last().and_then(|last| last.position).unwrap_or(self.since)
    }

    /// The newest of them: so many and of so many bytes at most, and the first of those after a place before them.
    pub(crate) fn newest(mut self, count: usize, bytes: usize) -> Self {
        let mut sum = 0;
        let newest = self.publications.iter().rev().take(count);
        let count = newest.take_while(|one| (sum += one.weight(), sum <= bytes).1).count();
        let newest = self.publications.split_off(self.publications.len() - count);
        let older = std::mem::replace(&mut self.publications, newest);
        self.since = older.last().and_then(|last| last.position).unwrap_or(self.since);
        self
    }
}

/// Why history could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryError {
    /// The broker does not answer now. The hub tries again after [`Inbound::restored`].
    Unavailable,
    /// There is nothing to be found from this position.
    Unrecoverable {
        /// The reason.
        reason: Unrecoverable,
        /// The end of the stream when it was read, if there is a stream.
        top: Option<Position>,
    },
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable => Unavailable.fmt(f),
            Self::Unrecoverable { reason, .. } => reason.fmt(f),
        }
    }
}

impl Error for HistoryError {}

/// The broker cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the broker cannot be reached")
    }
}

impl Error for Unavailable {}

/// A publication that was not accepted, or of which that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishError {
    /// It was certainly not published: publishing it again does not double it.
    Refused(Refusal),
    /// It may have been published. Publishing it again may double it, except with an idempotency key.
    Unknown(Doubt),
}

/// Why a publication was not published.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The name of the topic is not valid.
    Topic(InvalidTopic),
    /// [`HubBuilder::authorize`](crate::HubBuilder::authorize) does not allow it.
    Forbidden,
    /// It is larger than [`HubBuilder::max_publication`](crate::HubBuilder::max_publication).
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Its key or its idempotency key is longer than 255 bytes.
    KeyTooLong {
        /// Which of the two.
        key: &'static str,
        /// Its size in bytes.
        size: usize,
    },
    /// The broker cannot be reached. `locally` subscribers of this instance got it, marked as
    /// [local](Publication::is_local).
    Unavailable {
        /// The number of subscribers.
        locally: usize,
    },
    /// Something else was published meanwhile, so that the position after which it was to be published is not the last one.
    Conflict,
    /// The backplane cannot do what was asked for, as its [`Promises`] say: the name of the feature.
    Unsupported(&'static str),
    /// The topic keeps no history, which this feature needs.
    NoHistory(&'static str),
    /// The broker has refused it, for this reason.
    Broker(String),
}

/// Why it is not known whether a publication was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// The broker has not answered within [`HubBuilder::publish_timeout`](crate::HubBuilder::publish_timeout).
    TimedOut,
    /// The connection to the broker was lost before its answer.
    ConnectionLost,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refusal::Topic(invalid)) => write!(f, "not published: {invalid}"),
            Self::Refused(Refusal::TooLarge { size, limit }) => {
                write!(f, "not published: {size} bytes are more than the {limit} of max_publication")
            }
            Self::Refused(Refusal::KeyTooLong { key, size }) => {
                write!(f, "not published: {key} of {size} bytes is longer than {MAX_KEY}")
            }
            Self::Refused(Refusal::Unavailable { locally }) => write!(
                f,
                "not published, because the broker cannot be reached; {locally} subscribers of this instance got it"
            ),
            Self::Refused(Refusal::Forbidden) => f.write_str("not published: it is not allowed"),
            Self::Refused(Refusal::Conflict) => f.write_str("not published: something else was published before"),
            Self::Refused(Refusal::Unsupported(feature)) => {
                write!(f, "not published: the backplane cannot do this: {feature}")
            }
            Self::Refused(Refusal::NoHistory(feature)) => {
                write!(f, "not published: the topic keeps no history, which this needs: {feature}")
            }
            Self::Refused(Refusal::Broker(reason)) => {
                write!(f, "not published, because the broker refused it: {reason}")
            }
            Self::Unknown(Doubt::TimedOut) => f.write_str("maybe published: the broker has not answered in time"),
            Self::Unknown(Doubt::ConnectionLost) => {
                f.write_str("maybe published: the connection to the broker was lost before its answer")
            }
        }
    }
}

impl Error for PublishError {}
