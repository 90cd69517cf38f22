//! The connection to the cluster, which all lanes share, and the number of its partitions.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::TARGET;
use super::cluster::Cluster;
use super::failure::Failure;
use super::link::Shared;
use super::log::LIMIT;
use crate::random;

/// How often the number of partitions is asked for.
pub(super) const CHECK: Duration = Duration::from_secs(30);
/// The longest delay between attempts at connecting.
const LONGEST: Duration = Duration::from_secs(2);
/// Stands for the cluster among the partitions that can be down.
const CLUSTER: i32 = -1;

#[derive(Default)]
pub(super) struct Connection {
    cluster: Option<Arc<Cluster>>,
    /// Attempts that have failed.
    attempt: u32,
}

impl Shared {
    /// The connection to the cluster. One attempt at a time is made, after a delay if the last one has failed.
    pub(super) async fn cluster(self: &Arc<Self>) -> Result<Arc<Cluster>, Failure> {
        let mut connection = self.connection.lock().await;
        if let Some(cluster) = &connection.cluster {
            return Ok(Arc::clone(cluster));
        }
        if connection.attempt > 0 {
            tokio::time::sleep(self.pause(connection.attempt)).await;
        }
        connection.attempt += 1;
        let cluster = Arc::new(Cluster::connect(&self.settings).await?);
        connection.attempt = 0;
        self.route(cluster.partitions);
        connection.cluster = Some(Arc::clone(&cluster));
        Ok(cluster)
    }

    /// A connection is of no use any more.
    pub(super) async fn forget(&self, cluster: Option<Arc<Cluster>>) {
        let mut connection = self.connection.lock().await;
        if let (Some(own), Some(other)) = (&connection.cluster, &cluster)
            && Arc::ptr_eq(own, other)
        {
            connection.cluster = None;
        }
    }

    /// A random delay ("full jitter"), whose bound doubles with each attempt, so that many instances do not return at the same
    /// time.
    pub(super) fn pause(&self, attempt: u32) -> Duration {
        let bound = Duration::from_millis(50).saturating_mul(1 << attempt.min(10)).min(LONGEST);
        bound.mul_f64(random::u64() as f64 / u64::MAX as f64)
    }

    /// Connects, and looks for more partitions now and then.
    pub(super) async fn supervise(self: Arc<Self>) {
        let mut closed = self.closed();
        loop {
            let checked = tokio::select! {
                checked = self.check() => checked,
                _ = closed.wait_for(|is_closed| *is_closed) => return,
            };
            let wait = match checked {
                Ok(()) => {
                    self.health.up(CLUSTER, &self.inbound);
                    CHECK
                }
                Err(failure) => {
                    warn!(target: TARGET, "Kafka cannot be reached: {failure}");
                    self.health.down(CLUSTER, &self.inbound);
                    // The next attempt has a delay of its own.
                    Duration::ZERO
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = closed.wait_for(|is_closed| *is_closed) => return,
            }
        }
    }

    async fn check(self: &Arc<Self>) -> Result<(), Failure> {
        let cluster = self.cluster().await?;
        let counted = tokio::time::timeout(LIMIT, cluster.count()).await.unwrap_or(Err(Failure::TimedOut));
        match counted {
            Ok(partitions) if partitions == cluster.partitions => Ok(()),
            // 0 while the topic is made again. Partitions do not become fewer otherwise.
            Ok(_) => {
                self.forget(Some(cluster)).await;
                self.cluster().await.map(drop)
            }
            Err(failure) => {
                self.forget(Some(cluster)).await;
                Err(failure)
            }
        }
    }
}
