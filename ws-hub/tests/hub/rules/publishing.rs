//! Rule 4: a publication is accepted, refused, or unknown; it is never retried, and never waits without bound.

use ws_hub::conformance::Virtual;
use ws_hub::{Doubt, InvalidTopic, PublishError, Refusal};

use crate::setup::*;

#[test]
fn names_of_topics_arrive_as_they_are_or_are_refused() {
    let (mut world, hub) = memory();
    for topic in ["a..b", ".", "*", ">", "a b", "\n", "\0", "ü", "#", "{x}", "a\u{202e}b"] {
        let mut subscription = subscribe(&mut world, &hub, topic);
        let other = subscribe(&mut world, &hub, "other");
        publish(&mut world, &hub, topic, topic);
        assert_eq!(got(&mut subscription), [text(topic)]);
        drop(other);
    }
    let long: &str = Box::leak("x".repeat(256).into_boxed_str());
    for (topic, invalid) in [("", InvalidTopic::Empty), (long, InvalidTopic::TooLong { len: 256 })] {
        let hub = hub.clone();
        let result = world.block_on(async move { hub.publish(topic, "x").await });
        assert_eq!(result, Err(PublishError::Refused(Refusal::Topic(invalid))));
    }
}

#[test]
fn a_publication_above_the_limit_is_refused_with_the_name_of_the_limit() {
    let (mut world, _) = memory();
    let hub = settings().max_publication(3).start::<Virtual>();
    let error = world.block_on(async move { hub.publish("plain", "four").await.unwrap_err() });
    assert_eq!(error, PublishError::Refused(Refusal::TooLarge { size: 4, limit: 3 }));
    assert_eq!(error.to_string(), "not published: 4 bytes are more than the 3 of max_publication");
}

#[test]
fn an_idempotency_key_publishes_once() {
    let (mut world, hub) = memory();
    let mut subscription = subscribe(&mut world, &hub, "kept/a");
    let positions = world.block_on({
        let hub = hub.clone();
        async move {
            let first = hub.publish("kept/a", "1").idempotency_key("k").await.unwrap();
            let again = hub.publish("kept/a", "1").idempotency_key("k").await.unwrap();
            let other = hub.publish("kept/a", "2").idempotency_key("l").await.unwrap();
            [first, again, other]
        }
    });
    assert_eq!(positions[0], positions[1]);
    assert_ne!(positions[1], positions[2]);
    assert_eq!(got(&mut subscription), [text("1"), text("2")]);
}

#[test]
fn a_connection_that_is_lost_leaves_the_result_unknown() {
    let (mut world, broker, [hub, other]) = at_broker::<2>();
    let mut subscription = subscribe(&mut world, &other, "kept/a");
    // Cut while it travels, there or back.
    for _ in 0..20 {
        let here = hub.clone();
        let result = std::sync::Arc::new(std::sync::Mutex::new(None));
        let slot = std::sync::Arc::clone(&result);
        world.spawn(async move {
            let published = here.publish("kept/a", "x").await;
            *slot.lock().unwrap() = Some(published);
        });
        world.run();
        broker.cut(0, SECOND);
        world.advance(5 * SECOND);
        let result = result.lock().unwrap().take();
        assert_eq!(result, Some(Err(PublishError::Unknown(Doubt::ConnectionLost))));
    }
    assert!(got(&mut subscription).len() <= 20);
}

#[test]
fn a_broker_that_does_not_answer_leaves_the_result_unknown() {
    let (mut world, broker, [hub]) = at_broker::<1>();
    broker.freeze(0, 60 * SECOND);
    let result = world.block_on(async move { hub.publish("plain", "x").await });
    assert_eq!(result, Err(PublishError::Unknown(Doubt::TimedOut)));
    assert!(world.now() < 6 * SECOND);
}
