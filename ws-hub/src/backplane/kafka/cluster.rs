//! [`Cluster`]: the connection to Kafka's brokers.

use std::sync::Arc;
use std::time::Duration;

use rskafka::BackoffConfig;
use rskafka::client::partition::{PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use tracing::info;

use super::failure::Failure;
use super::log::{LIMIT, within};
use super::settings::Settings;

/// The largest answer of a broker, in bytes: a record can be larger than what is asked for.
const LARGEST: usize = 64 << 20;

pub(super) struct Cluster {
    client: Client,
    topic: String,
    pub(super) partitions: i32,
}

impl Cluster {
    /// Connects, and makes the topic if there is none.
    pub(super) async fn connect(settings: &Settings) -> Result<Self, Failure> {
        // Nothing is retried by the library: a publication that is sent twice can be there twice.
        let never = BackoffConfig {
            init_backoff: Duration::from_millis(1),
            max_backoff: Duration::from_millis(2),
            base: 2.0,
            deadline: Some(Duration::ZERO),
        };
        let mut builder = ClientBuilder::new(settings.servers.clone())
            .client_id("ws-hub")
            .max_message_size(LARGEST)
            .backoff_config(never);
        if let Some(sasl) = &settings.sasl {
            builder = builder.sasl_config(sasl.clone());
        }
        #[cfg(feature = "kafka-tls")]
        if let Some(tls) = &settings.tls {
            builder = builder.tls_config(Arc::clone(tls));
        }
        let client = within(LIMIT, builder.build()).await?;
        let mut cluster = Self { client, topic: settings.topic.clone(), partitions: 0 };
        cluster.partitions = match cluster.count().await? {
            0 => {
                cluster.create(settings).await?;
                cluster.count().await?
            }
            partitions => partitions,
        };
        match cluster.partitions {
            0 => Err(Failure::Unreachable(format!("the topic {} does not exist yet", cluster.topic))),
            _ => Ok(cluster),
        }
    }

    /// The number of the topic's partitions. 0 if there is no topic.
    pub(super) async fn count(&self) -> Result<i32, Failure> {
        let topics = within(LIMIT, self.client.list_topics()).await?;
        let own = topics.into_iter().find(|topic| topic.name == self.topic);
        Ok(own.map_or(0, |topic| i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)))
    }

    async fn create(&self, settings: &Settings) -> Result<(), Failure> {
        info!(target: super::TARGET, topic = %self.topic, partitions = settings.partitions, "creating the Kafka topic");
        let controller = self.client.controller_client().map_err(|error| Failure::from(&error))?;
        let limit = i32::try_from(LIMIT.as_millis()).unwrap_or(i32::MAX);
        let created = controller.create_topic(&self.topic, settings.partitions, settings.replication, limit);
        match within(LIMIT, created).await {
            // Another instance may have made it at the same time.
            Err(failure) if self.count().await? == 0 => Err(failure),
            _ => Ok(()),
        }
    }

    /// A connection to the leader of a partition. A broker answers the requests of a connection one after the other, so who
    /// waits for records has one of its own.
    pub(super) async fn partition(&self, partition: i32) -> Result<Arc<PartitionClient>, Failure> {
        let client = self.client.partition_client(&self.topic, partition, UnknownTopicHandling::Error);
        within(LIMIT, client).await.map(Arc::new)
    }
}
