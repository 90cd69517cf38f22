//! [`storm`]: instances, publishers and subscribers around a broker that fails; and the rules that hold all the same.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::audit::{Accepted, Outcome, Seen, Transcript, Violation, audit};
use super::broker::Broker;
use super::rng::Rng;
use super::world::{Virtual, World};
use crate::hub::{Hub, Joined, TopicPresence};
use crate::options::TopicOptions;
use crate::position::{Epoch, Position};
use crate::presence::Member;
use crate::publication::{Delivery, Publication};

/// The topic with history, and the one without.
const TOPICS: [&str; 2] = ["kept/ *.>\0\u{fc}", "plain/..#{x}\r\n"];
/// The most bytes of a publication.
const LIMIT: usize = 1000;
const INSTANCES: usize = 3;
const SUBSCRIBERS: usize = 12;
/// Members of each instance.
const MEMBERS: usize = 8;
/// The time with faults, and the time after it in which everything must be in order again.
const STORM: Duration = Duration::from_secs(60);
const AFTERMATH: Duration = Duration::from_secs(90);

/// The deliveries of one subscription.
#[derive(Default)]
struct Record {
    topic: &'static str,
    since: Option<Position>,
    /// So many of the last publications were asked for.
    last: usize,
    start: Option<Position>,
    deliveries: Mutex<Vec<Delivery>>,
}

type Records = Arc<Mutex<Vec<Arc<Record>>>>;

/// Runs instances with publishers and subscribers around a broker that fails, and checks the rules.
///
/// # Errors
///
/// The first rule that did not hold. The seed repeats the run.
pub fn storm(seed: u64) -> Result<Outcome, Violation> {
    let mut rng = Rng::new(seed);
    let mut world = World::new(rng.next());
    let broker = Broker::new(rng.next());
    let history = TopicOptions::new().history(5 + rng.below(200), Duration::from_secs(3600));
    let hubs: Vec<_> = (0..INSTANCES)
        .map(|_| {
            let hub = Hub::builder().backplane(broker.clone()).topics("kept/", history.clone());
            // Gates that overflow, too.
            hub.max_recovery(5 + rng.below(200), 1 << 20).max_publication(LIMIT).start::<Virtual>()
        })
        .collect();
    let records = Records::default();
    for hub in &hubs {
        world.spawn(publish(hub.clone(), Rng::new(rng.next()), STORM));
    }
    for subscriber in 0..SUBSCRIBERS {
        let (hubs, topic) = (hubs.clone(), TOPICS[subscriber % 2]);
        world.spawn(subscribe(hubs, topic, Rng::new(rng.next()), Arc::clone(&records)));
    }
    let room = |hub: &Hub| {
        let hub = hub.clone();
        world.block_on(async move { hub.presence("room").await.ok() })
    };
    let rooms: Vec<_> = hubs.iter().filter_map(room).collect();
    for (index, room) in rooms.iter().enumerate() {
        world.spawn(come_and_go(hubs[index].clone(), room.clone(), index, Rng::new(rng.next())));
    }
    world.advance(Duration::from_secs(1));
    broker.disturb();
    while world.now() < STORM {
        world.advance(rng.up_to(Duration::from_secs(4)));
        let (link, time) = (rng.below(INSTANCES), rng.up_to(Duration::from_secs(5)));
        match rng.below(10) {
            0 => broker.restart(true, time),
            1 => broker.restart(false, time),
            2..5 => broker.cut(link, time),
            5..7 => broker.freeze(link, time),
            _ => {}
        }
    }
    broker.calm();
    world.advance(AFTERMATH);
    // Publications that are made now reach all who are still there, after everything that they missed.
    for topic in TOPICS {
        let hub = hubs[0].clone();
        world.spawn(async move { drop(hub.publish(topic, "last").await) });
    }
    world.advance(AFTERMATH);
    if broker.accepted().iter().any(|one| one.message.len() > LIMIT) {
        return Err(Violation("a publication above the limit was accepted".to_owned()));
    }
    let records = records.lock().unwrap_or_else(PoisonError::into_inner).clone();
    check_presence(&rooms)?;
    check(&broker.accepted(), &records)
}

/// Members of an instance come and go.
async fn come_and_go(hub: Hub, room: TopicPresence, instance: usize, mut rng: Rng) {
    let clock = hub.clock();
    let mut here: Vec<Option<Joined>> = (0..MEMBERS).map(|_| None).collect();
    while clock.now().since_origin() < STORM {
        let n = rng.below(MEMBERS);
        // Some are members at several instances.
        let id = if n.is_multiple_of(4) { format!("everywhere {n}") } else { format!("{n} at {instance}") };
        let member = Member::new(id, format!("{}", rng.below(3)));
        here[n] = if here[n].is_none() { member.ok().map(|member| room.join(member)) } else { None };
        clock.sleep(rng.up_to(Duration::from_secs(2))).await;
    }
    clock.sleep(STORM * 1000).await;
}

fn check_presence(rooms: &[TopicPresence]) -> Result<(), Violation> {
    let lists: Vec<_> = rooms.iter().map(TopicPresence::members).collect();
    match lists.iter().find(|list| **list != lists[0]) {
        Some(other) => Err(Violation(format!("instances differ in their members: {:#?} and {other:#?}", lists[0]))),
        None if lists[0].is_empty() => Err(Violation("no instance knows a member".to_owned())),
        None => Ok(()),
    }
}

async fn publish(hub: Hub, mut rng: Rng, time: Duration) {
    let clock = hub.clock();
    let mut n = 0u32;
    while clock.now().since_origin() < time {
        clock.sleep(rng.up_to(Duration::from_millis(500))).await;
        // Bursts, whose order shows.
        for _ in 0..1 + rng.below(5) {
            n += 1;
            let topic = TOPICS[rng.below(2)];
            if rng.one_in(50) {
                // It is not among those that the broker accepts, so a subscriber that gets it shows that.
                let _ = hub.publish(topic, "x".repeat(LIMIT + 1)).await;
            }
            let _ = hub.publish(topic, format!("{:p}-{n}", Arc::as_ptr(&hub.inner))).await;
        }
    }
}

/// Subscribes, and after a while at another instance again from the last position.
async fn subscribe(hubs: Vec<Hub>, topic: &'static str, mut rng: Rng, records: Records) {
    let mut since = None;
    loop {
        let hub = &hubs[rng.below(hubs.len())];
        let last = if rng.one_in(2) { rng.below(20) } else { 0 };
        // Some have forgotten their position.
        since = since.filter(|_| !rng.one_in(4));
        // And some send what never was one.
        let bad = [Position::new(Epoch(rng.next()), rng.next()), Position::new(Epoch(rng.next()), 0)];
        let bad = bad.into_iter().chain(since.map(|since: Position| Position::new(since.epoch, u64::MAX)));
        let bad = bad.filter(|_| rng.one_in(30)).last();
        let asked = bad.or(since);
        let Ok(mut subscription) = hub.subscribe(topic).since(asked).last(last).await else { return };
        let record = Arc::new(Record { topic, since: asked, last, start: subscription.start(), ..Record::default() });
        records.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&record));
        since = since.or(record.start);
        let is_in_storm = hub.clock().now().since_origin() < STORM;
        let stay = if is_in_storm { rng.up_to(Duration::from_secs(20)) } else { Duration::from_secs(3600) };
        let clock = hub.clock();
        let deadline = clock.now() + stay;
        while let Some(left) = deadline.since_origin().checked_sub(clock.now().since_origin())
            && let Some(Some(delivery)) = clock.within(left, subscription.next()).await
        {
            if let Delivery::Publication(publication) = &delivery {
                since = publication.position.or(since);
            }
            record.deliveries.lock().unwrap_or_else(PoisonError::into_inner).push(delivery);
        }
        drop(subscription);
        clock.sleep(rng.up_to(Duration::from_secs(5))).await;
    }
}

fn check(accepted: &[Arc<Publication>], records: &[Arc<Record>]) -> Result<Outcome, Violation> {
    let content = |publication: &Publication| String::from_utf8_lossy(publication.message.as_bytes()).into_owned();
    let accepted: Vec<_> =
        accepted.iter().map(|one| Accepted::new(one.topic.as_str(), content(one), one.position)).collect();
    let transcripts: Vec<_> = records
        .iter()
        .enumerate()
        .map(|(index, record)| {
            let mut transcript =
                Transcript::new(format!("subscription {index}"), record.topic, record.topic == TOPICS[0]);
            (transcript.since, transcript.last, transcript.start) = (record.since, record.last, record.start);
            let deliveries = record.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
            transcript.seen = deliveries.iter().map(|delivery| Seen::new(delivery, content)).collect();
            transcript
        })
        .collect();
    let outcome = audit(&accepted, &transcripts)?;
    // Each subscriber that is there at the end has the last publication.
    for transcript in &transcripts[records.len() - SUBSCRIBERS..] {
        let is_last = |seen: &Seen| matches!(seen, Seen::Publication { content, .. } if content == "last");
        if !transcript.seen.last().is_some_and(is_last) {
            let end = &transcript.seen[transcript.seen.len().saturating_sub(5)..];
            return Err(Violation(format!("{}: the last publication is missing: {end:#?}", transcript.topic)));
        }
    }
    Ok(outcome)
}
