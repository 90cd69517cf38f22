//! Who may do what on a topic.

use std::sync::{Arc, Mutex};

use ws_hub::conformance::{Broker, Virtual, World};
use ws_hub::{
    Access, Action, Hub, InvalidTopic, Member, PresenceError, PublishError, ReadError, Refusal, SubscribeError,
};

use crate::setup::*;

struct User(&'static str);

/// What was asked, and by whom.
type Asked = Arc<Mutex<Vec<(Action, String, Option<&'static str>)>>>;

/// A hub on which `alice` may do everything, others nothing, and the application itself may publish.
fn guarded() -> (World, Broker, Hub, Asked) {
    let (world, broker, asked) = (World::new(1), Broker::new(1), Asked::default());
    let list = Arc::clone(&asked);
    let may = move |access: Access| {
        let name = access.identity::<User>().map(|user| user.0);
        list.lock().unwrap().push((access.action, access.topic.to_string(), name));
        async move {
            match access.identity::<User>() {
                Some(user) => user.0 == "alice",
                None => access.is_own() && access.action == Action::Publish,
            }
        }
    };
    let hub = settings().backplane(broker.clone()).authorize(may).start::<Virtual>();
    (world, broker, hub, asked)
}

/// Does everything that there is. Returns how it ended, and whether something was subscribed.
async fn attempts(hub: Hub, topic: &'static str) -> [bool; 4] {
    let subscribed = match hub.subscribe(topic).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, SubscribeError::Forbidden);
            false
        }
    };
    let published = match hub.publish(topic, "x").await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, PublishError::Refused(Refusal::Forbidden));
            false
        }
    };
    let read = match hub.latest(topic, 1).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, ReadError::Forbidden);
            false
        }
    };
    let present = match hub.presence(topic).await {
        Ok(room) => !format!("{:?}", room.join(Member::new("a", "").unwrap())).is_empty(),
        Err(error) => {
            assert_eq!(error, PresenceError::Forbidden);
            false
        }
    };
    [subscribed, published, read, present]
}

#[test]
fn each_action_on_each_topic_is_asked_for_with_the_identity_of_the_handle() {
    let (mut world, broker, hub, asked) = guarded();
    world.advance(SECOND);
    let before = broker.subscriptions();
    for (identity, expected) in
        [(Some("alice"), [true; 4]), (Some("bob"), [false; 4]), (None, [false, true, false, false])]
    {
        let own = identity.map_or_else(|| hub.clone(), |name| hub.with_identity(User(name)));
        assert_eq!(world.block_on(attempts(own, "kept/a")), expected, "{identity:?}");
        let actions = [Action::Subscribe, Action::Publish, Action::Subscribe, Action::Presence];
        let expected = actions.map(|action| (action, "kept/a".to_owned(), identity));
        assert_eq!(std::mem::take(&mut *asked.lock().unwrap()), expected);
    }
    // Its members and subscribers are gone.
    world.advance(60 * SECOND);
    assert_eq!((broker.subscriptions(), hub.subscribers("kept/a")), (before, 0));
}

#[test]
fn a_refused_call_costs_the_broker_nothing() {
    let (mut world, broker, hub, _) = guarded();
    world.advance(SECOND);
    let before = (broker.subscribed(), broker.accepted().iter().filter(|one| one.topic.as_str() == "kept/a").count());
    assert_eq!(world.block_on(attempts(hub.with_identity(User("bob")), "kept/a")), [false; 4]);
    world.advance(SECOND);
    let after = (broker.subscribed(), broker.accepted().iter().filter(|one| one.topic.as_str() == "kept/a").count());
    assert_eq!((before, hub.subscribers("kept/a"), broker.reads()), (after, 0, 0));
}

#[test]
fn an_identity_of_another_type_is_not_the_application_itself() {
    let (mut world, _broker, hub, _) = guarded();
    assert_eq!(world.block_on(attempts(hub.with_identity("alice"), "kept/a")), [false; 4]);
    // The last identity counts.
    let replaced = hub.with_identity(User("alice")).with_identity(User("bob"));
    assert_eq!(world.block_on(attempts(replaced, "kept/a")), [false; 4]);
}

#[test]
fn names_that_are_not_valid_are_told_before_it_is_asked() {
    let (mut world, _broker, hub, asked) = guarded();
    let results = world.block_on(async move {
        let subscribed = hub.subscribe("").await.map(drop);
        (
            subscribed,
            hub.presence("\0ws-hub/x").await.map(drop),
            hub.publish("", "").await,
            hub.latest("", 1).await.map(drop),
        )
    });
    assert_eq!(results.0, Err(SubscribeError::Topic(InvalidTopic::Empty)));
    assert_eq!(results.1, Err(PresenceError::Topic(InvalidTopic::Reserved)));
    assert_eq!(results.2, Err(PublishError::Refused(Refusal::Topic(InvalidTopic::Empty))));
    assert_eq!(results.3, Err(ReadError::Topic(InvalidTopic::Empty)));
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn no_answer_is_a_refusal() {
    let mut world = World::new(1);
    let hub = settings().authorize(|_| std::future::pending()).start::<Virtual>();
    assert_eq!(world.block_on(attempts(hub, "kept/a")), [false; 4]);
    assert_eq!(world.now(), 4 * 5 * SECOND);
}
