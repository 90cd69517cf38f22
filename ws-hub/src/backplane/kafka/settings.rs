//! [`Kafka`]: settings.

use std::fmt;
#[cfg(feature = "kafka-tls")]
use std::sync::Arc;

use rskafka::client::{Credentials, SaslConfig};

/// A backplane of Kafka: publications are records of one Kafka topic, which other programs can read, too.
///
/// ```no_run
/// # use std::time::Duration;
/// # use ws_hub::{Hub, Kafka, TopicOptions};
/// # use ws_session::Runtime;
/// # fn f<R: Runtime>() {
/// let orders = TopicOptions::new().history(1000, Duration::from_secs(86_400));
/// let hub = Hub::builder()
///     .backplane(Kafka::new(["kafka-1:9092", "kafka-2:9092"]).topic("live"))
///     .topics("orders/", orders)
///     .start::<R>();
/// # }
/// ```
///
/// # Records
///
/// The key of a record is the name of the hub's topic, its value the payload as it is. Headers: `ws-hub-kind` is `text` or
/// `binary`, `ws-hub-key` is [`Publication::key`](crate::Publication::key), `ws-hub-id` is another one for each publication, and
/// `ws-hub-stream` is the hub's own, as are records without a key or with one that begins with a NUL. Other programs can
/// publish, too: a record with a key, and no header, is a publication of text if it is valid UTF-8, else of bytes. The partition
/// of a topic is the one that Kafka's own producers choose for the key (murmur2).
///
/// # Order, cost, and what is lost
///
/// All publications of a topic are in one partition, so they have one order, with history or without. An instance reads whole
/// partitions: those of its topics, and those that it publishes on. What is not for it is dropped. It goes on where it was after
/// a connection was lost, so an outage leaves no gap as long as the records are not deleted: then subscribers are told.
///
/// History is what the Kafka topic keeps: its retention counts, and the size and age of
/// [`TopicOptions::history`](crate::TopicOptions::history) only for the last publications. To read from a position, the records
/// of all topics since then are read: 8 MiB at a time, up to about 250 MiB. The last publications of a topic are looked for
/// among the last 50,000 records of its partition.
///
/// Each stream of a partition begins with a record that names its epoch. A broker that lost its data is recognized by the last
/// record that was read, which is not there, or not the same: another epoch begins then.
///
/// # What to set at Kafka
///
/// - `cleanup.policy=delete`: if the topic is compacted, or written to in transactions, records are missing from it, and each
///   such place is told as a gap.
/// - `compression.type=producer` or `uncompressed`: records that are compressed cannot be read.
/// - `max.message.bytes` above [`max_publication`](crate::HubBuilder::max_publication) and 1 KiB.
/// - `min.insync.replicas`: a publication is accepted when that many brokers have it (`acks=all`).
/// - No `producer_byte_rate` quota that is reached: the client library sends a throttled publication again.
/// - More partitions move topics to other partitions. Instances notice within 30 s. Until all have, publications on topics that
///   moved are missing at some instances. Subscribers of those topics are told by a gap when their instance notices, and by
///   another one 60 s later. A record that was published to the partition where a topic was before is not found any more. An
///   instance that was started meanwhile does not know of it.
#[derive(Clone)]
#[must_use]
pub struct Kafka {
    pub(super) settings: Settings,
}

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) servers: Vec<String>,
    pub(super) topic: String,
    pub(super) partitions: i32,
    pub(super) replication: i16,
    pub(super) sasl: Option<SaslConfig>,
    #[cfg(feature = "kafka-tls")]
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
}

impl Kafka {
    /// A backplane of the cluster that these brokers belong to (`host:port`), in the Kafka topic `ws-hub`.
    pub fn new<S: Into<String>>(brokers: impl IntoIterator<Item = S>) -> Self {
        let settings = Settings {
            servers: brokers.into_iter().map(Into::into).collect(),
            topic: "ws-hub".to_owned(),
            partitions: 8,
            replication: -1,
            sasl: None,
            #[cfg(feature = "kafka-tls")]
            tls: None,
        };
        Self { settings }
    }

    /// Sets the Kafka topic. Default `ws-hub`. All instances must have the same.
    pub fn topic(mut self, name: impl Into<String>) -> Self {
        self.settings.topic = name.into();
        self
    }

    /// Sets the number of partitions with which the Kafka topic is created, if it does not exist. Default 8. An instance holds
    /// two connections for each partition that it uses.
    pub fn partitions(mut self, partitions: u16) -> Self {
        self.settings.partitions = i32::from(partitions.max(1));
        self
    }

    /// Sets the number of brokers that keep the Kafka topic, if it does not exist and is created. Default: the broker's own
    /// (`default.replication.factor`).
    pub fn replication(mut self, brokers: u8) -> Self {
        self.settings.replication = i16::from(brokers.max(1));
        self
    }

    /// Logs in with a name and a password, by SASL PLAIN. Only over TLS are they protected.
    pub fn sasl_plain(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.settings.sasl = Some(SaslConfig::Plain(Credentials::new(user.into(), password.into())));
        self
    }

    /// Logs in with a name and a password, by SASL SCRAM-SHA-256.
    pub fn sasl_scram_sha_256(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.settings.sasl = Some(SaslConfig::ScramSha256(Credentials::new(user.into(), password.into())));
        self
    }

    /// Logs in with a name and a password, by SASL SCRAM-SHA-512.
    pub fn sasl_scram_sha_512(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.settings.sasl = Some(SaslConfig::ScramSha512(Credentials::new(user.into(), password.into())));
        self
    }

    /// Connects over TLS. Brokers are verified by the names that the cluster itself tells (`advertised.listeners`).
    #[cfg(feature = "kafka-tls")]
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.settings.tls = Some(config);
        self
    }
}

/// Without user and password.
impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka")
            .field("brokers", &self.settings.servers)
            .field("topic", &self.settings.topic)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        for kafka in [
            Kafka::new(["a:1"]).sasl_plain("someone", "secret"),
            Kafka::new(["a:1"]).sasl_scram_sha_256("someone", "secret"),
            Kafka::new(["a:1"]).sasl_scram_sha_512("someone", "secret"),
        ] {
            let text = format!("{kafka:?}");
            assert!(text.contains("a:1") && !text.contains("secret") && !text.contains("someone"), "{text}");
        }
    }
}
