//! Rule 3: everything that was missed, in order, once, then live; or a reason, and live only.

use ws_hub::conformance::{Virtual, World};
use ws_hub::{Epoch, Hub, Position, SlowPolicy, Unrecoverable};

use crate::setup::*;

#[test]
fn what_was_missed_comes_first_and_then_what_is_published() {
    let (mut world, hub) = memory();
    let first = publish(&mut world, &hub, "kept/a", "1");
    publish(&mut world, &hub, "kept/a", "2");
    publish(&mut world, &hub, "kept/b", "elsewhere");
    publish(&mut world, &hub, "kept/a", "3");
    let mut subscription = since(&mut world, &hub, "kept/a", first);
    publish(&mut world, &hub, "kept/a", "4");
    assert_eq!(got(&mut subscription), [text("2"), text("3"), Got::Recovered(2), text("4")]);
}

#[test]
fn who_missed_nothing_recovers_nothing() {
    let (mut world, hub) = memory();
    let last = publish(&mut world, &hub, "kept/a", "1");
    let mut subscription = since(&mut world, &hub, "kept/a", last);
    world.advance(SECOND);
    assert_eq!(got(&mut subscription), [Got::Recovered(0)]);
}

/// A subscriber of an empty topic can recover from its beginning.
#[test]
fn the_start_of_a_subscription_is_a_position() {
    let (mut world, broker, hubs) = at_broker::<2>();
    drop(broker);
    let subscription = subscribe(&mut world, &hubs[0], "kept/a");
    let start = subscription.start();
    assert_eq!(start.unwrap().offset, 0);
    drop(subscription);
    publish(&mut world, &hubs[1], "kept/a", "1");
    let mut subscription = since(&mut world, &hubs[0], "kept/a", start);
    world.advance(SECOND);
    assert_eq!(got(&mut subscription), [text("1"), Got::Recovered(1)]);
}

#[test]
fn a_position_without_its_history_is_refused_with_a_reason() {
    let (mut world, hub) = memory();
    let first = publish(&mut world, &hub, "kept/a", "0").unwrap();
    for n in 1..=101 {
        publish(&mut world, &hub, "kept/a", &n.to_string());
    }
    let refused = |position: Position| {
        let reason = match () {
            () if position.epoch != first.epoch => Unrecoverable::Epoch { current: Some(first.epoch) },
            () if position.offset > 102 => Unrecoverable::Unknown,
            () => Unrecoverable::Expired,
        };
        (position, reason)
    };
    for (position, reason) in [
        refused(first),
        refused(Position::new(first.epoch, 103)),
        refused(Position::new(first.epoch, u64::MAX)),
        refused(Position::new(Epoch(first.epoch.0 ^ 1), 0)),
        refused(Position::new(Epoch(first.epoch.0 ^ 1), 102)),
    ] {
        let mut subscription = since(&mut world, &hub, "kept/a", position);
        world.advance(SECOND);
        assert_eq!(got(&mut subscription), [Got::Unrecoverable(reason)], "{position}");
        publish(&mut world, &hub, "kept/other", "another topic");
    }
    // The last place that is still there: everything but the first two.
    let mut subscription = since(&mut world, &hub, "kept/a", Position::new(first.epoch, 2));
    world.advance(SECOND);
    assert_eq!(got(&mut subscription).len(), 101);
}

#[test]
fn a_topic_without_history_refuses_positions() {
    let (mut world, hub) = memory();
    let mut subscription = since(&mut world, &hub, "plain", Position::new(Epoch(1), 1));
    publish(&mut world, &hub, "plain", "live");
    assert_eq!(got(&mut subscription), [Got::Unrecoverable(Unrecoverable::NoHistory), text("live")]);
}

#[test]
fn more_than_the_bound_is_too_many() {
    let (mut world, _) = memory();
    let hub = settings().max_recovery(5, 1 << 20).start::<Virtual>();
    let start = publish(&mut world, &hub, "kept/a", "0");
    for n in 1..=6 {
        publish(&mut world, &hub, "kept/a", &n.to_string());
    }
    let mut subscription = since(&mut world, &hub, "kept/a", start);
    publish(&mut world, &hub, "kept/a", "live");
    assert_eq!(got(&mut subscription), [Got::Unrecoverable(Unrecoverable::TooMany), text("live")]);
}

#[test]
fn publications_expire() {
    let (mut world, hub) = memory();
    let first = publish(&mut world, &hub, "kept/a", "1");
    publish(&mut world, &hub, "kept/a", "2");
    world.advance(3600 * SECOND);
    let mut subscription = since(&mut world, &hub, "kept/a", first);
    world.advance(SECOND);
    assert_eq!(got(&mut subscription), [Got::Unrecoverable(Unrecoverable::Expired)]);
}

/// A recovery has a bound of its own: it is no sign of a slow subscriber.
#[test]
fn more_than_a_subscriber_may_have_waiting_is_recovered_whole() {
    for policy in [SlowPolicy::Skip, SlowPolicy::Close, SlowPolicy::Newest] {
        let mut world = World::new(1);
        let hub = Hub::builder().topics("kept/", kept(3000).slow(policy)).start::<Virtual>();
        let here = hub.clone();
        let first = world.block_on(async move {
            let first = here.publish("kept/a", "0").await.unwrap();
            for n in 1..=2500 {
                here.publish("kept/a", n.to_string()).await.unwrap();
            }
            first
        });
        let mut subscription = since(&mut world, &hub, "kept/a", first);
        world.advance(SECOND);
        // Behind it there is room for as much as usual.
        for n in 2501..=3000 {
            publish(&mut world, &hub, "kept/a", &n.to_string());
        }
        let mut expected: Vec<_> = (1..=3000).map(|n| text(&n.to_string())).collect();
        expected.insert(2500, Got::Recovered(2500));
        assert_eq!(got(&mut subscription), expected, "{policy:?}");
    }
}

/// However many pages it takes.
#[test]
fn a_long_recovery_is_not_given_up() {
    let mut world = World::new(1);
    let builder = Hub::builder().topics("kept/", kept(60_000)).max_recovery(50_000, 64 << 20);
    let hub = builder.start::<Virtual>();
    let here = hub.clone();
    let first = world.block_on(async move {
        let first = here.publish("kept/a", "0").await.unwrap();
        for n in 1..=40_000 {
            here.publish("kept/a", n.to_string()).await.unwrap();
        }
        first
    });
    let mut subscription = since(&mut world, &hub, "kept/a", first);
    world.advance(SECOND);
    let got = got(&mut subscription);
    assert_eq!((got.len(), got.last()), (40_001, Some(&Got::Recovered(40_000))));
}

/// A crowd that asks from far back again and again does not keep one from recovering that missed little.
#[test]
fn nobody_waits_for_ever_behind_those_who_missed_more() {
    let (mut world, broker, [hub]) = at_broker::<1>();
    let first = publish(&mut world, &hub, "kept/a", "first");
    for n in 0..50 {
        publish(&mut world, &hub, "kept/a", &n.to_string());
    }
    let last = publish(&mut world, &hub, "kept/a", "last but one");
    publish(&mut world, &hub, "kept/a", "last");
    for n in 0..100 {
        let crowd = hub.clone();
        // Each stays for less than a read takes, and there is always one.
        world.spawn(async move {
            for _ in 0..n {
                drop(crowd.subscribe("kept/a").since(first).await);
            }
            let subscription = crowd.subscribe("kept/a").since(first).await;
            std::future::pending::<()>().await;
            drop(subscription);
        });
    }
    let mut subscription = since(&mut world, &hub, "kept/a", last);
    world.advance(SECOND);
    assert_eq!(got(&mut subscription), [text("last"), Got::Recovered(1)]);
    assert!(broker.reads() < 20, "{} reads", broker.reads());
}
