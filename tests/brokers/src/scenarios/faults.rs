//! With faults of the broker.

use std::thread::sleep;
use std::time::Duration;

use super::calm::expect;
use crate::Outcome;
use crate::broker::Fault;
use crate::world::{Burst, World};

const PLAIN: &str = "plain/a";
const KEPT: &str = "kept/a";

/// Subscriptions of both topics at all instances, with a publication that all have.
struct Setup {
    plain: Vec<u64>,
    kept: Vec<u64>,
}

impl Setup {
    fn new(world: &mut World, instances: usize) -> Outcome<Self> {
        world.instances(instances)?;
        let plain = world.subscribe_all(PLAIN)?;
        let kept = if world.kind.has(Fault::History) { world.subscribe_all(KEPT)? } else { Vec::new() };
        let setup = Self { plain, kept };
        setup.all_hear(world)?;
        Ok(setup)
    }

    fn topics(&self) -> Vec<(&'static str, &[u64])> {
        let all = [(PLAIN, &self.plain[..]), (KEPT, &self.kept[..])];
        all.into_iter().filter(|(_, ids)| !ids.is_empty()).collect()
    }

    /// Publications of each instance reach all.
    fn all_hear(&self, world: &mut World) -> Outcome {
        for (topic, ids) in self.topics() {
            for instance in 0..world.instances.len() {
                world.publish_until_heard(instance, topic, ids)?;
            }
        }
        Ok(())
    }

    /// Each instance publishes all the time on each topic, for about so many seconds.
    fn publish(&self, world: &mut World, seconds: u64) -> Outcome {
        for (topic, _) in self.topics() {
            for instance in 0..world.instances.len() {
                let burst = Burst { pause: Duration::from_millis(5), ..Burst::new(topic, seconds * 200) };
                world.begin_as(instance, &format!("{topic} at {instance}"), &burst)?;
            }
        }
        Ok(())
    }

    /// Each was told gaps of this cause, where there is no history.
    fn expect_gaps(&self, world: &World, cause: &str) -> Outcome {
        self.plain.iter().try_for_each(|id| world.wait_for_gap(*id, cause))
    }

    /// None was told a gap, where there is history.
    fn expect_no_gaps(&self, world: &World) -> Outcome {
        for id in &self.kept {
            let gaps = world.told(*id).gaps;
            expect(gaps.is_empty(), || format!("{id} has history, and was told {gaps:?}"))?;
        }
        Ok(())
    }
}

/// Killed, and started again after a time.
pub(super) fn restart(world: &mut World, seconds: u64) -> Outcome {
    let setup = Setup::new(world, 3)?;
    setup.publish(world, seconds + 5)?;
    sleep(Duration::from_millis(500));
    world.broker.kill()?;
    sleep(Duration::from_secs(seconds));
    world.broker.start()?;
    if !world.kind.has(Fault::Resumes) {
        setup.expect_gaps(world, "BrokerLost")?;
    }
    setup.all_hear(world)?;
    if world.kind.has(Fault::Storage) {
        setup.expect_no_gaps(world)?;
    }
    expect(world.count("unavailable") > 0, || "all publications were accepted without a broker".to_owned())
}

/// The history is gone. That is told; and positions of it are refused.
pub(super) fn restart_without_data(world: &mut World) -> Outcome {
    let setup = Setup::new(world, 2)?;
    let since = setup.kept.first().and_then(|id| world.told(*id).last());
    world.broker.kill()?;
    world.broker.wipe()?;
    world.broker.start()?;
    setup.all_hear(world)?;
    setup.expect_gaps(world, if world.kind.has(Fault::Resumes) { "EpochChanged" } else { "BrokerLost" })?;
    expect_epoch(world, &setup, since)
}

/// An instance stands still while what it has not read is deleted. That is told; and positions before are refused.
pub(super) fn expire(world: &mut World) -> Outcome {
    let setup = Setup::new(world, 2)?;
    let since = setup.kept.first().and_then(|id| world.told(*id).last());
    world.stop(1)?;
    for (topic, ids) in setup.topics() {
        let running = world.publish(0, &Burst::new(topic, 50))?;
        world.wait_for(&ids[..1], &running.last())?;
    }
    world.broker.empty()?;
    world.resume(1)?;
    setup.all_hear(world)?;
    for (_, ids) in setup.topics() {
        let (there, away) = (world.told(ids[0]).gaps, world.told(ids[1]).gaps);
        expect(there.is_empty() && !away.is_empty(), || format!("gaps {there:?}, and {away:?} where it stood still"))?;
    }
    let late = world.subscribe(0, KEPT, since)?;
    let last = world.publish_until_accepted(0, KEPT)?;
    world.wait_for(&[late], &last)?;
    let told = world.told(late);
    expect(told.unrecoverable == ["Expired"], || format!("{:?}", told.unrecoverable))
}

/// The history is gone while all connections stand.
pub(super) fn empty(world: &mut World) -> Outcome {
    let setup = Setup::new(world, 2)?;
    let since = setup.kept.first().and_then(|id| world.told(*id).last());
    world.broker.empty()?;
    setup.all_hear(world)?;
    expect_epoch(world, &setup, since)
}

fn expect_epoch(world: &mut World, setup: &Setup, since: Option<ws_hub::Position>) -> Outcome {
    setup.kept.iter().try_for_each(|id| world.wait_for_gap(*id, "EpochChanged"))?;
    if since.is_some() {
        let late = world.subscribe(0, KEPT, since)?;
        world.publish_until_heard(0, KEPT, &[late])?;
        let told = world.told(late);
        let is_epoch = told.unrecoverable.len() == 1 && told.unrecoverable[0].starts_with("Epoch");
        expect(is_epoch, || format!("{:?}", told.unrecoverable))?;
    }
    Ok(())
}

/// Nothing is answered for 20 s, and no connection breaks: the heartbeat notices.
pub(super) fn freeze(world: &mut World) -> Outcome {
    let setup = Setup::new(world, 3)?;
    setup.publish(world, 25)?;
    world.broker.freeze()?;
    sleep(Duration::from_secs(20));
    // Meanwhile, publications are not accepted.
    let (accepted, local) = (world.count("accepted"), world.count("unavailable"));
    expect(local > 0, || format!("{accepted} accepted, and none was refused while the broker was frozen"))?;
    world.broker.thaw()?;
    setup.expect_gaps(world, "BrokerSilent")?;
    setup.all_hear(world)?;
    setup.expect_no_gaps(world)
}

/// The broker closes its subscribers, again and again.
pub(super) fn drop_clients(world: &mut World) -> Outcome {
    let setup = Setup::new(world, 3)?;
    setup.publish(world, 6)?;
    for _ in 0..4 {
        world.broker.drop_clients()?;
        setup.all_hear(world)?;
    }
    if !world.kind.has(Fault::Resumes) {
        setup.expect_gaps(world, "BrokerLost")?;
    }
    setup.expect_no_gaps(world)
}

/// An instance stands still while more is published than the broker keeps for it.
pub(super) fn slow_subscriber(world: &mut World) -> Outcome {
    let setup = Setup::new(world, 2)?;
    world.stop(1)?;
    for (topic, ids) in setup.topics() {
        let running = world.publish(0, &Burst { size: 500_000, ..Burst::new(topic, 80) })?;
        world.wait_for(&ids[..1], &running.last())?;
    }
    world.resume(1)?;
    setup.all_hear(world)?;
    let gaps = world.told(setup.plain[1]).gaps;
    expect(!gaps.is_empty(), || "it stood still, and was told no gap".to_owned())?;
    expect(world.told(setup.plain[0]).gaps.is_empty(), || "another one was told a gap".to_owned())
}

/// The master dies, and another one takes over.
pub(super) fn failover(world: &mut World) -> Outcome {
    let setup = Setup::new(world, 3)?;
    setup.publish(world, 15)?;
    sleep(Duration::from_millis(500));
    world.broker.kill()?;
    setup.expect_gaps(world, "BrokerLost")?;
    setup.all_hear(world)?;
    // The old one comes back, and is not used.
    world.broker.start()?;
    setup.all_hear(world)
}

/// A server dies, and its instances go to another one. What it had not passed on is told as a gap.
pub(super) fn node_dies(world: &mut World) -> Outcome {
    let setup = Setup::new(world, 3)?;
    setup.publish(world, 10)?;
    sleep(Duration::from_millis(500));
    world.broker.kill()?;
    sleep(Duration::from_secs(3));
    setup.all_hear(world)?;
    world.broker.start()?;
    setup.all_hear(world)
}

/// A server stands still until its instances have gone to another one. What it passes on then is late, and out of order.
pub(super) fn node_freezes(world: &mut World) -> Outcome {
    let setup = Setup::new(world, 3)?;
    setup.publish(world, 15)?;
    sleep(Duration::from_millis(500));
    world.broker.freeze()?;
    sleep(Duration::from_secs(8));
    world.broker.thaw()?;
    setup.all_hear(world)
}

/// The master stands still until another one has taken over, and goes on then: whoever stays connected to it hears nothing.
pub(super) fn deaf_failover(world: &mut World) -> Outcome {
    let setup = Setup::new(world, 2)?;
    setup.publish(world, 20)?;
    world.broker.freeze()?;
    sleep(Duration::from_secs(12));
    world.broker.thaw()?;
    setup.all_hear(world)?;
    expect(!world.told(setup.plain[0]).gaps.is_empty(), || "no gap was told".to_owned())
}

/// As after a power failure: the offsets of the last publications are given to others, while no instance looks.
pub(super) fn lost_tail(world: &mut World) -> Outcome {
    world.instances(2)?;
    let kept = world.subscribe_all(KEPT)?;
    let stored = world.publish(0, &Burst::new(KEPT, 10))?;
    world.wait_for(&kept, &stored.last())?;
    world.broker.command("save")?;
    let lost = world.publish(0, &Burst::new(KEPT, 5))?;
    world.wait_for(&kept, &lost.last())?;
    (0..2).try_for_each(|instance| world.stop(instance))?;
    world.broker.kill()?;
    world.broker.command("restore")?;
    world.broker.start()?;
    world.broker.command(&format!("publish 7 {KEPT}"))?;
    (0..2).try_for_each(|instance| world.resume(instance))?;
    kept.iter().try_for_each(|id| world.wait_for_gap(*id, "EpochChanged"))?;
    world.publish_until_heard(1, KEPT, &kept)?;
    let foreign = |id: &u64| world.told(*id).contents().iter().any(|content| content.starts_with("of another program"));
    expect(!kept.iter().any(foreign), || "a part of what was missed".to_owned())
}
