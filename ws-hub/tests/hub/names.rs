//! Names of topics, and positions, that are not what they should be.

use ws_hub::conformance::{Broker, Virtual, World, hard_topics, invalid_topics};
use ws_hub::{
    Epoch, Hub, Position, PresenceError, PublishError, ReadError, Refusal, SubscribeError, TopicOptions, Unrecoverable,
};

use crate::setup::*;

/// A hub in memory and two at a broker, with history for all topics or for none.
fn hubs(keeps: bool) -> (World, Vec<Hub>) {
    let (world, broker) = (World::new(1), Broker::new(1));
    let settings = || Hub::builder().topics("", if keeps { kept(100) } else { TopicOptions::new() });
    let at_broker = || settings().backplane(broker.clone()).start::<Virtual>();
    (world, vec![settings().start::<Virtual>(), at_broker(), at_broker()])
}

#[test]
fn names_of_topics_arrive_as_they_are() {
    for keeps in [false, true] {
        let (mut world, hubs) = hubs(keeps);
        for (publisher, subscriber) in [(0, 0), (1, 2)] {
            let (publisher, hub) = (hubs[publisher].clone(), hubs[subscriber].clone());
            let topics = hard_topics();
            let mut subscriptions = world.block_on(async move {
                let mut subscriptions = Vec::new();
                for topic in &topics {
                    subscriptions.push(hub.subscribe(topic.as_str()).await.unwrap());
                }
                for topic in &topics {
                    publisher.publish(topic.as_str(), topic.as_str()).await.unwrap();
                }
                subscriptions
            });
            world.advance(SECOND);
            for subscription in &mut subscriptions {
                let name = subscription.topic().to_string();
                assert_eq!(got(subscription), [text(&name)], "{name:?}");
            }
        }
    }
}

#[test]
fn names_that_no_topic_has_are_refused_with_the_reason() {
    let (mut world, hubs) = hubs(true);
    for (hub, (name, reason)) in hubs.iter().flat_map(|hub| invalid_topics().into_iter().map(move |one| (hub, one))) {
        let hub = hub.clone();
        world.block_on(async move {
            assert_eq!(hub.subscribe(&name).await.err(), Some(SubscribeError::Topic(reason)));
            assert_eq!(hub.publish(&name, "x").await, Err(PublishError::Refused(Refusal::Topic(reason))));
            assert_eq!(hub.latest(&name, 1).await.err(), Some(ReadError::Topic(reason)));
            assert_eq!(hub.presence(&name).await.err(), Some(PresenceError::Topic(reason)));
        });
    }
}

/// An answer, whatever a client sends as its position.
#[test]
fn positions_that_never_were_are_answered() {
    let (mut world, hubs) = hubs(true);
    for hub in &hubs[..2] {
        let here = publish(&mut world, hub, "kept/a", "1").unwrap();
        let elsewhere = publish(&mut world, hub, "kept/b", "1").unwrap();
        let epoch = Unrecoverable::Epoch { current: Some(here.epoch) };
        for (position, reason) in [
            // Beyond all that are published meanwhile.
            (Position::new(here.epoch, here.offset + 100), Unrecoverable::Unknown),
            (Position::new(here.epoch, u64::MAX), Unrecoverable::Unknown),
            (Position::new(Epoch(0), 0), epoch),
            (Position::new(Epoch(u64::MAX), u64::MAX), epoch),
            (elsewhere, epoch),
        ] {
            let mut subscription = since(&mut world, hub, "kept/a", position);
            world.advance(SECOND);
            assert_eq!(got(&mut subscription), [Got::Unrecoverable(reason)], "{position}");
            // It is live all the same.
            let hub = hub.clone();
            world.block_on(async move { hub.publish("kept/a", "2").await.unwrap() });
            world.advance(SECOND);
            assert_eq!(got(&mut subscription), [text("2")]);
        }
    }
}
