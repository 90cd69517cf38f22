//! [`Inbound`]: where a backplane hands over what arrives.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ws_session::Timestamp;

use crate::clock::Clock;
use crate::publication::{GapCause, Publication};

/// What becomes of that which arrives.
pub(crate) trait Arrivals: Send + Sync {
    fn arrived(self: Arc<Self>, publication: &Arc<Publication>);
    fn lost(self: Arc<Self>, cause: GapCause);
    fn restored(self: Arc<Self>);
    fn missed(self: Arc<Self>, topic: Option<&str>, cause: GapCause);
}

/// Where the link of a backplane hands over what arrives for a hub, in order. Cheap to clone. It does not keep the hub.
#[derive(Clone)]
pub struct Inbound {
    hub: Weak<dyn Arrivals>,
    clock: Clock,
    max_publication: usize,
}

impl Inbound {
    pub(crate) fn new(hub: Weak<dyn Arrivals>, clock: Clock, max_publication: usize) -> Self {
        Self { hub, clock, max_publication }
    }

    /// A publication arrived, on a topic that is subscribed. Publications of one topic must be handed over in their order.
    pub fn publication(&self, publication: &Arc<Publication>) {
        if let Some(hub) = self.hub.upgrade() {
            hub.arrived(publication);
        }
    }

    /// The broker cannot be reached any more: publications may be missing on all topics, until [`restored`](Self::restored).
    pub fn lost(&self, cause: GapCause) {
        if let Some(hub) = self.hub.upgrade() {
            hub.lost(cause);
        }
    }

    /// The broker can be reached again, and all subscriptions stand.
    pub fn restored(&self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.restored();
        }
    }

    /// Publications may be missing here: on this topic, or on all.
    pub fn missed(&self, topic: Option<&str>, cause: GapCause) {
        if let Some(hub) = self.hub.upgrade() {
            hub.missed(topic, cause);
        }
    }

    /// The largest payload of a publication, in bytes ([`HubBuilder::max_publication`](crate::HubBuilder::max_publication)).
    pub fn max_publication(&self) -> usize {
        self.max_publication
    }

    /// Whether the hub is gone.
    pub fn is_closed(&self) -> bool {
        self.hub.strong_count() == 0
    }

    /// Spawns a task on the hub's runtime.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.clock.spawn(task);
    }

    /// The time since the hub was started.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A future that is ready after this time.
    pub fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send + 'static {
        self.clock.sleep(time)
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }
}

/// Two are equal if they are of the same hub.
impl PartialEq for Inbound {
    fn eq(&self, other: &Self) -> bool {
        self.hub.ptr_eq(&other.hub)
    }
}

impl Eq for Inbound {}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("is_closed", &self.is_closed()).finish()
    }
}
