//! Hubs on threads without a runtime.

use std::sync::Arc;
use std::thread;

use ws_hub::{Delivery, Member, Offer, PresenceEvent, Subscriber};

use crate::setup::*;

#[test]
fn tasks_are_spawned_from_threads_without_a_runtime() {
    let (mut world, broker, [hub, other]) = at_broker::<2>();
    world.advance(SECOND);
    let others = broker.subscriptions();
    let subscription = subscribe(&mut world, &hub, "kept/a");
    let [room, elsewhere] = [&hub, &other].map(|hub| {
        let hub = hub.clone();
        world.block_on(async move { hub.presence("room").await.unwrap() })
    });
    world.advance(2 * SECOND);
    let alice = Member::new("alice", "").unwrap();
    let joined = thread::scope(|scope| scope.spawn(|| room.join(alice.clone())).join().unwrap());
    world.advance(SECOND);
    assert_eq!(elsewhere.members(), std::slice::from_ref(&alice));
    thread::spawn(move || drop((joined, room, subscription))).join().unwrap();
    let mut watch = elsewhere.watch();
    let before = world.now();
    let first = world.block_on(async move { (watch.next().await, watch.next().await) });
    assert_eq!(first, (PresenceEvent::Members(vec![alice.clone()]), PresenceEvent::Left(alice)));
    // Long before the lease of the instance would end.
    assert!(world.now() - before < 20 * SECOND);
    drop(elsewhere);
    world.advance(60 * SECOND);
    assert_eq!(broker.subscriptions(), others);
}

/// A runtime that has ended spawns nothing: what is done afterwards does no harm, and nothing is kept.
#[test]
fn a_hub_outlives_its_runtime() {
    let (mut world, broker, [hub]) = at_broker::<1>();
    let (here, kept) = (hub.clone(), Arc::new(Nobody));
    let subscriber = Arc::clone(&kept);
    let (membership, room) = world.block_on(async move {
        let membership = here.subscribe("kept/a").to(subscriber).await.unwrap();
        (membership, here.presence("room").await.unwrap())
    });
    let joined = room.join(Member::new("alice", "").unwrap());
    drop(world);
    let late = room.join(Member::new("bob", "").unwrap());
    assert_eq!(room.members().len(), 2);
    drop((late, joined, membership));
    assert_eq!(Arc::strong_count(&kept), 1);
    drop((room, hub, broker));
}

struct Nobody;

impl Subscriber for Nobody {
    fn offer(&self, _: &Delivery) -> Offer {
        Offer::Taken
    }

    fn end(&self) {}
}
