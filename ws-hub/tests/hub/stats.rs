//! The counters of a hub.

use ws_hub::conformance::Virtual;
use ws_hub::{GapCause, Hub, HubStats, Member, SlowPolicy, TopicOptions, Unrecoverable};

use crate::setup::*;

/// The counters, without what there is now.
fn counted(hub: &Hub) -> HubStats {
    let mut stats = hub.stats();
    (stats.topics, stats.subscribers, stats.members) = (0, 0, 0);
    stats
}

#[test]
fn what_there_is_now_is_counted() {
    let (mut world, _broker, [hub]) = at_broker::<1>();
    world.advance(10 * SECOND);
    // The heartbeat does not count.
    assert_eq!(hub.stats(), HubStats::default());
    let subscriptions = ["plain", "plain", "kept/a"].map(|topic| subscribe(&mut world, &hub, topic));
    let here = hub.clone();
    let room = world.block_on(async move { here.presence("room").await.unwrap() });
    let joined = ["a", "a", "b"].map(|id| room.join(Member::new(id, "").unwrap()));
    world.advance(SECOND);
    let stats = hub.stats();
    assert_eq!((stats.topics, stats.subscribers, stats.members), (2, 3, 2));
    assert_eq!(counted(&hub), HubStats::default());
    drop((subscriptions, joined));
    world.advance(60 * SECOND);
    assert_eq!(hub.stats(), HubStats::default());
}

#[test]
fn publications_are_counted_by_their_end() {
    let (mut world, broker, [hub, other]) = at_broker::<2>();
    let _subscriptions = ["plain", "plain", "kept/a"].map(|topic| subscribe(&mut world, &other, topic));
    publish(&mut world, &hub, "plain", "12345");
    publish(&mut world, &hub, "kept/a", "123");
    let attempt = |world: &mut ws_hub::conformance::World, topic: &'static str| {
        let hub = hub.clone();
        world.block_on(async move { hub.publish(topic, "x").await.is_ok() })
    };
    assert!(!attempt(&mut world, ""));
    broker.freeze(0, 6 * SECOND);
    assert!(!attempt(&mut world, "plain"));
    let stats = counted(&hub);
    assert_eq!((stats.accepted, stats.accepted_bytes, stats.refused, stats.unknown), (2, 8, 1, 1));
    assert_eq!((stats.delivered, stats.delivered_bytes), (0, 0));
    world.advance(10 * SECOND);
    let stats = counted(&other);
    assert_eq!((stats.accepted, stats.delivered, stats.delivered_bytes), (0, 3, 2 * 5 + 3));
}

#[test]
fn gaps_and_recoveries_are_counted_by_cause_and_end() {
    let (mut world, broker, [hub]) = at_broker::<1>();
    let mut plain = subscribe(&mut world, &hub, "plain");
    broker.cut(0, SECOND);
    world.advance(5 * SECOND);
    assert_eq!(got(&mut plain), [Got::Gap(GapCause::BrokerLost)]);
    let first = publish(&mut world, &hub, "kept/a", "1");
    publish(&mut world, &hub, "kept/a", "2");
    publish(&mut world, &hub, "kept/a", "3");
    let elsewhere = publish(&mut world, &hub, "kept/b", "1");
    let reads = counted(&hub).history_reads;
    let _subscriptions = [("kept/a", first), ("kept/b", first), ("plain", first), ("kept/b", elsewhere)]
        .map(|(topic, position)| since(&mut world, &hub, topic, position));
    let _last = last(&mut world, &hub, "kept/a", 2);
    world.advance(SECOND);
    let stats = counted(&hub);
    assert_eq!(stats.gaps, [(GapCause::BrokerLost, 1)]);
    assert_eq!((stats.recovered, stats.recovered_publications), (3, 2 + 2));
    let epoch = Unrecoverable::Epoch { current: None };
    assert_eq!(stats.unrecoverable, [(Unrecoverable::NoHistory, 1), (epoch, 1)]);
    assert_eq!((stats.broker_lost, stats.broker_restored), (1, 1));
    assert_eq!(stats.history_reads, reads + 4);
}

#[test]
fn slow_subscribers_are_counted() {
    for (policy, skipped, closed) in [(SlowPolicy::Skip, 3, 0), (SlowPolicy::Close, 1, 1)] {
        let mut world = ws_hub::conformance::World::new(1);
        let hub = Hub::builder().topics("", TopicOptions::new().slow(policy)).start::<Virtual>();
        let here = hub.clone();
        let mut slow = world.block_on(async move { here.subscribe("t").bound(2, 1 << 20).await.unwrap() });
        for text in ["1", "2", "3", "4", "5"] {
            publish(&mut world, &hub, "t", text);
        }
        let stats = counted(&hub);
        assert_eq!((stats.delivered, stats.skipped, stats.closed), (2, skipped, closed), "{policy:?}");
        assert_eq!(stats.gaps, []);
        assert_eq!(got(&mut slow).len(), 2);
        publish(&mut world, &hub, "t", "6");
        let gaps: &[_] = if closed == 0 { &[(GapCause::SlowSubscriber, 1)] } else { &[] };
        assert_eq!(counted(&hub).gaps, gaps);
    }
}

/// The facade's view of a hub.
#[cfg(feature = "metrics")]
mod recorded {
    use ws_test_support::recorder::Sums;

    use super::*;

    #[test]
    fn the_recorder_gets_what_was_added_until_the_hub_is_gone() {
        let sums = Sums::default();
        metrics::with_local_recorder(&sums, || {
            let (mut world, hub) = memory();
            world.spawn(hub.record_metrics_every(10 * SECOND));
            let subscriptions = [(); 2].map(|()| subscribe(&mut world, &hub, "plain"));
            world.advance(10 * SECOND);
            assert_eq!(sums.get("websocket.hub.subscriptions.active"), 2.0);
            for round in 1..=2 {
                publish(&mut world, &hub, "plain", "12345");
                hub.record_metrics();
                assert_eq!(sums.get("websocket.hub.publications outcome=accepted"), f64::from(round));
                assert_eq!(sums.get("websocket.hub.deliveries.io"), f64::from(2 * 5 * round));
            }
            drop((subscriptions, hub));
            world.advance(30 * SECOND);
            assert_eq!(sums.get("websocket.hub.subscriptions.active"), 0.0);
            assert_eq!(sums.get("websocket.hub.deliveries"), 4.0);
            assert!(sums.names().iter().all(|name| !name.contains("plain")));
        });
    }
}
