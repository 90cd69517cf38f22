//! Settings of topics: [`TopicOptions`].

use std::time::Duration;

/// Settings of the topics whose names begin with a prefix ([`HubBuilder::topics`](crate::HubBuilder::topics)).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[must_use]
pub struct TopicOptions {
    pub(crate) history: Option<History>,
    pub(crate) slow: SlowPolicy,
    pub(crate) max_subscribers: Option<usize>,
}

impl TopicOptions {
    /// No history, [`SlowPolicy::Skip`], any number of subscribers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps publications, so that subscribers recover those that they missed: at most so many of each topic, and none older
    /// than `age`. At least one is kept.
    pub fn history(mut self, size: usize, age: Duration) -> Self {
        self.history = Some(History { size: size.max(1), age });
        self
    }

    /// What happens to a subscriber that does not take publications in time. Default [`SlowPolicy::Skip`].
    pub fn slow(mut self, policy: SlowPolicy) -> Self {
        self.slow = policy;
        self
    }

    /// Limits the subscribers of each topic at this instance. Default no limit.
    pub fn max_subscribers(mut self, subscribers: usize) -> Self {
        self.max_subscribers = Some(subscribers);
        self
    }
}

/// How much of a topic is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// Publications of each topic that are kept at most, and at least one.
    pub size: usize,
    /// Publications that are older are not kept.
    pub age: Duration,
}

/// What happens to a subscriber that does not take publications in time. No other subscriber is delayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowPolicy {
    /// It misses publications, and gets a [`Gap`](crate::Gap) before the next one that it takes.
    #[default]
    Skip,
    /// Its subscription ends. A connection is closed with [`RESUMABLE`]: the client connects again, and recovers what it missed.
    Close,
    /// It gets the newest publication of each key ([`Publication::key`](crate::Publication::key)) when it takes publications
    /// again. Publications without a key have one key in common. If there are more keys than the bound of the subscription
    /// allows, the oldest is dropped, and a [`Gap`](crate::Gap) tells it.
    Newest,
}

/// The close code 4008, for a connection that was too slow and may connect again.
pub const RESUMABLE: u16 = 4008;
