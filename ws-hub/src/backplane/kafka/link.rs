//! [`KafkaLink`]: the topics of a hub on the partitions of a Kafka topic.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};
use tracing::{debug, error, warn};

use super::TARGET;
use super::growth::Growth;
use super::hash;
use super::health::Health;
use super::history;
use super::lane::Lane;
use super::queue::Item;
use super::settings::Settings;
use super::supervise::{CHECK, Connection};
use crate::backplane::background::Background;
use crate::backplane::{BoxFuture, Doubt, HistoryError, Link, Outgoing, Page, PublishError, Refusal, Unavailable};
use crate::inbound::Inbound;
use crate::options::History;
use crate::position::Position;
use crate::publication::{GapCause, Unrecoverable};
use crate::random;
use crate::topic::Topic;

pub(super) struct KafkaLink {
    shared: Arc<Shared>,
}

/// What the tasks of a link have in common.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) inbound: Inbound,
    /// `None` if there is no thread for it.
    background: Option<Background>,
    publisher: u64,
    published: AtomicU64,
    routes: Mutex<Routes>,
    /// The number of partitions, when it is known.
    partitions: watch::Sender<Option<i32>>,
    pub(super) connection: tokio::sync::Mutex<Connection>,
    pub(super) health: Health,
    resets: watch::Sender<()>,
    closed: watch::Sender<bool>,
    growth: Mutex<Option<Growth>>,
}

#[derive(Default)]
struct Routes {
    partitions: Option<i32>,
    lanes: HashMap<i32, Arc<Lane>>,
    /// The topics that are subscribed, and whether they have history.
    topics: HashMap<Topic, bool>,
}

impl KafkaLink {
    pub(super) fn open(settings: Settings, inbound: Inbound) -> Self {
        let background = Background::new().inspect_err(|error| {
            error!(target: TARGET, "no thread for Kafka: {error}");
            inbound.lost(GapCause::BrokerLost);
        });
        let shared = Arc::new(Shared {
            settings,
            inbound,
            background: background.ok(),
            publisher: random::u64(),
            published: AtomicU64::new(0),
            routes: Mutex::default(),
            partitions: watch::Sender::new(None),
            connection: tokio::sync::Mutex::default(),
            health: Health::default(),
            resets: watch::Sender::new(()),
            closed: watch::Sender::new(false),
            growth: Mutex::default(),
        });
        shared.spawn(Arc::clone(&shared).supervise());
        Self { shared }
    }

    /// Runs a read of history, when the topic's partition is connected.
    fn read<F>(
        &self,
        topic: &Topic,
        read: impl FnOnce(Arc<rskafka::client::partition::PartitionClient>, super::record::Stamp, Topic) -> F
        + Send
        + 'static,
    ) -> BoxFuture<'static, Result<Page, HistoryError>>
    where
        F: Future<Output = Result<Page, HistoryError>> + Send + 'static,
    {
        let (shared, topic) = (Arc::clone(&self.shared), topic.clone());
        Box::pin(async move {
            let lane = shared.routed(&topic).await.ok_or(HistoryError::Unavailable)?;
            let (client, known) = lane.connected().await.ok_or(HistoryError::Unavailable)?;
            let background = shared.background.as_ref().ok_or(HistoryError::Unavailable)?;
            background.run(read(client, known.stamp, topic)).await.unwrap_or(Err(HistoryError::Unavailable))
        })
    }
}

impl Drop for KafkaLink {
    fn drop(&mut self) {
        self.shared.closed.send_replace(true);
    }
}

impl Link for KafkaLink {
    fn publish(&self, topic: &Topic, outgoing: Outgoing) -> BoxFuture<'static, Result<Option<Position>, PublishError>> {
        let unsupported =
            [("after", outgoing.after.is_some()), ("idempotency_key", outgoing.idempotency_key.is_some())];
        if let Some((feature, _)) = unsupported.into_iter().find(|(_, is_used)| *is_used) {
            return Box::pin(std::future::ready(Err(PublishError::Refused(Refusal::Unsupported(feature)))));
        }
        let has_history = outgoing.history.is_some();
        let (reply, result) = oneshot::channel();
        let item = Item { topic: topic.clone(), outgoing, reply };
        // At once, so that the order of publications is that of the calls.
        let later = match self.shared.lane(topic) {
            Some(lane) => {
                lane.queue.push(item);
                None
            }
            None => Some(item),
        };
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            if let Some(item) = later {
                if shared.background.is_none() || shared.health.is_down() {
                    return Err(PublishError::Refused(Refusal::Unavailable { locally: 0 }));
                }
                let lane = shared.routed(&item.topic).await;
                let lane = lane.ok_or(PublishError::Refused(Refusal::Unavailable { locally: 0 }))?;
                lane.queue.push(item);
            }
            match result.await {
                Ok(result) => result.map(|position| has_history.then_some(position)),
                Err(_) => Err(PublishError::Unknown(Doubt::ConnectionLost)),
            }
        })
    }

    fn subscribe(
        &self,
        topic: &Topic,
        history: Option<&History>,
    ) -> BoxFuture<'static, Result<Option<Position>, Unavailable>> {
        let has_history = history.is_some();
        self.shared.lock_routes().topics.insert(topic.clone(), has_history);
        if let Some(lane) = self.shared.lane(topic) {
            lane.attach(topic, has_history);
        }
        let (shared, topic) = (Arc::clone(&self.shared), topic.clone());
        Box::pin(async move {
            let lane = shared.routed(&topic).await.ok_or(Unavailable)?;
            lane.connected().await.ok_or(Unavailable)?;
            let place = lane.chain().place(topic.as_str()).ok_or(Unavailable)?;
            Ok(has_history.then_some(place))
        })
    }

    fn unsubscribe(&self, topic: &Topic) {
        self.shared.lock_routes().topics.remove(topic);
        if let Some(lane) = self.shared.lane_if_there(topic) {
            lane.chain().detach(topic.as_str());
        }
    }

    fn reset(&self) {
        debug!(target: TARGET, "connecting to Kafka again");
        self.shared.resets.send_replace(());
    }

    fn history(
        &self,
        topic: &Topic,
        _: &History,
        since: Position,
        limit: usize,
    ) -> BoxFuture<'static, Result<Page, HistoryError>> {
        let is_in_doubt = self.shared.is_in_doubt(topic, since.offset);
        self.read(topic, move |client, stamp, topic| async move {
            match history::since(&*client, stamp, &topic, since, limit).await {
                Ok(page) if is_in_doubt => Err(HistoryError::Unrecoverable {
                    reason: Unrecoverable::Expired,
                    top: Some(page.until.unwrap_or(since)),
                }),
                read => read,
            }
        })
    }

    fn latest(&self, topic: &Topic, history: &History, limit: usize) -> BoxFuture<'static, Result<Page, HistoryError>> {
        let history = *history;
        self.read(topic, move |client, stamp, topic| async move {
            history::latest(&*client, stamp, &topic, &history, limit).await
        })
    }
}

impl Shared {
    fn lock_routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn inbound(&self) -> &Inbound {
        &self.inbound
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Names a publication.
    pub(super) fn new_id(&self) -> String {
        format!("{:016x}:{}", self.publisher, self.published.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    pub(super) fn resets(&self) -> watch::Receiver<()> {
        self.resets.subscribe()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(background) = &self.background {
            background.spawn(task);
        }
    }

    /// The partition of a topic, which is read from now on, if the number of partitions is known.
    fn lane(self: &Arc<Self>, topic: &Topic) -> Option<Arc<Lane>> {
        let mut routes = self.lock_routes();
        let partition = hash::partition(topic.as_str(), routes.partitions?);
        let lane = routes.lanes.entry(partition).or_insert_with(|| self.new_lane(partition));
        // Under the lock, so that it is not retired now.
        lane.touch(self.inbound.now());
        Some(Arc::clone(lane))
    }

    fn new_lane(self: &Arc<Self>, partition: i32) -> Arc<Lane> {
        let lane = Arc::new(Lane::new(partition, self.inbound.now()));
        self.spawn(Arc::clone(&lane).run(Arc::clone(self)));
        lane
    }

    fn lane_if_there(&self, topic: &Topic) -> Option<Arc<Lane>> {
        let routes = self.lock_routes();
        routes.lanes.get(&hash::partition(topic.as_str(), routes.partitions?)).map(Arc::clone)
    }

    /// The partition of a topic, when the number of partitions is known.
    async fn routed(self: &Arc<Self>, topic: &Topic) -> Option<Arc<Lane>> {
        // Without a thread, it never is.
        self.background.as_ref()?;
        let mut partitions = self.partitions.subscribe();
        partitions.wait_for(Option::is_some).await.ok()?;
        self.lane(topic)
    }

    /// Gives a partition up, if nobody needs it.
    pub(super) fn retire(&self, lane: &Arc<Lane>) -> bool {
        let mut routes = self.lock_routes();
        let is_idle = lane.is_idle(self.inbound.now());
        if is_idle {
            routes.lanes.remove(&lane.partition);
        }
        is_idle
    }

    /// The number of partitions is known. If it has changed, topics have moved.
    pub(super) fn route(self: &Arc<Self>, partitions: i32) {
        let mut moved = Vec::new();
        let before = {
            let routes = &mut *self.lock_routes();
            let before = routes.partitions.replace(partitions);
            if before == Some(partitions) {
                return;
            }
            for (topic, has_history) in &routes.topics {
                let partition = hash::partition(topic.as_str(), partitions);
                let old = before.map(|before| hash::partition(topic.as_str(), before));
                if old == Some(partition) {
                    continue;
                }
                if let Some(lane) = old.and_then(|old| routes.lanes.get(&old)) {
                    lane.chain().detach(topic.as_str());
                    moved.push(topic.clone());
                }
                routes.lanes.entry(partition).or_insert_with(|| self.new_lane(partition)).attach(topic, *has_history);
            }
            before
        };
        self.partitions.send_replace(Some(partitions));
        if let Some(before) = before {
            warn!(target: TARGET, before, partitions, "Kafka's partitions have changed: topics have moved");
            self.spawn(Arc::clone(self).settle(before, partitions));
        }
        moved.iter().for_each(|topic| self.inbound.missed(Some(topic.as_str()), GapCause::EpochChanged));
    }

    /// Waits until all instances know the number of partitions, and tells that publications may be missing until then.
    async fn settle(self: Arc<Self>, before: i32, partitions: i32) {
        let mut closed = self.closed();
        tokio::select! {
            () = tokio::time::sleep(2 * CHECK) => {}
            _ = closed.wait_for(|is_closed| *is_closed) => return,
        }
        let moved: Vec<_> = {
            let routes = self.lock_routes();
            let places = routes.lanes.iter().map(|(partition, lane)| (*partition, lane.chain().next().unsigned_abs()));
            let growth = Growth::new(before, partitions, places.collect());
            *self.lock_growth() = Some(growth);
            let topics = routes.topics.keys();
            topics.filter(|topic| Growth::of(topic.as_str(), before, partitions).is_some()).cloned().collect()
        };
        moved.iter().for_each(|topic| self.inbound.missed(Some(topic.as_str()), GapCause::Missed));
    }

    fn lock_growth(&self) -> MutexGuard<'_, Option<Growth>> {
        self.growth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_in_doubt(&self, topic: &Topic, place: u64) -> bool {
        self.lock_growth().as_ref().is_some_and(|growth| growth.is_in_doubt(topic.as_str(), place))
    }
}
