//! [`Hub`]: topics of one instance, and their way to the others.

mod access;
mod builder;
mod heartbeat;
mod latest;
mod membership;
mod presence;
mod publish;
#[cfg(feature = "metrics")]
mod recording;
mod recover;
mod subscribe;
mod subscription;
mod table;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::debug;
use ws_session::Timestamp;

use self::access::Identity;
pub use self::access::{Access, Action};
pub use self::builder::HubBuilder;
use self::builder::Settings;
pub use self::latest::ReadError;
pub use self::membership::Membership;
use self::presence::Presences;
pub use self::presence::{Joined, PresenceError, PresenceWatch, TopicPresence};
pub use self::publish::Publish;
pub use self::subscribe::{Subscribe, SubscribeError};
pub use self::subscription::Subscription;
use self::table::Table;
use crate::backplane::{Link, Memory, Promises};
#[cfg(feature = "protocol")]
use crate::catchup::Bounds;
use crate::clock::Clock;
use crate::entry::Entry;
use crate::inbound::Arrivals;
#[cfg(feature = "protocol")]
use crate::options::SlowPolicy;
use crate::publication::{GapCause, Publication};
use crate::stats::{Counters, HubStats};

/// The target of all log events.
const TARGET: &str = "ws_hub";

/// Topics that connections subscribe and publish on, at one instance or at many. Cheap to clone.
///
/// ```
/// # use ws_hub::{Delivery, Hub};
/// # use ws_session::Runtime;
/// # async fn f<R: Runtime>() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::builder().start::<R>();
/// let mut news = hub.subscribe("news").await?;
/// hub.publish("news", "Hello").await?;
/// if let Some(Delivery::Publication(publication)) = news.next().await {
///     println!("{:?}", publication.message);
/// }
/// # Ok(())
/// # }
/// ```
///
/// The tasks of a hub end when its last handle is dropped, [`Membership`]s and [`Subscription`](crate::Subscription)s among them.
#[derive(Clone)]
pub struct Hub {
    pub(crate) inner: Arc<Inner>,
    identity: Identity,
}

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    table: Table,
    counters: Arc<Counters>,
    /// What was passed to the `metrics` facade.
    #[cfg(feature = "metrics")]
    recorded: Arc<Mutex<HubStats>>,
    presences: Presences,
    promises: Promises,
    /// Locked while entries change with it, or are made.
    reach: Mutex<Reach>,
    /// Set once, by [`HubBuilder::start`].
    link: OnceLock<Box<dyn Link>>,
}

/// Why the broker cannot be reached.
#[derive(Default)]
struct Reach {
    /// The link says so.
    link: Option<GapCause>,
    /// The heartbeat is missing.
    is_silent: bool,
    /// When the link said last that the broker is reached again. The heartbeat cannot have come before.
    restored: Timestamp,
}

impl Reach {
    fn lost(&self) -> Option<GapCause> {
        self.link.or(self.is_silent.then_some(GapCause::BrokerSilent))
    }
}

impl Hub {
    /// Settings of a hub: in memory, until [`HubBuilder::backplane`] says otherwise.
    pub fn builder() -> HubBuilder {
        HubBuilder::new(Memory::new())
    }

    /// What its backplane promises.
    pub fn promises(&self) -> Promises {
        self.inner.promises
    }

    /// Why the broker cannot be reached now; `None` if it can, or if there is none. For a health check, or for words to users:
    /// subscribers get a [`Gap`](crate::Gap) in any case.
    pub fn outage(&self) -> Option<GapCause> {
        self.inner.lock_reach().lost()
    }

    /// The number of subscribers of a topic at this instance.
    pub fn subscribers(&self, topic: &str) -> usize {
        self.inner.table.get(topic).map_or(0, |entry| entry.subscribers())
    }

    /// Its counters, and the numbers of what there is now. Counting is always on.
    pub fn stats(&self) -> HubStats {
        let mut stats = HubStats { members: self.inner.presences.own_members(), ..self.inner.counters.stats() };
        self.inner.table.for_each(|entry| {
            if !entry.topic.is_own() {
                stats.topics += 1;
                stats.subscribers += entry.subscribers();
            }
        });
        stats
    }

    /// What happens to a slow subscriber of a topic.
    #[cfg(feature = "protocol")]
    pub(crate) fn slow_policy(&self, topic: &str) -> SlowPolicy {
        self.inner.settings.options(topic).slow
    }

    /// What a recovery returns at most.
    #[cfg(feature = "protocol")]
    pub(crate) fn recovery(&self) -> Bounds {
        self.inner.settings.recovery
    }

    pub(crate) fn clock(&self) -> Clock {
        self.inner.clock.clone()
    }

    /// The number of topics that this instance is subscribed to at the backplane.
    pub fn topics(&self) -> usize {
        self.inner.table.len()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("backplane", &self.inner.promises.name).field("topics", &self.topics()).finish()
    }
}

impl Arrivals for Inner {
    fn arrived(self: Arc<Self>, publication: &Arc<Publication>) {
        if let Some(entry) = self.table.get(publication.topic.as_str()) {
            entry.arrived(publication);
            self.recover(&entry);
        }
    }

    fn lost(self: Arc<Self>, cause: GapCause) {
        self.reach(|reach| reach.link = Some(cause));
    }

    fn restored(self: Arc<Self>) {
        let now = self.clock.now();
        self.reach(|reach| *reach = Reach { link: None, is_silent: false, restored: now });
    }

    fn missed(self: Arc<Self>, topic: Option<&str>, cause: GapCause) {
        let missed = |entry: &Arc<Entry>| {
            entry.missed(cause);
            self.recover(entry);
        };
        match topic {
            Some(topic) => self.table.get(topic).iter().for_each(missed),
            None => self.table.for_each(missed),
        }
    }
}

impl Inner {
    /// Tells the topics, if the broker is lost now, or is reached again.
    fn reach(self: &Arc<Self>, change: impl FnOnce(&mut Reach)) {
        let mut reach = self.lock_reach();
        let (was_lost, link) = (reach.lost().is_some(), reach.link);
        change(&mut reach);
        match reach.lost() {
            Some(cause) if !was_lost => {
                debug!(target: TARGET, "{cause}");
                Counters::add(&self.counters.broker_lost, 1);
                self.table.for_each(|entry| entry.lost(cause));
            }
            // It is silent, and the connection has broken or stands again meanwhile: what has come since the silence began does
            // not follow what came before.
            Some(cause) if reach.link != link => self.table.for_each(|entry| entry.lost(cause)),
            None if was_lost => {
                debug!(target: TARGET, "the broker is reached again");
                Counters::add(&self.counters.broker_restored, 1);
                self.table.for_each(|entry| {
                    entry.restored();
                    self.recover(entry);
                });
            }
            _ => {}
        }
    }

    fn lock_reach(&self) -> MutexGuard<'_, Reach> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn link(&self) -> Option<&dyn Link> {
        self.link.get().map(|link| &**link)
    }
}
