//! [`Publication`], and everything else that a subscriber gets, in one order: [`Delivery`].

use std::fmt;
use std::sync::{Arc, OnceLock};

use ws_session::{ByteString, Message, Prepared};

use crate::position::{Epoch, Position};
use crate::topic::Topic;

/// A message that was published on a topic. It is shared by all subscribers of an instance.
pub struct Publication {
    /// The topic.
    pub topic: Topic,
    /// The payload: text or binary.
    pub message: Message,
    /// The key whose value this is, for subscribers that keep the newest value of each key
    /// ([`SlowPolicy::Newest`](crate::SlowPolicy::Newest)).
    pub key: Option<ByteString>,
    /// The place after this publication. `None` if the topic has no history, or if [`is_local`](Self::is_local).
    pub position: Option<Position>,
    /// The offset of the publication before it, 0 for the first of its epoch. Without a position it means nothing.
    pub previous: u64,
    /// Whether only subscribers of this instance get it, because the broker could not be reached. It has no place in the order
    /// of the topic's other publications.
    pub is_local: bool,
    /// Places between the publication before it and this one are places of the topic, too.
    has_places_before: bool,
    prepared: OnceLock<Prepared>,
    /// The message of the client protocol.
    #[cfg(feature = "protocol")]
    envelope: OnceLock<Prepared>,
}

impl Publication {
    /// A publication on a topic, without a key and a position.
    pub fn new(topic: Topic, message: impl Into<Message>) -> Self {
        Self {
            topic,
            message: message.into(),
            key: None,
            position: None,
            previous: 0,
            is_local: false,
            has_places_before: false,
            prepared: OnceLock::new(),
            #[cfg(feature = "protocol")]
            envelope: OnceLock::new(),
        }
    }

    /// Its place in the topic's order: the position after it, and the offset before it.
    #[must_use]
    pub fn at(mut self, position: Position, previous: u64) -> Self {
        (self.position, self.previous) = (Some(position), previous);
        self
    }

    /// Its place in the topic's order, where offsets are shared with other topics ([`Page::until`](crate::Page::until)): it is
    /// the next publication after any place from `previous` on.
    #[must_use]
    pub fn at_shared(mut self, position: Position, previous: u64) -> Self {
        self.has_places_before = true;
        self.at(position, previous)
    }

    /// The message encoded for many connections. It is encoded by the first call, and compressed by the first connection of
    /// each kind that sends it.
    pub fn prepared(&self) -> &Prepared {
        self.prepared.get_or_init(|| Prepared::new(self.message.clone()))
    }

    /// The message of the client protocol, made by the first call.
    #[cfg(feature = "protocol")]
    pub(crate) fn envelope(&self, make: impl FnOnce(&Self) -> Prepared) -> &Prepared {
        self.envelope.get_or_init(|| make(self))
    }

    /// Whether it is the next one after `place`: that of the publication before it, or one between them, if there are such. A place
    /// that is none of the stream, because a broker has lost the end of it, is followed by nothing.
    pub(crate) fn follows(&self, place: Position) -> bool {
        let is_between = self.has_places_before && self.previous < place.offset;
        self.position.is_some_and(|own| {
            own.epoch == place.epoch && (self.previous == place.offset || is_between && place.offset < own.offset)
        })
    }

    /// The memory that it takes while it waits, in bytes, about.
    pub(crate) fn weight(&self) -> usize {
        self.message.len() + self.key.as_ref().map_or(0, |key| key.len()) + OVERHEAD
    }
}

/// What a queue holds for a publication beside its payload, in bytes, about.
const OVERHEAD: usize = 128;

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Publication");
        debug.field("topic", &self.topic).field("message", &self.message);
        if let Some(key) = &self.key {
            debug.field("key", key);
        }
        if let Some(position) = &self.position {
            debug.field("position", &format_args!("{position}")).field("previous", &self.previous);
        }
        debug.field("is_local", &self.is_local).finish()
    }
}

/// An item of a subscription. The items of a topic come in one order, and no publication is missing without a word: before the
/// publication that follows missing ones, there is a [`Gap`](Self::Gap) or [`Unrecoverable`](Self::Unrecoverable).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Delivery {
    /// A publication.
    Publication(Arc<Publication>),
    /// Publications may be missing here. How many is unknown.
    Gap(Gap),
    /// All publications that the subscription asked for were delivered: those since a position, or the last ones. Live ones
    /// follow.
    Recovered {
        /// The number of publications that had been asked for, and were delivered before this.
        publications: usize,
    },
    /// The publications that the subscription asked for cannot be had. None of them was delivered. Live ones follow, or first
    /// the last ones that there are, if the subscription asked for [those](crate::Subscribe::last), too.
    Unrecoverable(Unrecoverable),
}

/// A place in a subscription where publications may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The cause.
    pub cause: GapCause,
}

impl From<GapCause> for Gap {
    fn from(cause: GapCause) -> Self {
        Self { cause }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "publications may be missing: {}", self.cause)
    }
}

/// The cause of a [`Gap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum GapCause {
    /// The connection to the broker was lost.
    BrokerLost,
    /// The broker was silent for longer than its heartbeat allows.
    BrokerSilent,
    /// The broker, or the client library of it, dropped publications because they were not read in time.
    BrokerOverflow,
    /// The broker ended the subscription.
    Unsubscribed,
    /// A publication arrived that does not follow the one before it.
    Missed,
    /// The stream was lost at the broker, and has begun anew.
    EpochChanged,
    /// The subscriber did not take publications in time.
    SlowSubscriber,
    /// The connection of a client to the server was lost, and the topic has no position to go on from. Only clients
    /// (feature `client`) tell it.
    Disconnected,
}

impl GapCause {
    /// All causes.
    pub(crate) const ALL: [Self; 7] = [
        Self::BrokerLost,
        Self::BrokerSilent,
        Self::BrokerOverflow,
        Self::Unsubscribed,
        Self::Missed,
        Self::EpochChanged,
        Self::SlowSubscriber,
    ];
}

impl fmt::Display for GapCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BrokerLost => "the connection to the broker was lost",
            Self::BrokerSilent => "the broker was silent",
            Self::BrokerOverflow => "the broker dropped publications that were not read in time",
            Self::Unsubscribed => "the broker ended the subscription",
            Self::Missed => "the broker left publications out",
            Self::EpochChanged => "the broker lost the topic's history, and began a new one",
            Self::SlowSubscriber => "the subscriber was too slow",
            Self::Disconnected => "the connection to the server was lost",
        })
    }
}

/// The reason why missed publications cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unrecoverable {
    /// The topic has no history.
    NoHistory,
    /// The position is one of another stream: the broker has lost that one.
    Epoch {
        /// The stream that there is now, if it is known.
        current: Option<Epoch>,
    },
    /// The history does not reach back to the position.
    Expired,
    /// More publications were missed than a recovery returns.
    TooMany,
    /// No publication of the stream has that offset: it lies in the future.
    Unknown,
    /// The broker did not answer.
    Unavailable,
}

impl fmt::Display for Unrecoverable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHistory => "the topic has no history",
            Self::Epoch { .. } => "the topic's history was lost since then",
            Self::Expired => "the topic's history does not reach back so far",
            Self::TooMany => "too many publications were missed",
            Self::Unknown => "the topic has no publication at that offset",
            Self::Unavailable => "the broker did not answer",
        })
    }
}
