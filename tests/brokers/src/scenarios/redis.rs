//! What only a Redis can do.

use std::time::Duration;

use ws_hub::Position;

use super::calm::expect;
use crate::Outcome;
use crate::process::wait;
use crate::world::{Burst, PATIENCE, World};

/// Without memory, histories do not grow, and that is told in the words of the broker; live publications go on.
pub(super) fn no_memory(world: &mut World) -> Outcome {
    world.instances(2)?;
    let (plain, kept) = (world.subscribe_all("plain/a")?, world.subscribe_all("kept/a")?);
    let before = world.publish(0, &Burst::new("kept/a", 3))?;
    world.wait_for(&kept, &before.last())?;
    command(world, "CONFIG SET maxmemory 1000", "+OK")?;
    let refused = world.publish(0, &Burst::new("kept/a", 1))?;
    let result = world.result(&refused.last());
    let is_told = matches!(&result, Some((result, Some(reason))) if result == "refused" && reason.contains("OOM"));
    expect(is_told, || format!("{result:?}"))?;
    let live = world.publish(0, &Burst::new("plain/a", 3))?;
    world.wait_for(&plain, &live.last())?;
    // Also on a topic that has no stream yet, and for whoever recovers.
    world.subscribe(1, "kept/new", None)?;
    let again = world.subscribe(1, "kept/a", world.told(kept[1]).last())?;
    world.wait("a recovery", |told| Ok(told.subscriptions[&again].has_recovered()))?;
    command(world, "CONFIG SET maxmemory 0", "+OK")?;
    let after = world.publish(0, &Burst::new("kept/a", 1))?;
    world.wait_for(&kept, &after.last())?;
    kept.iter().try_for_each(|id| expect(world.told(*id).gaps.is_empty(), || "a gap".to_owned()))
}

/// A stream is gone, and the key of an idempotency key is left; and the other way round.
pub(super) fn evicted(world: &mut World) -> Outcome {
    world.instances(2)?;
    let kept = world.subscribe_all("kept/a")?;
    let once = Burst { once: Some("x"), ..Burst::new("kept/a", 1) };
    let first = world.publish(0, &once)?;
    world.wait_for(&kept, &first.last())?;
    let since = world.told(kept[0]).last();
    command(world, "DEL ws-hub:stream:kept/a", ":1")?;
    // What the key names is in no history any more.
    let second = world.publish(1, &once)?;
    world.wait_for(&kept, &second.last())?;
    kept.iter().try_for_each(|id| world.wait_for_gap(*id, "EpochChanged"))?;
    let late = world.subscribe(0, "kept/a", since)?;
    world.wait("a refusal", |told| Ok(!told.subscriptions[&late].unrecoverable.is_empty()))?;
    command(world, "DEL ws-hub:once:6:kept/a:x", ":1")?;
    let third = world.publish(1, &once)?;
    world.wait_for(&kept, &third.last())
}

pub(super) fn scripts_are_flushed(world: &mut World) -> Outcome {
    world.instances(1)?;
    let kept = world.subscribe_all("kept/a")?;
    for _ in 0..3 {
        command(world, "SCRIPT FLUSH", "+OK")?;
        let one = world.publish(0, &Burst::new("kept/a", 2))?;
        world.wait_for(&kept, &one.last())?;
    }
    Ok(())
}

/// As after a failover to a replica that lacks the last entries: positions among them are refused, and a subscriber that has seen
/// them is told.
pub(super) fn lost_tail(world: &mut World) -> Outcome {
    world.instances(2)?;
    let kept = world.subscribe_all("kept/a")?;
    let ten = world.publish(0, &Burst::new("kept/a", 10))?;
    world.wait_for(&kept, &ten.last())?;
    let lost = world.told(kept[0]).last().ok_or("no position")?;
    for _ in 0..3 {
        let last = world.last_entry("kept/a")?;
        command(world, &format!("XDEL ws-hub:stream:kept/a {last}"), ":1")?;
    }
    let beyond = world.subscribe(1, "kept/a", Some(lost))?;
    world.wait("a refusal", |told| Ok(!told.subscriptions[&beyond].unrecoverable.is_empty()))?;
    let after = world.publish(1, &Burst::new("kept/a", 2))?;
    world.wait_for(&kept, &after.last())?;
    kept.iter().try_for_each(|id| world.wait_for_gap(*id, "Missed"))?;
    let late = world.subscribe(1, "kept/a", Some(lost))?;
    world.wait("a refusal", |told| Ok(!told.subscriptions[&late].unrecoverable.is_empty()))
}

/// Streams of topics that have no publication stay for an hour, and as long as they are subscribed.
pub(super) fn empty_streams(world: &mut World) -> Outcome {
    world.instances(1)?;
    let kept = world.subscribe_all("kept/a")?;
    // At most 3600 s, and no week.
    command(world, "TTL ws-hub:stream:kept/a", ":3")?;
    command(world, "EXPIRE ws-hub:stream:kept/a 100", ":1")?;
    command(world, "CLIENT KILL TYPE pubsub", ":1")?;
    wait(PATIENCE, "a longer life", || Ok(world.broker.command("TTL ws-hub:stream:kept/a")?.starts_with(":3")))?;
    world.publish_until_heard(0, "kept/a", &kept)?;
    expect(kept.iter().all(|id| world.told(*id).gaps.is_empty()), || "a gap".to_owned())?;
    command(world, "TTL ws-hub:stream:kept/a", ":60")
}

/// Entries from the future: the IDs go on from them.
pub(super) fn clock(world: &mut World) -> Outcome {
    world.instances(2)?;
    // The last sequence number of its millisecond, in the year 2100.
    let add = "XADD ws-hub:stream:kept/a 4102444800000-4194303 e 00c0ffee00c0ffee p 0-0 h t- b future";
    command(world, &add.replace("t-", "\"t -\""), "$")?;
    let kept = world.subscribe_all("kept/a")?;
    let since = world.told(kept[0]).transcript.start;
    let two = world.publish(0, &Burst::new("kept/a", 2))?;
    world.wait_for(&kept, &two.last())?;
    let expected: Position =
        format!("00c0ffee00c0ffee:{}", (4_102_444_800_001_u64 << 22) + 1).parse().map_err(|_| "?")?;
    expect(world.told(kept[1]).last() == Some(expected), || format!("{:?}", world.told(kept[1]).last()))?;
    let late = world.subscribe(1, "kept/a", since)?;
    world.wait_for(&[late], &two.last())
}

/// A master that becomes a replica is given up, and used again when it is a master.
pub(super) fn replica(world: &mut World) -> Outcome {
    world.instances(1)?;
    let (plain, kept) = (world.subscribe_all("plain/a")?, world.subscribe_all("kept/a")?);
    world.publish_until_heard(0, "kept/a", &kept)?;
    command(world, "REPLICAOF 127.0.0.1 1", "+OK")?;
    let refused = world.publish(0, &Burst::new("kept/a", 1))?;
    let result = world.result(&refused.last()).map(|(result, _)| result);
    expect(result.as_deref() == Some("unavailable"), || format!("{result:?}"))?;
    wait(PATIENCE, "the log", || Ok(world.has_logged(0, "it is a replica")))?;
    command(world, "REPLICAOF NO ONE", "+OK")?;
    world.publish_until_heard(0, "plain/a", &plain)?;
    world.publish_until_heard(0, "kept/a", &kept)?;
    world.wait_for_gap(plain[0], "BrokerLost")
}

/// The rights that docs/hub.md names are enough.
pub(super) fn few_rights(world: &mut World) -> Outcome {
    let rights = "~ws-hub:* &ws-hub:* +@all -@dangerous +info +role +config|get";
    command(world, &format!("ACL SETUSER hub on >p%ss {rights}"), "+OK")?;
    world.backplane = Some(world.broker.backplane().replace("redis://", "redis://hub:p%25ss@"));
    world.instances(2)?;
    for topic in ["plain/a", "kept/a"] {
        let ids = world.subscribe_all(topic)?;
        let once = Burst { once: topic.starts_with("kept").then_some("x"), ..Burst::new(topic, 1) };
        let one = world.publish(0, &once)?;
        world.wait_for(&ids, &one.last())?;
    }
    let kept = world.subscribe(1, "kept/a", None)?;
    // Less than enough: nothing is added to a history that cannot be published.
    command(world, "ACL SETUSER hub resetchannels", "+OK")?;
    command(world, "ACL SETUSER hub &elsewhere", "+OK")?;
    wait(PATIENCE, "the log", || Ok(world.has_logged(0, "no permissions")))?;
    command(world, "ACL SETUSER hub &ws-hub:*", "+OK")?;
    world.publish_until_heard(0, "kept/a", &[kept])?;
    for instance in 0..2 {
        expect(!world.has_logged(instance, "p%ss"), || "a password is in the log".to_owned())?;
    }
    Ok(())
}

/// It is said in the log, and the hub goes on by itself.
pub(super) fn wrong_credentials(world: &mut World) -> Outcome {
    command(world, "ACL SETUSER hub on >secret ~* &* +@all", "+OK")?;
    command(world, "ACL SETUSER default off", "+OK")?;
    let url = |credentials: &str| world.broker.backplane().replace("redis://", &format!("redis://{credentials}"));
    let backplanes = [url(""), url("hub:hunter2@")];
    for (instance, (backplane, words)) in backplanes.into_iter().zip(["NOAUTH", "WRONGPASS"]).enumerate() {
        world.backplane = Some(backplane);
        world.instances(instance + 1)?;
        wait(PATIENCE, "the log", || {
            let has = world.has_logged(instance, words) || world.has_logged(instance, "uthentication");
            Ok(has && !world.has_logged(instance, "hunter2"))
        })?;
        let local = world.publish(instance, &Burst::new("plain/a", 1))?;
        let result = world.result(&local.last()).map(|(result, _)| result);
        expect(result.as_deref() == Some("unavailable"), || format!("{result:?}"))?;
    }
    Ok(())
}

/// A program without a hub publishes in the form that is documented; what has another form is told in the log.
pub(super) fn other_programs(world: &mut World) -> Outcome {
    world.instances(1)?;
    let plain = world.subscribe_all("plain/a")?;
    command(world, "PUBLISH ws-hub:0:plain/a hello", ":1")?;
    command(world, "PUBLISH ws-hub:0:plain/a \"w1 t -\\nfrom elsewhere\"", ":1")?;
    world.wait_for(&plain, "from elsewhere")?;
    expect(world.told(plain[0]).contents() == ["from elsewhere"], || format!("{:?}", world.told(plain[0]).contents()))?;
    wait(PATIENCE, "the log", || Ok(world.has_logged(0, "has not the form of a publication")))?;
    plain.iter().try_for_each(|id| world.wait_for_gap(*id, "Missed"))?;
    // An entry of others in a stream: nobody is told that all is well.
    let kept = world.subscribe_all("kept/a")?;
    command(world, "XADD ws-hub:stream:kept/a * field value", "$")?;
    let refused = world.publish(0, &Burst::new("kept/a", 1))?;
    let result = world.result(&refused.last());
    let is_refused =
        matches!(&result, Some((result, Some(words))) if result == "refused" && words.contains("entries of others"));
    expect(is_refused, || format!("{result:?}"))?;
    command(world, "DEL ws-hub:stream:kept/a", ":1")?;
    world.publish_until_heard(0, "kept/a", &kept)?;
    std::thread::sleep(Duration::from_millis(100));
    Ok(())
}

/// A hub says at its start what of the broker's settings can lose publications.
pub(super) fn settings(world: &mut World) -> Outcome {
    world.instances(1)?;
    world.subscribe_all("plain/a")?;
    command(world, "CONFIG SET maxmemory 100mb", "+OK")?;
    command(world, "CONFIG SET maxmemory-policy allkeys-lru", "+OK")?;
    command(world, "CONFIG SET client-output-buffer-limit \"pubsub 2mb 1mb 60\"", "+OK")?;
    world.instances(2)?;
    world.subscribe(1, "plain/a", None)?;
    for words in ["maxmemory-policy is allkeys-lru", "client-output-buffer-limit pubsub, hard", "pubsub, soft"] {
        wait(PATIENCE, words, || Ok(world.has_logged(1, words)))?;
        expect(!world.has_logged(0, words), || format!("said without a reason: {words}"))?;
    }
    Ok(())
}

fn command(world: &mut World, command: &str, expected: &str) -> Outcome {
    let answer = world.broker.command(command)?;
    expect(answer.starts_with(expected), || format!("{command}: {answer}"))
}

impl World {
    /// The ID of the last entry of a stream.
    fn last_entry(&mut self, topic: &str) -> Outcome<String> {
        let last = "redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]";
        let script = format!("EVAL \"return redis.status_reply({last})\" 1 ws-hub:stream:{topic}");
        let answer = self.broker.command(&script)?;
        Ok(answer.trim_start_matches('+').to_owned())
    }
}
