//! Rules 5 and 6: a publisher never waits for a subscriber, a slow one delays no other, and all share one publication.

use std::sync::Arc;

use ws_hub::conformance::{Virtual, World};
use ws_hub::{Delivery, GapCause, Hub, SlowPolicy, Subscription, TopicOptions};

use crate::setup::*;

fn bounded(policy: SlowPolicy) -> (World, Hub, Subscription, Subscription) {
    let mut world = World::new(1);
    let hub = Hub::builder().topics("", TopicOptions::new().slow(policy)).start::<Virtual>();
    let slow = world.block_on({
        let hub = hub.clone();
        async move { hub.subscribe("t").bound(3, 1 << 20).await.unwrap() }
    });
    let quick = subscribe(&mut world, &hub, "t");
    (world, hub, slow, quick)
}

fn publish_keyed(world: &mut World, hub: &Hub, all: &[(&'static str, &'static str)]) {
    for &(key, text) in all {
        let hub = hub.clone();
        world.block_on(async move { hub.publish("t", text).key(key).await.unwrap() });
    }
}

const SIX: [(&str, &str); 6] = [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("a", "5"), ("b", "6")];

#[test]
fn skipped_publications_are_a_gap() {
    let (mut world, hub, mut slow, mut quick) = bounded(SlowPolicy::Skip);
    publish_keyed(&mut world, &hub, &SIX);
    assert_eq!(got(&mut slow), [text("1"), text("2"), text("3")]);
    publish_keyed(&mut world, &hub, &[("a", "7")]);
    assert_eq!(got(&mut slow), [Got::Gap(GapCause::SlowSubscriber), text("7")]);
    assert_eq!(got(&mut quick).len(), 7);
}

#[test]
fn a_subscription_ends_after_what_waits() {
    let (mut world, hub, mut slow, mut quick) = bounded(SlowPolicy::Close);
    publish_keyed(&mut world, &hub, &SIX);
    assert_eq!(hub.subscribers("t"), 1);
    assert_eq!(got(&mut slow), [text("1"), text("2"), text("3")]);
    assert!(world.block_on(async move { slow.next().await }).is_none());
    assert_eq!(got(&mut quick).len(), 6);
}

#[test]
fn the_newest_of_each_key_waits() {
    let (mut world, hub, mut slow, mut quick) = bounded(SlowPolicy::Newest);
    publish_keyed(&mut world, &hub, &SIX);
    let waiting = got(&mut slow);
    assert_eq!(waiting[waiting.len() - 2..], [text("5"), text("6")]);
    assert!(waiting.len() <= 3 && !waiting.iter().any(|got| matches!(got, Got::Gap(_))), "{waiting:?}");
    // More keys than there is room for: the oldest are dropped, and that is told.
    publish_keyed(&mut world, &hub, &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]);
    assert_eq!(got(&mut slow), [Got::Gap(GapCause::SlowSubscriber), text("3"), text("4")]);
    assert_eq!(got(&mut quick).len(), 10);
}

#[test]
fn a_bound_in_bytes_lets_one_large_publication_pass() {
    let mut world = World::new(1);
    let hub = Hub::builder().start::<Virtual>();
    let mut subscription = world.block_on({
        let hub = hub.clone();
        async move { hub.subscribe("t").bound(100, 1000).await.unwrap() }
    });
    let large: &str = Box::leak("x".repeat(5000).into_boxed_str());
    publish(&mut world, &hub, "t", large);
    publish(&mut world, &hub, "t", "2");
    assert_eq!(got(&mut subscription), [text(large)]);
    publish(&mut world, &hub, "t", "3");
    assert_eq!(got(&mut subscription), [Got::Gap(GapCause::SlowSubscriber), text("3")]);
}

#[test]
fn all_subscribers_share_one_publication() {
    let (mut world, hub) = memory();
    let mut subscriptions: Vec<_> = (0..3).map(|_| subscribe(&mut world, &hub, "kept/a")).collect();
    publish(&mut world, &hub, "kept/a", "x");
    let publications: Vec<_> = subscriptions
        .iter_mut()
        .map(|subscription| match subscription.try_next() {
            Some(Delivery::Publication(publication)) => publication,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(publications.iter().all(|one| Arc::ptr_eq(one, &publications[0])));
}
