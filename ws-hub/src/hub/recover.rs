//! Reading history for a topic, and subscribing it at the backplane: in tasks of their own, one for each topic.

use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use crate::backplane::HistoryError;
use crate::catchup::Read;
use crate::entry::Entry;
use crate::publication::GapCause;
use crate::random;
use crate::stats::Counters;

/// Publications of one read.
const PAGE: usize = 1000;
/// A broker that does not answer in this time is asked again.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest delay between attempts.
const LONGEST: Duration = Duration::from_secs(5);

impl Inner {
    /// Reads the topic's history, if somebody there needs it, until nobody does.
    pub(super) fn recover(self: &Arc<Self>, entry: &Arc<Entry>) {
        let Some(read) = entry.begin_read() else { return };
        let (hub, entry) = (Arc::downgrade(self), Arc::clone(entry));
        let (clock, counters) = (self.clock.clone(), Arc::clone(&self.counters));
        self.clock.spawn(async move {
            let (mut next, mut attempt) = (Some(read), 0);
            while let Some(read) = next {
                let reading = match (hub.upgrade(), entry.options.history) {
                    (Some(hub), Some(history)) => hub.link().map(|link| match read {
                        Read::Since(since) => link.history(&entry.topic, &history, since, PAGE),
                        Read::Latest(count) => link.latest(&entry.topic, &history, count),
                    }),
                    _ => None,
                };
                let Some(reading) = reading else { return };
                Counters::add(&counters.history_reads, 1);
                let result = clock.within(TIMEOUT, reading).await.unwrap_or(Err(HistoryError::Unavailable));
                if matches!(result, Err(HistoryError::Unavailable)) {
                    attempt += 1;
                    clock.sleep(jitter(attempt)).await;
                } else {
                    attempt = 0;
                }
                entry.read(read, &result);
                next = entry.begin_read();
            }
        });
    }

    /// Subscribes the topic at the backplane.
    pub(super) fn attach(self: &Arc<Self>, entry: &Arc<Entry>) {
        let (hub, entry) = (Arc::downgrade(self), Arc::clone(entry));
        let clock = self.clock.clone();
        self.clock.spawn(async move {
            let mut attempt = 0;
            while !entry.is_removed() {
                let Some(subscribed) = hub.upgrade().and_then(|hub| {
                    hub.link().map(|link| link.subscribe(&entry.topic, entry.options.history.as_ref()))
                }) else {
                    return;
                };
                if let Some(Ok(top)) = clock.within(TIMEOUT, subscribed).await {
                    entry.attached(top);
                    // Those who subscribed meanwhile learn that they have heard nothing, and presence asks for the lists.
                    if attempt > 0 && entry.options.history.is_none() {
                        entry.missed(GapCause::BrokerLost);
                    }
                    if let Some(hub) = hub.upgrade() {
                        hub.recover(&entry);
                        hub.leave_if_removed(&entry);
                    }
                    return;
                }
                attempt += 1;
                clock.sleep(jitter(attempt)).await;
            }
        });
    }

    /// The topic has no subscribers: it is unsubscribed after a while, if it still has none.
    pub(crate) fn release(self: &Arc<Self>, entry: &Arc<Entry>) {
        if !entry.begin_lingering() {
            return;
        }
        let (hub, entry) = (Arc::downgrade(self), Arc::clone(entry));
        let (clock, linger) = (self.clock.clone(), self.settings.linger);
        self.clock.spawn(async move {
            // Again, if it had subscribers meanwhile and has lost them.
            while entry.lingers() {
                clock.sleep(linger).await;
            }
            let Some(hub) = hub.upgrade() else { return };
            if hub.table.remove(&entry) {
                hub.leave_if_removed(&entry);
            }
        });
    }

    /// Ends the subscription of an entry that is gone. If there is another one for the topic, its own may have been made before,
    /// and have ended with it: it is made again.
    fn leave_if_removed(self: &Arc<Self>, entry: &Arc<Entry>) {
        let Some(link) = self.link().filter(|_| entry.is_removed()) else { return };
        if self.table.get(entry.topic.as_str()).is_none() {
            link.unsubscribe(&entry.topic);
        }
        if let Some(next) = self.table.get(entry.topic.as_str()) {
            next.detached();
            self.attach(&next);
        }
    }
}

/// A random delay ("full jitter"), whose bound doubles with each attempt, so that many instances do not return at the same time.
fn jitter(attempt: u32) -> Duration {
    let bound = Duration::from_millis(100).saturating_mul(1 << attempt.min(10)).min(LONGEST);
    bound.mul_f64(random::u64() as f64 / u64::MAX as f64)
}
