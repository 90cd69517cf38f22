//! The brokers that there are. A new one is a file here, and a line in [`KINDS`].

mod kafka;
mod memory;
mod nats;
mod redis;

use crate::broker::Fault::{self, *};
use crate::broker::Kind;

/// All kinds, in the order in which they run.
pub const KINDS: &[Kind] = &[
    Kind { name: "memory", faults: &[History, Conditional, Trim, Large], start: memory::start },
    Kind { name: "nats", faults: NATS, start: nats::start_file },
    Kind { name: "nats-memory", faults: NATS_MEMORY, start: nats::start_memory },
    Kind { name: "nats-core", faults: &[ManyInstances, Large, Restart, SlowSubscriber], start: nats::start_core },
    Kind { name: "nats-cluster", faults: NATS_CLUSTER, start: nats::start_cluster },
    Kind { name: "nats-core-cluster", faults: &[ManyInstances, Large, Node], start: nats::start_core_cluster },
    Kind { name: "redis", faults: REDIS, start: redis::start_redis },
    Kind { name: "redis-sentinel", faults: SENTINEL, start: redis::start_sentinel },
    Kind { name: "valkey", faults: REDIS, start: redis::start_valkey },
    Kind { name: "kafka-mock", faults: KAFKA_MOCK, start: kafka::start_mock },
    Kind { name: "tansu", faults: &[History, ManyInstances, Restart, Wipe, Large, Resumes], start: kafka::start_tansu },
];

// A server of NATS closes clients only together with itself.
const NATS: &[Fault] =
    &[History, ManyInstances, Large, Conditional, Empty, Trim, Restart, SlowSubscriber, Wipe, Storage, LostTail];
const NATS_MEMORY: &[Fault] = &[History, ManyInstances, Large, Conditional, Empty, Trim, Restart, SlowSubscriber, Wipe];
// The stream is on one of two servers, and ends with it.
const NATS_CLUSTER: &[Fault] = &[History, ManyInstances, Large, Conditional, Empty, Trim];
const REDIS: &[Fault] = &[
    History,
    ManyInstances,
    Large,
    Conditional,
    Empty,
    Trim,
    Restart,
    SlowSubscriber,
    Wipe,
    Storage,
    DropClients,
    RedisCommands,
];
// What is killed is the master, and another one takes over.
const SENTINEL: &[Fault] =
    &[History, ManyInstances, Large, Conditional, Empty, Trim, SlowSubscriber, Storage, DropClients, Failover];
const KAFKA_MOCK: &[Fault] = &[History, ManyInstances, Restart, Storage, DropClients, Expire, Resumes];
