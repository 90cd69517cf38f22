//! [`HubBuilder`]: settings of a hub.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tracing::warn;
use ws_session::Runtime;

use super::access::Guard;
use super::presence::Presences;
use super::table::Table;
use super::{Hub, Inner, TARGET};
use crate::backplane::Backplane;
use crate::catchup::Bounds;
use crate::clock::Clock;
use crate::inbound::{Arrivals, Inbound};
use crate::options::TopicOptions;
use crate::topic;

/// Settings of a [`Hub`]. [`start`](Self::start) starts it.
#[must_use]
pub struct HubBuilder {
    backplane: Box<dyn Backplane>,
    pub(super) settings: Settings,
}

pub(crate) struct Settings {
    /// Prefixes and their options.
    rules: Vec<(String, Arc<TopicOptions>)>,
    others: Arc<TopicOptions>,
    pub(super) publish_timeout: Duration,
    pub(super) subscribe_timeout: Duration,
    pub(super) linger: Duration,
    pub(crate) presence_grace: Duration,
    pub(super) heartbeat: Duration,
    pub(super) silence: Duration,
    pub(super) max_publication: usize,
    pub(super) recovery: Bounds,
    pub(super) guard: Option<Box<Guard>>,
}

impl HubBuilder {
    pub(super) fn new(backplane: impl Backplane) -> Self {
        let settings = Settings {
            rules: Vec::new(),
            others: Arc::default(),
            publish_timeout: Duration::from_secs(5),
            subscribe_timeout: Duration::from_secs(5),
            linger: Duration::from_secs(5),
            presence_grace: Duration::from_secs(15),
            heartbeat: Duration::from_secs(3),
            silence: Duration::from_secs(10),
            max_publication: 1 << 20,
            recovery: Bounds { publications: 10_000, bytes: 16 << 20 },
            guard: None,
        };
        Self { backplane: Box::new(backplane), settings }
    }

    /// Sets what carries publications to other instances. Default [`Memory`](crate::Memory): there are none.
    pub fn backplane(mut self, backplane: impl Backplane) -> Self {
        self.backplane = Box::new(backplane);
        self
    }

    /// Sets the options of the topics whose names begin with a prefix. The longest prefix counts. All instances must have the
    /// same. On a backplane without [recovery](crate::Promises::recovery), no topic has history.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ws_hub::{Hub, SlowPolicy, TopicOptions};
    /// let builder = Hub::builder()
    ///     .topics("chat/", TopicOptions::new().history(100, Duration::from_secs(3600)))
    ///     .topics("prices/", TopicOptions::new().slow(SlowPolicy::Newest));
    /// ```
    pub fn topics(mut self, prefix: impl Into<String>, options: TopicOptions) -> Self {
        let prefix = prefix.into();
        self.settings.rules.retain(|(other, _)| *other != prefix);
        self.settings.rules.push((prefix, Arc::new(options)));
        self
    }

    /// Sets the time within which the broker must accept a publication. Default 5 s. After that it is
    /// [unknown](crate::PublishError::Unknown) whether it was published.
    pub fn publish_timeout(mut self, time: Duration) -> Self {
        self.settings.publish_timeout = time;
        self
    }

    /// Sets the time for which a new subscription waits until the topic is subscribed at the broker. Default 5 s. After that the
    /// subscription stands without it, and a [`Gap`](crate::Gap) comes first.
    pub fn subscribe_timeout(mut self, time: Duration) -> Self {
        self.settings.subscribe_timeout = time;
        self
    }

    /// Sets the time after its last subscriber for which a topic stays subscribed at the broker. Default 5 s, so that clients
    /// that connect again cost the broker nothing.
    pub fn linger(mut self, time: Duration) -> Self {
        self.settings.linger = time;
        self
    }

    /// Sets the interval at which the hub publishes a heartbeat to itself through the broker, and the time without one after which
    /// the broker is taken for silent ([`GapCause::BrokerSilent`](crate::GapCause::BrokerSilent)). Default 3 s and 10 s. No
    /// client library notices a frozen broker by itself in less than minutes. Without a broker there is none.
    pub fn heartbeat(mut self, interval: Duration, silence: Duration) -> Self {
        (self.settings.heartbeat, self.settings.silence) = (interval, silence);
        self
    }

    /// Sets the time for which a member stays after its last connection is gone, so that the reload of a page is no leave.
    /// Default 15 s.
    pub fn presence_grace(mut self, time: Duration) -> Self {
        self.settings.presence_grace = time;
        self
    }

    /// Limits the payload of a publication, in bytes. Default 1 MiB. A larger one is [refused](crate::Refusal::TooLarge).
    pub fn max_publication(mut self, bytes: usize) -> Self {
        self.settings.max_publication = bytes;
        self
    }

    /// Limits what a recovery returns: publications, and their bytes with about 128 for each beside the payload. Default 10,000
    /// and 16 MiB. A subscriber that missed more gets [`Unrecoverable::TooMany`](crate::Unrecoverable::TooMany).
    pub fn max_recovery(mut self, publications: usize, bytes: usize) -> Self {
        self.settings.recovery = Bounds { publications, bytes };
        self
    }

    /// Starts the hub, on a runtime: `start::<ws_tokio::Tokio>()`.
    ///
    /// # Panics
    ///
    /// On tokio, if it is not called within the runtime.
    pub fn start<R: Runtime>(self) -> Hub {
        let clock = Clock::new::<R>();
        let (mut settings, promises) = (self.settings, self.backplane.promises());
        if promises.recovery.is_none() {
            settings.forget_history(promises.name);
        }
        let inner = Arc::new(Inner {
            settings,
            clock: clock.clone(),
            table: Table::new(),
            counters: Arc::default(),
            #[cfg(feature = "metrics")]
            recorded: Arc::default(),
            presences: Presences::default(),
            promises,
            reach: Mutex::default(),
            link: OnceLock::new(),
        });
        let hub: Arc<dyn Arrivals> = inner.clone();
        let inbound = Inbound::new(Arc::downgrade(&hub), clock, inner.settings.max_publication);
        let link = self.backplane.open(inbound);
        inner.link.get_or_init(|| link);
        if inner.promises.many_instances {
            inner.watch_heartbeat();
        }
        Hub { inner, identity: None }
    }
}

impl Settings {
    /// No topic has history.
    fn forget_history(&mut self, backplane: &str) {
        for options in self.rules.iter_mut().map(|(_, options)| options).chain([&mut self.others]) {
            if Arc::make_mut(options).history.take().is_some() {
                warn!(target: TARGET, "the backplane {backplane} has no history, so topics that were to have some have none");
            }
        }
    }

    /// The options of a topic. A prefix, such as that of all names, is none of the hub's own topics.
    pub(super) fn options(&self, topic: &str) -> &Arc<TopicOptions> {
        let is_own = topic.starts_with(topic::OWN);
        let rules = self.rules.iter().filter(|(prefix, _)| !is_own && topic.starts_with(prefix.as_str()));
        rules.max_by_key(|(prefix, _)| prefix.len()).map_or(&self.others, |(_, options)| options)
    }
}
