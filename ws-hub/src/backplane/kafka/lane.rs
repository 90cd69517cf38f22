//! [`Lane`]: a partition that an instance reads, and publishes on.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rskafka::client::partition::PartitionClient;
use rskafka::record::RecordAndOffset;
use tokio::sync::watch;
use tracing::{debug, warn};
use ws_session::Timestamp;

use super::TARGET;
use super::chain::{Chain, Known, Taken};
use super::cluster::Cluster;
use super::failure::Failure;
use super::link::Shared;
use super::log::Log;
use super::queue::{Item, Queue};
use super::record::{self, place};
use super::stream::{Found, establish, find, holds};
use crate::publication::GapCause;
use crate::topic::Topic;

/// The time for which a broker keeps a read that finds nothing.
const WAIT: Duration = Duration::from_millis(500);
/// The time for which a partition without topics is read after the last publication on it.
const IDLE: Duration = Duration::from_secs(60);

pub(super) struct Lane {
    pub(super) partition: i32,
    chain: Mutex<Chain>,
    pub(super) queue: Queue,
    /// For history and publications, while it is connected.
    client: watch::Sender<Option<Arc<PartitionClient>>>,
    used: Mutex<Timestamp>,
}

impl Lane {
    pub(super) fn new(partition: i32, now: Timestamp) -> Self {
        Self {
            partition,
            chain: Mutex::default(),
            queue: Queue::default(),
            client: watch::Sender::new(None),
            used: Mutex::new(now),
        }
    }

    pub(super) fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) -> MutexGuard<'_, Timestamp> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn touch(&self, now: Timestamp) {
        *self.used() = now;
    }

    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        self.chain().is_empty() && now.saturating_since(*self.used()) >= IDLE
    }

    /// Waits until it is connected. What it has read is known then.
    pub(super) async fn connected(&self) -> Option<(Arc<PartitionClient>, Known)> {
        let mut client = self.client.subscribe();
        let client = client.wait_for(Option::is_some).await.ok()?.clone()?;
        let known = self.chain().known()?;
        Some((client, known))
    }

    /// Reads the partition until nobody needs it.
    pub(super) async fn run(self: Arc<Self>, shared: Arc<Shared>) {
        let mut attempt = 0;
        let (mut closed, mut reset) = (shared.closed(), shared.resets());
        loop {
            let mut cluster = None;
            reset.mark_unchanged();
            let result = tokio::select! {
                result = self.session(&shared, &mut cluster, &mut attempt) => result.map(|never| match never {}),
                _ = reset.changed() => Err(Failure::TimedOut),
                () = self.unused(&shared) => Ok(()),
                _ = closed.wait_for(|is_closed| *is_closed) => Ok(()),
            };
            self.client.send_replace(None);
            self.queue.close();
            let Err(failure) = result else { return shared.health().up(self.partition, shared.inbound()) };
            shared.health().down(self.partition, shared.inbound());
            match &failure {
                Failure::Refused(reason) => {
                    warn!(target: TARGET, partition = self.partition, "Kafka refuses: {reason}")
                }
                other => debug!(target: TARGET, partition = self.partition, "partition lost: {other}"),
            }
            if !matches!(failure, Failure::Refused(_) | Failure::OutOfRange) {
                shared.forget(cluster).await;
            }
            let pause = shared.pause(attempt);
            attempt += 1;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.unused(&shared) => return shared.health().up(self.partition, shared.inbound()),
                _ = closed.wait_for(|is_closed| *is_closed) => return,
            }
        }
    }

    /// Waits until nobody needs it.
    async fn unused(self: &Arc<Self>, shared: &Shared) {
        while !shared.retire(self) {
            tokio::time::sleep(IDLE / 4).await;
        }
    }

    async fn session(
        &self,
        shared: &Arc<Shared>,
        used: &mut Option<Arc<Cluster>>,
        attempt: &mut u32,
    ) -> Result<Infallible, Failure> {
        let cluster = used.insert(shared.cluster().await?);
        let reader = cluster.partition(self.partition).await?;
        let writer = cluster.partition(self.partition).await?;
        self.resume(&*reader, shared).await?;
        *attempt = 0;
        self.queue.open();
        self.client.send_replace(Some(Arc::clone(&writer)));
        shared.health().up(self.partition, shared.inbound());
        tokio::select! {
            result = self.read(&*reader, shared) => result,
            result = self.write(&*writer, shared) => result,
        }
    }

    /// Goes on where it was, if the log is the same.
    async fn resume(&self, log: &impl Log, shared: &Shared) -> Result<(), Failure> {
        let known = self.chain().known();
        let Some(known) = known else {
            let (stamp, seen) = establish(log, None).await?;
            self.chain().begin(stamp, seen);
            return Ok(());
        };
        let (distrusted, cause) = match find(log, known.seen).await? {
            Found::Same => return Ok(()),
            Found::Expired => (None, GapCause::Missed),
            Found::Other => (Some(known.stamp.epoch), GapCause::EpochChanged),
        };
        self.begin_anew(log, shared, distrusted, cause).await
    }

    /// Goes on at the end of the log. What was before it is missing.
    async fn begin_anew(
        &self,
        log: &impl Log,
        shared: &Shared,
        distrusted: Option<crate::position::Epoch>,
        cause: GapCause,
    ) -> Result<(), Failure> {
        let (stamp, seen) = establish(log, distrusted).await?;
        self.chain().begin(stamp, seen);
        self.missed(shared, cause);
        Ok(())
    }

    fn missed(&self, shared: &Shared, cause: GapCause) {
        let topics = self.chain().topics();
        topics.iter().for_each(|topic| shared.inbound().missed(Some(topic.as_str()), cause));
    }

    async fn read(&self, log: &impl Log, shared: &Shared) -> Result<Infallible, Failure> {
        loop {
            let next = self.chain().next();
            let (records, end) = log.read(next, WAIT).await?;
            if records.is_empty() && end > next {
                self.pass(log, shared, next).await?;
            }
            for record in records {
                self.take(log, shared, record).await?;
            }
        }
    }

    /// The log goes on, and there is nothing to read: the end of a transaction of another program, or an open one.
    async fn pass(&self, log: &impl Log, shared: &Shared, next: i64) -> Result<(), Failure> {
        // The end of what can be read.
        if log.offsets().await?.end <= next {
            tokio::time::sleep(WAIT).await;
        } else if log.read(next, Duration::ZERO).await?.0.is_empty() {
            self.chain().pass(next);
            self.missed(shared, GapCause::Missed);
        }
        Ok(())
    }

    async fn take(&self, log: &impl Log, shared: &Shared, record: RecordAndOffset) -> Result<(), Failure> {
        // What was at the offsets between cannot be known.
        let has_hole = record.offset > self.chain().next();
        if has_hole {
            self.missed(shared, GapCause::Missed);
        }
        let mut record = Some(record);
        loop {
            let taken = self.chain().take(&mut record);
            match taken {
                Taken::Publication(publication) => shared.inbound().publication(&publication),
                Taken::Nothing => {}
                Taken::Doubt(stamp) => {
                    self.judge(log, shared, stamp).await?;
                    continue;
                }
            }
            return Ok(());
        }
    }

    /// A record names another stream than the one that is known.
    async fn judge(&self, log: &impl Log, shared: &Shared, other: record::Stamp) -> Result<(), Failure> {
        let known = self.chain().known();
        let Some(Known { stamp, seen }) = known else { return Ok(()) };
        if other.marker > stamp.marker && holds(log, other).await? {
            self.chain().begin(other, seen);
        } else if holds(log, stamp).await? {
            self.chain().void(other);
        } else {
            self.begin_anew(log, shared, Some(stamp.epoch), GapCause::EpochChanged).await?;
        }
        Ok(())
    }

    async fn write(&self, log: &impl Log, shared: &Shared) -> Result<Infallible, Failure> {
        loop {
            let items = self.queue.next().await;
            match self.append(log, shared, items).await {
                Err((Failure::TooLarge(_), items)) if items.len() > 1 => {
                    // None of them was taken.
                    for item in items {
                        self.append(log, shared, vec![item]).await.or_else(fail)?;
                    }
                }
                result => result.or_else(fail)?,
            }
        }
    }

    /// Appends publications. Those that were accepted are told.
    async fn append(&self, log: &impl Log, shared: &Shared, items: Vec<Item>) -> Result<(), (Failure, Vec<Item>)> {
        let known = self.chain().known();
        let Some(Known { stamp, .. }) = known else { return Ok(()) };
        let encode = |item: &Item| record::encode(&item.topic, &item.outgoing, stamp, shared.new_id());
        match log.append(items.iter().map(encode).collect()).await {
            Ok(first) => {
                for (offset, item) in (first..).zip(items) {
                    let _ = item.reply.send(Ok(place(stamp.epoch, offset)));
                }
                Ok(())
            }
            Err(failure) => Err((failure, items)),
        }
    }

    pub(super) fn attach(&self, topic: &Topic, has_history: bool) {
        self.chain().attach(topic.clone(), has_history);
    }
}

/// Tells the publishers. A failure of the connection is one of the lane.
fn fail((failure, items): (Failure, Vec<Item>)) -> Result<(), Failure> {
    for item in items {
        let _ = item.reply.send(Err(failure.to_publish_error()));
    }
    if failure.is_harmless() { Ok(()) } else { Err(failure) }
}
