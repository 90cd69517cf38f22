//! Rule 4: a publication is accepted, refused, or unknown; it is never retried, and never waits without bound.

use ws_hub::conformance::Virtual;
use ws_hub::{
    Backplane, Doubt, Epoch, Inbound, Link, Memory, Position, Promises, PublishError, ReadError, Refusal, Unrecoverable,
};

use crate::setup::*;

#[test]
fn a_publication_above_the_limit_is_refused_with_the_name_of_the_limit() {
    let (mut world, _) = memory();
    let hub = settings().max_publication(3).start::<Virtual>();
    let error = world.block_on(async move { hub.publish("plain", "four").await.unwrap_err() });
    assert_eq!(error, PublishError::Refused(Refusal::TooLarge { size: 4, limit: 3 }));
    assert_eq!(error.to_string(), "not published: 4 bytes are more than the 3 of max_publication");
}

#[test]
fn a_key_of_more_than_255_bytes_is_refused() {
    let (mut world, hub) = memory();
    let mut subscription = subscribe(&mut world, &hub, "kept/a");
    let errors = world.block_on(async move {
        let long = "k".repeat(256);
        let fits = "k".repeat(255);
        hub.publish("kept/a", "1").key(fits.clone()).idempotency_key(fits).await.unwrap();
        let key = hub.publish("kept/a", "2").key(long.clone()).await.unwrap_err();
        [key, hub.publish("kept/a", "3").idempotency_key(long).await.unwrap_err()]
    });
    for (error, key) in errors.iter().zip(["a key", "an idempotency key"]) {
        assert_eq!(*error, PublishError::Refused(Refusal::KeyTooLong { key, size: 256 }));
        assert_eq!(error.to_string(), format!("not published: {key} of 256 bytes is longer than 255"));
    }
    world.advance(SECOND);
    assert_eq!(got(&mut subscription), [text("1")]);
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
fn a_publication_after_a_position_is_refused_if_another_came_first() {
    let (mut world, hub) = memory();
    let mut subscription = subscribe(&mut world, &hub, "kept/a");
    let mut after = |position, text: &'static str| {
        let hub = hub.clone();
        world.block_on(async move { hub.publish("kept/a", text).after(position).await })
    };
    let start = subscription.start().unwrap();
    let first = after(start, "1").unwrap().unwrap();
    let conflict = Err(PublishError::Refused(Refusal::Conflict));
    assert_eq!(after(start, "lost"), conflict);
    assert_eq!(after(Position::new(first.epoch, 2), "from the future"), conflict);
    assert_eq!(after(Position::new(Epoch(first.epoch.0 ^ 1), 1), "of another stream"), conflict);
    after(first, "2").unwrap();
    assert_eq!(got(&mut subscription), [text("1"), text("2")]);
}

/// A value that three instances change at the same time.
#[test]
fn publishing_after_a_position_counts_exactly() {
    let (mut world, _broker, hubs) = at_broker::<3>();
    for hub in hubs.iter().flat_map(|hub| [hub, hub]) {
        let hub = hub.clone();
        world.spawn(async move {
            for _ in 0..10 {
                while let page = hub.latest("kept/count", 1).await.unwrap()
                    && let value = page.publications.last().map_or(0, |last| last.message.as_bytes().len())
                    && let Err(error) = hub.publish("kept/count", "|".repeat(value + 1)).after(page.end()).await
                {
                    assert_eq!(error, PublishError::Refused(Refusal::Conflict));
                }
            }
        });
    }
    world.advance(600 * SECOND);
    let hub = hubs[0].clone();
    let page = world.block_on(async move { hub.latest("kept/count", 1).await.unwrap() });
    assert_eq!(page.publications[0].message.len(), 60);
}

/// It is refused, not left out.
#[test]
fn what_a_topic_or_a_backplane_cannot_do_is_refused() {
    let (mut world, hub) = memory();
    let unable = settings().backplane(Unable(Memory::new())).start::<Virtual>();
    let position = Position::new(Epoch(1), 1);
    for (hub, topic) in [(&hub, "plain"), (&unable, "kept/a"), (&unable, "plain")] {
        let refusal = |feature| match hub.promises().conditional {
            true => Err(PublishError::Refused(Refusal::NoHistory(feature))),
            false => Err(PublishError::Refused(Refusal::Unsupported(feature))),
        };
        let mut subscription = subscribe(&mut world, hub, topic);
        let hub = hub.clone();
        let results = world.block_on(async move {
            let after = hub.publish(topic, "x").after(position).await;
            (after, hub.publish(topic, "x").idempotency_key("k").await)
        });
        assert_eq!(results, (refusal("publishing after a position"), refusal("an idempotency key")));
        world.advance(SECOND);
        assert_eq!(got(&mut subscription), []);
    }
    // A topic that was to have history has none there.
    let mut subscription = since(&mut world, &unable, "kept/a", position);
    publish(&mut world, &unable, "kept/a", "live");
    assert_eq!(got(&mut subscription), [Got::Unrecoverable(Unrecoverable::NoHistory), text("live")]);
    assert_eq!(world.block_on(async move { unable.latest("kept/a", 1).await.unwrap_err() }), ReadError::NoHistory);
}

/// A backplane that promises nothing.
struct Unable(Memory);

impl Backplane for Unable {
    fn promises(&self) -> Promises {
        Promises::new("unable")
    }

    fn open(&self, inbound: Inbound) -> Box<dyn Link> {
        self.0.open(inbound)
    }
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
