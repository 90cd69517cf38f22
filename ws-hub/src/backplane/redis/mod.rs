//! [`Redis`]: the backplane of Redis and Valkey.

mod connect;
mod link;
mod outbox;
mod publish;
mod scripts;
mod session;
mod settings;
mod supervise;
mod wire;

use std::fmt;
use std::time::Duration;

use self::link::RedisLink;
pub use self::settings::InvalidRedisUrl;
use self::settings::Settings;
use super::{Backplane, Link, Order, Promises, Recovery};
use crate::inbound::Inbound;

/// The target of all log events.
const TARGET: &str = "ws_hub";

/// The backplane of Redis 7.0 or newer, and Valkey.
///
/// ```no_run
/// # use std::time::Duration;
/// # use ws_hub::{Hub, Redis, TopicOptions};
/// # fn f<R: ws_session::Runtime>() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::builder()
///     .backplane(Redis::new("redis://127.0.0.1:6379")?)
///     .topics("chat/", TopicOptions::new().history(1000, Duration::from_secs(3600)))
///     .start::<R>();
/// # Ok(())
/// # }
/// ```
///
/// A hub has two connections: one for its subscriptions, and one for everything else. If one of them breaks, both are made again,
/// without limit, after a random delay of at most 5 s. With Sentinels, a failover is noticed by asking them.
///
/// Redis Cluster is not supported. A hub that finds one says so in the log, and stays without a broker.
///
/// # What is stored
///
/// | name | what it is |
/// | --- | --- |
/// | `ws-hub:0:TOPIC` | the channel of a topic; 0 is the number of the database |
/// | `ws-hub:stream:TOPIC` | the stream of a topic with history |
/// | `ws-hub:once:LENGTH:TOPIC:KEY` | the ID of the publication with an idempotency key, as long as the history's age |
///
/// A topic is in them as it is: Redis has no rule for names. [`prefix`](Self::prefix) replaces `ws-hub`.
///
/// A program without a hub publishes on a topic without history with `PUBLISH ws-hub:0:news` and a line before the payload:
/// `w1 t -` and a line feed for text, `w1 b -` for binary. What has another form is not delivered: subscribers get a
/// gap, and the log tells it. Only hubs may publish on the channels of topics with history: a place that is forged there is believed.
///
/// An entry of a stream has the fields `e` (epoch), `p` (ID of the entry before it), `h` (kind and length of the key) and `b` (key
/// and payload). An offset is the ID of an entry: its milliseconds times 2^22, and its sequence number. A script adds the entry
/// and publishes it with its ID and the one before, so that all subscribers see whether one is missing. If the broker's clock
/// goes back, the IDs go on from the last one.
///
/// # Epochs
///
/// The epoch is a random number in the entries themselves. It changes when the stream is lost: with `FLUSHALL`, a restart
/// without data, eviction, or 7 days after the last publication was too old. A stream of a topic that has no publication yet stays for an
/// hour after it was subscribed last. After a failover to a replica that lacks the last
/// entries, a position in the lost part is found nowhere, and is [`Unknown`](crate::Unrecoverable::Unknown) or
/// [`Expired`](crate::Unrecoverable::Expired): IDs have a random part, so that no new entry has the ID of a lost one.
#[derive(Clone)]
pub struct Redis {
    settings: Settings,
}

impl Redis {
    /// The broker at a URL: `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`; `rediss://` with TLS and the feature `redis-tls`;
    /// `redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/SERVICE[/DATABASE]` for the master that Sentinels name.
    ///
    /// # Errors
    ///
    /// If it is not such a URL. The broker is not asked: while it cannot be reached, the hub goes on without it.
    pub fn new(url: &str) -> Result<Self, InvalidRedisUrl> {
        Ok(Self { settings: Settings::parse(url)? })
    }

    /// Sets what the names of channels and keys begin with. Default `ws-hub`. Hubs with different prefixes do not know of each
    /// other.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// Sets the password of the Sentinels. Default none. That in the URL is the broker's.
    #[must_use]
    pub fn sentinel_password(mut self, password: impl Into<String>) -> Self {
        if let Some(sentinels) = &mut self.settings.sentinels {
            sentinels.password = Some(password.into());
        }
        self
    }

    /// Sets the time within which a connection must be made, and answered when it is checked. Default 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.settings.connect_timeout = time;
        self
    }

    /// Sets the interval at which the connections are checked: whether the broker answers, is still a master, and is still the one
    /// that the Sentinels name. Default 2 s.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.settings.ping = interval;
        self
    }
}

impl Backplane for Redis {
    fn promises(&self) -> Promises {
        Promises {
            order: Order::PerTopic,
            recovery: Some(Recovery::Broker),
            many_instances: true,
            conditional: true,
            idempotent: true,
            ..Promises::new("redis")
        }
    }

    fn open(&self, inbound: Inbound) -> Box<dyn Link> {
        Box::new(RedisLink::new(self.settings.clone(), inbound))
    }
}

/// Without credentials.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}
