//! Presence over instances, on virtual time.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ws_hub::conformance::{Broker, Virtual, World};
use ws_hub::{Hub, Joined, Member, PresenceEvent, PresenceWatch, TopicPresence};

fn member(id: &str) -> Member {
    Member::new(id, format!("data of {id}")).unwrap()
}

/// The presence of a room at an instance.
struct Instance {
    hub: Hub,
    room: TopicPresence,
}

fn ids(instance: &Instance) -> Vec<String> {
    instance.room.members().iter().map(|member| member.id.to_string()).collect()
}

fn join(instance: &Instance, id: &str) -> Joined {
    instance.room.join(member(id))
}

fn start(broker: &Broker) -> Hub {
    Hub::builder().backplane(broker.clone()).start::<Virtual>()
}

fn instance(world: &mut World, hub: Hub) -> Instance {
    let here = hub.clone();
    Instance { room: world.block_on(async move { here.presence("room").await.unwrap() }), hub }
}

fn instances(world: &mut World, broker: &Broker, count: usize) -> Vec<Instance> {
    (0..count).map(|_| instance(world, start(broker))).collect()
}

/// The events that wait.
fn events(watch: &mut PresenceWatch) -> Vec<PresenceEvent> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut events = Vec::new();
    while let Poll::Ready(event) = pin!(watch.next()).poll(&mut cx) {
        events.push(event);
    }
    events
}

#[test]
fn members_join_at_once_and_leave_after_the_grace() {
    let mut world = World::new(1);
    let hubs = instances(&mut world, &Broker::new(1), 2);
    let mut watch = hubs[1].room.watch();
    assert_eq!(events(&mut watch), [PresenceEvent::Members(vec![])]);
    world.advance(Duration::from_secs(2));
    let alice = join(&hubs[0], "alice");
    world.advance(Duration::from_millis(100));
    assert_eq!(ids(&hubs[0]), ["alice"]);
    assert_eq!(ids(&hubs[1]), ["alice"]);
    // A reload.
    drop(alice);
    world.advance(Duration::from_secs(10));
    let alice = join(&hubs[0], "alice");
    world.advance(Duration::from_secs(30));
    assert_eq!(ids(&hubs[1]), ["alice"]);
    // Two connections, at two instances.
    let other = join(&hubs[1], "alice");
    world.advance(Duration::from_secs(1));
    drop(alice);
    world.advance(Duration::from_secs(20));
    assert_eq!(ids(&hubs[0]), ["alice"]);
    drop(other);
    world.advance(Duration::from_secs(14));
    assert_eq!(ids(&hubs[0]), ["alice"]);
    world.advance(Duration::from_secs(3));
    assert_eq!((ids(&hubs[0]).len(), ids(&hubs[1]).len()), (0, 0));

    let alice = member("alice");
    assert_eq!(events(&mut watch), [PresenceEvent::Joined(alice.clone()), PresenceEvent::Left(alice)]);
}

/// An instance that starts without the broker hears of nobody, and asks as soon as it can hear the answers.
#[test]
fn an_instance_that_starts_without_the_broker_knows_all_members_soon_after() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        let broker = Broker::new(seed);
        let mut hubs = instances(&mut world, &broker, 1);
        world.advance(Duration::from_secs(2));
        let _alice = join(&hubs[0], "alice");
        let hub = start(&broker);
        broker.cut(1, Duration::from_secs(8));
        hubs.push(instance(&mut world, hub));
        let _bob = join(&hubs[1], "bob");
        world.advance(Duration::from_secs(7));
        assert_eq!((ids(&hubs[0]), ids(&hubs[1])), (vec!["alice".to_owned()], vec!["bob".to_owned()]));
        // The longest delay of a reconnect, and of a subscription, and a tick.
        world.advance(Duration::from_secs(13));
        assert_eq!((ids(&hubs[0]).len(), ids(&hubs[1]).len()), (2, 2), "seed {seed}");
    }
}

/// Members, and one event of all of them, for a watcher that does not look.
#[test]
fn a_watcher_that_is_too_slow_gets_all_members_anew() {
    let mut world = World::new(4);
    let hubs = instances(&mut world, &Broker::new(4), 2);
    let mut watch = hubs[1].room.watch();
    assert_eq!(events(&mut watch).len(), 1);
    let _joined: Vec<_> = (0..1001).map(|n| join(&hubs[0], &n.to_string())).collect();
    world.advance(Duration::from_secs(60));
    let events = events(&mut watch);
    assert!(matches!(&events[..], [PresenceEvent::Members(all)] if all.len() == 1001), "{events:?}");
}

#[test]
fn members_of_instances_that_lost_the_broker_stay_and_what_was_missed_is_found() {
    let mut world = World::new(5);
    let broker = Broker::new(5);
    let hubs = instances(&mut world, &broker, 2);
    let _alice = join(&hubs[0], "alice");
    let bob = join(&hubs[1], "bob");
    world.advance(Duration::from_secs(2));
    assert_eq!(ids(&hubs[0]), ["alice", "bob"]);
    broker.cut(1, Duration::from_secs(30));
    world.advance(Duration::from_secs(1));
    let _carol = join(&hubs[0], "carol");
    let _dave = join(&hubs[1], "dave");
    drop(bob);
    world.advance(Duration::from_secs(20));
    assert_eq!(ids(&hubs[0]), ["alice", "bob", "carol"]);
    assert_eq!(ids(&hubs[1]), ["alice", "dave"]);
    world.advance(Duration::from_secs(20));
    for instance in &hubs {
        assert_eq!(ids(instance), ["alice", "carol", "dave"], "{:?}", instance.hub);
    }
}

#[test]
fn an_instance_that_shuts_down_takes_its_members_with_it_at_once() {
    let mut world = World::new(6);
    let broker = Broker::new(6);
    let hubs = instances(&mut world, &broker, 2);
    let gone = [join(&hubs[0], "alice"), join(&hubs[0], "bob"), join(&hubs[0], "both")];
    let _here = [join(&hubs[1], "both"), join(&hubs[1], "carol")];
    world.advance(Duration::from_secs(5));
    assert_eq!(ids(&hubs[1]), ["alice", "bob", "both", "carol"]);
    let mut watch = hubs[1].room.watch();
    assert_eq!(events(&mut watch).len(), 1);
    let hub = hubs[0].hub.clone();
    world.block_on(async move { hub.shutdown().await });
    world.advance(Duration::from_millis(500));
    assert_eq!(ids(&hubs[1]), ["both", "carol"]);
    assert_eq!(events(&mut watch), [PresenceEvent::Left(member("alice")), PresenceEvent::Left(member("bob"))]);
    // Handles that are dropped later change nothing, and the instance can be used again.
    drop(gone);
    let _again = join(&hubs[0], "alice");
    world.advance(Duration::from_secs(20));
    assert_eq!(ids(&hubs[1]), ["alice", "both", "carol"]);
}

#[test]
fn a_shutdown_without_the_broker_ends() {
    let mut world = World::new(7);
    let broker = Broker::new(7);
    let hubs = instances(&mut world, &broker, 1);
    let _alice = join(&hubs[0], "alice");
    world.advance(Duration::from_secs(2));
    broker.cut(0, Duration::from_secs(1_000_000));
    let hub = hubs[0].hub.clone();
    world.block_on(async move { hub.shutdown().await });
    assert_eq!(ids(&hubs[0]).len(), 0);
}

#[test]
fn a_dead_instance_takes_its_members_with_it() {
    let mut world = World::new(2);
    let broker = Broker::new(2);
    let mut hubs = instances(&mut world, &broker, 2);
    let (_alice, bob) = (join(&hubs[0], "alice"), join(&hubs[1], "bob"));
    world.advance(Duration::from_secs(5));
    assert_eq!(ids(&hubs[0]), ["alice", "bob"]);
    // It says nothing more, not even that bob has left.
    std::mem::forget(bob);
    broker.cut(1, Duration::from_secs(1_000_000));
    drop(hubs.pop());
    world.advance(Duration::from_secs(55));
    assert_eq!(ids(&hubs[0]), ["alice", "bob"]);
    world.advance(Duration::from_secs(30));
    assert_eq!(ids(&hubs[0]), ["alice"]);
}

#[test]
fn an_instance_that_comes_later_knows_all_members() {
    let mut world = World::new(3);
    let broker = Broker::new(3);
    let first = instances(&mut world, &broker, 3);
    let joined: Vec<_> = (0..3000).map(|n| join(&first[n % 3], &format!("{n:05}"))).collect();
    world.advance(Duration::from_secs(5));
    let late = instances(&mut world, &broker, 1);
    assert_eq!(ids(&late[0]).len(), 0);
    world.advance(Duration::from_secs(30));
    assert_eq!(ids(&late[0]).len(), 3000);
    drop(joined);
    world.advance(Duration::from_secs(60));
    assert_eq!(ids(&late[0]).len(), 0);
}

/// An instance that forgets a topic and uses it again is not taken for one that repeats old words.
#[test]
fn presence_that_is_used_again_is_heard() {
    let mut world = World::new(1);
    let broker = Broker::new(1);
    let mut hubs = instances(&mut world, &broker, 2);
    let other = hubs.pop().unwrap();
    let hub = hubs.pop().unwrap().hub;
    for round in 0..5 {
        // The last handle went with the last round.
        let here = instance(&mut world, hub.clone());
        let joined = join(&here, &format!("alice {round}"));
        drop(here);
        world.advance(Duration::from_secs(2));
        assert_eq!(ids(&other), [format!("alice {round}")]);
        drop(joined);
        // The grace, and until the topic is forgotten, but not the lease.
        world.advance(Duration::from_secs(20));
        assert_eq!(ids(&other), Vec::<String>::new());
    }
}
