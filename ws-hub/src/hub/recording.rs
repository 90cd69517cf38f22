//! The counters of a hub for the [`metrics`] facade.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ws_session::Metric;

use super::{Hub, Inner};
use crate::stats::HubStats;

impl Hub {
    /// Passes the counters of [`stats`](Self::stats) to the recorder of the `metrics` facade: the differences to the last call.
    /// Call it before each export, or use [`record_metrics_every`](Self::record_metrics_every). Install the recorder before the
    /// first call. For Prometheus, [`HubStats::to_prometheus`](crate::HubStats::to_prometheus) needs neither the facade nor a
    /// recorder.
    ///
    /// The names follow OpenTelemetry's conventions. Several hubs of one program add up. No label names a topic.
    ///
    /// | name | kind | labels | meaning |
    /// | --- | --- | --- | --- |
    /// | `websocket.hub.topics.active` | gauge | | topics with subscribers |
    /// | `websocket.hub.subscriptions.active` | gauge | | subscribers of all topics |
    /// | `websocket.hub.members.active` | gauge | | members with a connection at this instance |
    /// | `websocket.hub.publications` | counter | `outcome` (`accepted`, `refused`, `unknown`) | publications of this instance |
    /// | `websocket.hub.publications.io` | counter, bytes | | bytes of accepted publications |
    /// | `websocket.hub.deliveries` | counter | | publications that subscribers took |
    /// | `websocket.hub.deliveries.io` | counter, bytes | | bytes of those |
    /// | `websocket.hub.skipped` | counter | | publications that slow subscribers did not take |
    /// | `websocket.hub.closed` | counter | | subscriptions that ended as too slow |
    /// | `websocket.hub.gaps` | counter | `cause` ([`GapCause`](crate::GapCause)) | gaps that subscribers were told |
    /// | `websocket.hub.recoveries` | counter | `outcome` (`recovered`, or an [`Unrecoverable`](crate::Unrecoverable)) | subscriptions with earlier publications |
    /// | `websocket.hub.recovered` | counter | | earlier publications that those got |
    /// | `websocket.hub.broker.lost` | counter | | times that the broker was lost |
    /// | `websocket.hub.broker.restored` | counter | | times that it was reached again |
    /// | `websocket.hub.history.reads` | counter | | reads of history at the broker |
    pub fn record_metrics(&self) {
        record_since(&self.inner.recorded, || self.stats());
    }

    /// Calls [`record_metrics`](Self::record_metrics) now and after each interval, until the last handle of the hub is dropped.
    /// Spawn it as a task. It is called once more then. An interval shorter than 10 ms counts as 10 ms.
    pub fn record_metrics_every(&self, interval: Duration) -> impl Future<Output = ()> + Send + 'static {
        let (hub, clock) = (Arc::downgrade(&self.inner), self.clock());
        let (recorded, counters) = (Arc::clone(&self.inner.recorded), Arc::clone(&self.inner.counters));
        let interval = interval.max(Duration::from_millis(10));
        async move {
            while let Some(inner) = hub.upgrade() {
                record_once(inner);
                clock.sleep(interval).await;
            }
            record_since(&recorded, || counters.stats());
        }
    }
}

fn record_once(inner: Arc<Inner>) {
    Hub { inner, identity: None }.record_metrics();
}

/// Records the differences to what was recorded last.
fn record_since(recorded: &Mutex<HubStats>, stats: impl FnOnce() -> HubStats) {
    let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
    let now = stats();
    let before = std::mem::replace(&mut *recorded, now.clone());
    Metric::record(&before.metrics(), &now.metrics());
}
