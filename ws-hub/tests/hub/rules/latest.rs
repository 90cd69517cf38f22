//! Rule 3 with the last publications: a subscription can begin with them, and then misses none.

use ws_hub::conformance::Virtual;
use ws_hub::{Epoch, InvalidTopic, Position, ReadError, Unrecoverable};

use crate::setup::*;

#[test]
fn the_last_publications_come_first_and_then_what_is_published() {
    let (mut world, hub) = memory();
    for n in 1..=5 {
        publish(&mut world, &hub, "kept/a", &n.to_string());
        publish(&mut world, &hub, "kept/b", "elsewhere");
    }
    for (count, expected) in [(1, &["5"][..]), (3, &["3", "4", "5"]), (5, &["1", "2", "3", "4", "5"])] {
        for count in if count == 5 { vec![5, 6, usize::MAX] } else { vec![count] } {
            let mut subscription = last(&mut world, &hub, "kept/a", count);
            world.advance(SECOND);
            let mut all: Vec<_> = expected.iter().map(|one| text(one)).collect();
            all.push(Got::Recovered(expected.len()));
            assert_eq!(got(&mut subscription), all, "{count}");
        }
    }
    let mut subscription = last(&mut world, &hub, "kept/a", 1);
    publish(&mut world, &hub, "kept/a", "6");
    assert_eq!(got(&mut subscription), [text("5"), Got::Recovered(1), text("6")]);
}

#[test]
fn no_last_publications_are_only_live_ones() {
    let (mut world, hub) = memory();
    let mut empty = last(&mut world, &hub, "kept/a", 3);
    world.advance(SECOND);
    assert_eq!(got(&mut empty), [Got::Recovered(0)]);
    publish(&mut world, &hub, "kept/a", "1");
    assert_eq!(got(&mut empty), [text("1")]);
    let mut none = last(&mut world, &hub, "kept/a", 0);
    publish(&mut world, &hub, "kept/a", "2");
    assert_eq!(got(&mut none), [text("2")]);
}

#[test]
fn a_topic_without_history_has_no_last_publications() {
    let (mut world, hub) = memory();
    let mut subscription = last(&mut world, &hub, "plain", 3);
    publish(&mut world, &hub, "plain", "live");
    assert_eq!(got(&mut subscription), [Got::Unrecoverable(Unrecoverable::NoHistory), text("live")]);
}

#[test]
fn the_bound_of_a_recovery_limits_the_last_publications() {
    let (mut world, _) = memory();
    let few = settings().max_recovery(2, 1 << 20).start::<Virtual>();
    // A publication of three bytes counts for 131.
    let light = settings().max_recovery(100, 3 * 131).start::<Virtual>();
    for (hub, expected) in [(few, &["200", "300"][..]), (light, &["100", "200", "300"])] {
        for text in ["000", "100", "200", "300"] {
            publish(&mut world, &hub, "kept/a", text);
        }
        let mut subscription = last(&mut world, &hub, "kept/a", 100);
        publish(&mut world, &hub, "kept/a", "live");
        let mut all: Vec<_> = expected.iter().map(|one| text(one)).collect();
        all.extend([Got::Recovered(expected.len()), text("live")]);
        assert_eq!(got(&mut subscription), all);
    }
}

#[test]
fn a_position_counts_more_than_the_last_publications_if_it_can_be_recovered() {
    let (mut world, hub) = memory();
    let positions: Vec<_> = (0..105).map(|n| publish(&mut world, &hub, "kept/a", &n.to_string()).unwrap()).collect();
    let mut both = |topic, since: Position| {
        let hub = hub.clone();
        let mut subscription = world.block_on(async move { hub.subscribe(topic).since(since).last(2).await.unwrap() });
        world.advance(SECOND);
        got(&mut subscription)
    };
    assert_eq!(both("kept/a", positions[101]), [text("102"), text("103"), text("104"), Got::Recovered(3)]);
    let other = Epoch(positions[0].epoch.0 ^ 1);
    let epoch = Unrecoverable::Epoch { current: Some(positions[0].epoch) };
    for (since, reason) in [
        (positions[0], Unrecoverable::Expired),
        (Position::new(positions[0].epoch, 1000), Unrecoverable::Unknown),
        (Position::new(other, 3), epoch),
    ] {
        let instead = [Got::Unrecoverable(reason), text("103"), text("104"), Got::Recovered(2)];
        assert_eq!(both("kept/a", since), instead);
    }
    assert_eq!(both("plain", positions[0]), [Got::Unrecoverable(Unrecoverable::NoHistory)]);
}

/// From the first publication on, none is missing, however many come while history is read.
#[test]
fn publications_meanwhile_are_neither_missing_nor_doubled() {
    for seed in 0..200 {
        let (mut world, broker) = (ws_hub::conformance::World::new(seed), ws_hub::conformance::Broker::new(seed));
        let [hub, other] = [(); 2].map(|()| settings().backplane(broker.clone()).start::<Virtual>());
        let keep = subscribe(&mut world, &hub, "kept/a");
        for n in 0..10 {
            publish(&mut world, &other, "kept/a", &n.to_string());
        }
        world.spawn(async move {
            for n in 10..30 {
                other.publish("kept/a", n.to_string()).await.unwrap();
            }
        });
        let mut subscription = last(&mut world, &hub, "kept/a", 2);
        world.advance(10 * SECOND);
        let got = got(&mut subscription);
        assert_eq!(got.iter().position(|one| *one == Got::Recovered(2)), Some(2), "{seed}: {got:?}");
        let numbers: Vec<u32> =
            got.iter().filter_map(|one| if let Got::Text(text) = one { text.parse().ok() } else { None }).collect();
        assert!(numbers[0] >= 8, "{seed}: {got:?}");
        assert_eq!(numbers, (numbers[0]..30).collect::<Vec<_>>(), "{seed}: {got:?}");
        drop(keep);
    }
}

#[test]
fn a_broker_that_is_back_is_asked_for_the_last_publications() {
    let (mut world, broker, hubs) = at_broker::<2>();
    for n in 0..3 {
        publish(&mut world, &hubs[1], "kept/a", &n.to_string());
    }
    broker.cut(0, 60 * SECOND);
    world.advance(SECOND);
    let mut subscription = last(&mut world, &hubs[0], "kept/a", 2);
    world.advance(70 * SECOND);
    publish(&mut world, &hubs[1], "kept/a", "live");
    let got = got(&mut subscription);
    assert_eq!(got[got.len() - 4..], [text("1"), text("2"), Got::Recovered(2), text("live")]);
}

#[test]
fn clients_that_begin_with_the_last_publications_share_reads() {
    let (mut world, broker, [hub]) = at_broker::<1>();
    let positions: Vec<_> = (0..50).map(|n| publish(&mut world, &hub, "kept/a", &n.to_string())).collect();
    for n in 0..1000 {
        let hub = hub.clone();
        let since = if n % 2 == 0 { positions[n % 50] } else { None };
        world.spawn(async move {
            let mut subscription = hub.subscribe("kept/a").since(since).last(1 + n % 40).await.unwrap();
            assert!(subscription.next().await.is_some());
            std::mem::forget(subscription);
        });
    }
    world.advance(60 * SECOND);
    assert_eq!(hub.subscribers("kept/a"), 1000);
    assert!(broker.reads() <= 8, "{}", broker.reads());
}

/// Neither kind of read keeps the other from its turn, while clients come all the time.
#[test]
fn reads_of_both_kinds_take_turns() {
    let (mut world, _broker, [hub]) = at_broker::<1>();
    let first = publish(&mut world, &hub, "kept/a", "0");
    publish(&mut world, &hub, "kept/a", "1");
    for kind in 0..2 {
        let crowd = hub.clone();
        let until = world.now() + 20 * SECOND;
        for n in 0..200 {
            let (hub, since) = (crowd.clone(), if kind == 0 { first } else { None });
            // One after the other, so that one waits at each time.
            world.spawn(async move {
                let mut subscription = hub.subscribe("kept/a").since(since).last(1).await.unwrap();
                for _ in 0..n % 7 {
                    subscription.next().await;
                    subscription = hub.subscribe("kept/a").since(since).last(1).await.unwrap();
                }
            });
        }
        let mut other =
            if kind == 0 { last(&mut world, &hub, "kept/a", 1) } else { since(&mut world, &hub, "kept/a", first) };
        world.advance(SECOND);
        assert_eq!(got(&mut other), [text("1"), Got::Recovered(1)]);
        assert!(world.now() < until);
    }
}

#[test]
fn the_last_publications_are_read_without_a_subscription() {
    let (mut world, broker, [hub]) = at_broker::<1>();
    let latest = |world: &mut ws_hub::conformance::World, topic: &'static str, count| {
        let hub = hub.clone();
        world.block_on(async move { hub.latest(topic, count).await })
    };
    let empty = latest(&mut world, "kept/a", 3).unwrap();
    assert!(empty.publications.is_empty() && empty.end().offset == 0);
    let positions: Vec<_> = (0..5).map(|n| publish(&mut world, &hub, "kept/a", &n.to_string()).unwrap()).collect();
    let page = latest(&mut world, "kept/a", 2).unwrap();
    let found: Vec<_> = page.publications.iter().filter_map(|one| one.position).collect();
    assert_eq!((found, page.end(), page.since), (positions[3..].to_vec(), positions[4], positions[2]));
    let none = latest(&mut world, "kept/a", 0).unwrap();
    assert_eq!((none.publications.len(), none.end()), (0, positions[4]));
    assert_eq!(latest(&mut world, "plain", 2).unwrap_err(), ReadError::NoHistory);
    assert_eq!(latest(&mut world, "", 2).unwrap_err(), ReadError::Topic(InvalidTopic::Empty));
    assert_eq!(hub.subscribers("kept/a"), 0);
    broker.freeze(0, 100 * SECOND);
    let before = world.now();
    assert_eq!(latest(&mut world, "kept/a", 2).unwrap_err(), ReadError::Unavailable);
    assert!(world.now() - before <= 5 * SECOND);
}
