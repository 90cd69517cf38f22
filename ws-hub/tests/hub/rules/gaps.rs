//! Rules 1 and 2: one order, and no gap without a word. [`storm`](crate::storm) tries them at random.

use ws_hub::GapCause;

use crate::setup::*;

#[test]
fn without_history_a_lost_connection_is_a_gap_before_the_next_publication() {
    let (mut world, broker, hubs) = at_broker::<2>();
    let mut subscription = subscribe(&mut world, &hubs[0], "plain");
    publish(&mut world, &hubs[1], "plain", "1");
    broker.cut(0, SECOND);
    publish(&mut world, &hubs[1], "plain", "missed");
    world.advance(SECOND);
    publish(&mut world, &hubs[1], "plain", "2");
    assert_eq!(got(&mut subscription), [text("1"), Got::Gap(GapCause::BrokerLost), text("2")]);
}

#[test]
fn with_history_a_lost_connection_loses_nothing() {
    let (mut world, broker, hubs) = at_broker::<2>();
    let mut subscription = subscribe(&mut world, &hubs[0], "kept/a");
    publish(&mut world, &hubs[1], "kept/a", "1");
    broker.cut(0, SECOND);
    publish(&mut world, &hubs[1], "kept/a", "2");
    world.advance(SECOND);
    publish(&mut world, &hubs[1], "kept/a", "3");
    assert_eq!(got(&mut subscription), [text("1"), text("2"), text("3")]);
}

#[test]
fn with_history_that_is_too_short_there_is_a_gap() {
    let (mut world, broker, hubs) = at_broker::<2>();
    let mut subscription = subscribe(&mut world, &hubs[0], "kept/a");
    publish(&mut world, &hubs[1], "kept/a", "before");
    broker.cut(0, 200 * SECOND);
    for n in 0..101 {
        publish(&mut world, &hubs[1], "kept/a", &n.to_string());
    }
    world.advance(200 * SECOND);
    publish(&mut world, &hubs[1], "kept/a", "after");
    assert_eq!(got(&mut subscription), [text("before"), Got::Gap(GapCause::BrokerLost), text("after")]);
}

#[test]
fn a_broker_that_lost_its_data_is_a_gap_of_another_epoch() {
    let (mut world, broker, hubs) = at_broker::<2>();
    let mut subscription = subscribe(&mut world, &hubs[0], "kept/a");
    publish(&mut world, &hubs[1], "kept/a", "1");
    broker.restart(false, SECOND);
    world.advance(5 * SECOND);
    publish(&mut world, &hubs[1], "kept/a", "2");
    assert_eq!(got(&mut subscription), [text("1"), Got::Gap(GapCause::EpochChanged), text("2")]);
}

#[test]
fn all_instances_have_one_order() {
    let (mut world, broker, hubs) = at_broker::<3>();
    let mut subscriptions: Vec<_> = hubs.iter().map(|hub| subscribe(&mut world, hub, "kept/a")).collect();
    broker.disturb();
    for hub in &hubs {
        let hub = hub.clone();
        world.spawn(async move {
            for n in 0..50 {
                hub.publish("kept/a", format!("{n} of {:p}", &hub)).await.unwrap();
            }
        });
    }
    world.advance(60 * SECOND);
    broker.calm();
    publish(&mut world, &hubs[0], "kept/a", "last");
    world.advance(60 * SECOND);
    let orders: Vec<_> = subscriptions.iter_mut().map(got).collect();
    assert_eq!(orders[0].len(), 151);
    assert!(orders[0] == orders[1] && orders[1] == orders[2]);
}
