//! Rule 3: everything that was missed, in order, once, then live; or a reason, and live only.

use ws_hub::conformance::Virtual;
use ws_hub::{Epoch, Position, Unrecoverable};

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
