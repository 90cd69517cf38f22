//! The table of backplanes in docs/hub.md says what they promise.

use ws_hub::{Backplane, Memory, Order, Promises, Recovery};

/// The cells of a row, without the name.
fn row(name: &str) -> Vec<String> {
    let document = include_str!("../../../docs/hub.md");
    let line = document.lines().find(|line| line.starts_with(&format!("| {name} |")));
    let line = line.unwrap_or_else(|| panic!("docs/hub.md has no row {name}"));
    line.split('|').skip(2).map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
}

fn check(name: &str, promises: Promises) {
    let order = match promises.order {
        Order::PerPublisher => "one per publisher",
        Order::PerTopic => "one per topic",
        other => panic!("{other:?}"),
    };
    let survives = match promises.recovery {
        None => "no history",
        Some(Recovery::Connections) => "lost connections",
        Some(Recovery::Instances) => "the end of an instance",
        Some(Recovery::Broker) => "a restart of the broker",
        Some(other) => panic!("{other:?}"),
    };
    let word = |is_so| if is_so { "yes" } else { "no" };
    let (instances, after, keys) = (promises.many_instances, promises.conditional, promises.idempotent);
    assert_eq!(row(name), [order, survives, word(instances), word(after), word(keys)], "{name}");
}

#[test]
fn the_document_says_what_backplanes_promise() {
    check("`Memory` (default)", Memory::new().promises());
    #[cfg(feature = "redis")]
    check("`Redis`", ws_hub::Redis::new("redis://localhost").unwrap().promises());
    #[cfg(feature = "nats")]
    {
        let nats = || ws_hub::Nats::new("nats://localhost").unwrap();
        check("`Nats`", nats().promises());
        check("`Nats`, `in_memory()`", nats().in_memory().promises());
        check("`Nats`, `core()`", nats().core().promises());
    }
    #[cfg(feature = "kafka")]
    check("`Kafka`", ws_hub::Kafka::new(["localhost:9092"]).promises());
}
