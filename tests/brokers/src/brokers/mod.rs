//! The brokers that there are. A new one is a file here, and a line in [`KINDS`].

mod kafka;
mod memory;
mod nats;
mod redis;

use crate::broker::Kind;

/// All kinds, in the order in which they run.
pub const KINDS: &[Kind] = &[
    Kind { name: "memory", start: memory::start },
    Kind { name: "nats", start: nats::start_file },
    Kind { name: "nats-memory", start: nats::start_memory },
    Kind { name: "nats-core", start: nats::start_core },
    Kind { name: "nats-cluster", start: nats::start_cluster },
    Kind { name: "nats-core-cluster", start: nats::start_core_cluster },
    Kind { name: "redis", start: redis::start_redis },
    Kind { name: "redis-sentinel", start: redis::start_sentinel },
    Kind { name: "valkey", start: redis::start_valkey },
    Kind { name: "kafka-mock", start: kafka::start_mock },
    Kind { name: "tansu", start: kafka::start_tansu },
];
