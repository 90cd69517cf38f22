//! [`Kafka`]: a backplane of Kafka's partitions.
//!
//! | file | what it does |
//! | --- | --- |
//! | `settings` | [`Kafka`] |
//! | `link` | the topics of a hub on the partitions of a Kafka topic |
//! | `lane` | a partition: reading it, publishing on it |
//! | `chain` | the records of a partition, made into one order per topic |
//! | `stream` | whether a log is the one that was read before, and its epoch |
//! | `history` | reading what was published before |
//! | `queue` | publications on their way |
//! | `record`, `hash` | records, and the partition of a topic |
//! | `supervise` | the connection to the cluster, and the number of partitions |
//! | `growth` | topics that have moved to other partitions |
//! | `cluster`, `log`, `failure`, `health` | the client library, within time limits |

mod chain;
mod cluster;
mod failure;
mod growth;
mod hash;
mod health;
mod history;
mod lane;
mod link;
mod log;
mod queue;
mod record;
mod settings;
mod stream;
mod supervise;

use self::link::KafkaLink;
pub use self::settings::Kafka;
use super::{Backplane, Link, Order, Promises, Recovery};
use crate::inbound::Inbound;

/// The target of all log events.
const TARGET: &str = "ws_hub";

impl Backplane for Kafka {
    fn promises(&self) -> Promises {
        Promises {
            order: Order::PerTopic,
            recovery: Some(Recovery::Broker),
            many_instances: true,
            ..Promises::new("Kafka")
        }
    }

    fn open(&self, inbound: Inbound) -> Box<dyn Link> {
        Box::new(KafkaLink::open(self.settings.clone(), inbound))
    }
}
