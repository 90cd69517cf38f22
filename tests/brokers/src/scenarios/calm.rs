//! Without faults of the broker.

use std::time::Duration;

use crate::Outcome;
use crate::broker::Fault;
use crate::world::{Burst, World};

/// All publish at the same time, and all get everything.
pub(super) fn live(world: &mut World) -> Outcome {
    world.instances(3)?;
    let mut runs = Vec::new();
    let has_history = world.kind.has(Fault::History);
    for topic in ["plain/a", "kept/a"] {
        if topic == "kept/a" && !has_history {
            continue;
        }
        let ids = world.subscribe_all(topic)?;
        for instance in 0..world.instances.len() {
            let name = format!("{topic}@{instance}");
            runs.push((ids.clone(), world.begin_as(instance, &name, &Burst::new(topic, 200))?));
        }
    }
    for (ids, running) in &runs {
        world.finish(running)?;
        world.wait_for(ids, &running.last())?;
    }
    for (ids, _) in &runs {
        let expected = 200 * world.instances.len();
        for id in ids {
            let told = world.told(*id);
            // Not each last one comes last: the others of the topic are on their way.
            expect(told.contents().len() == expected && told.gaps.is_empty(), || {
                format!("{id} got {} of {expected}, gaps {:?}", told.contents().len(), told.gaps)
            })?;
        }
    }
    Ok(())
}

/// Who was away gets exactly what was published meanwhile, at another instance, too.
pub(super) fn recovery(world: &mut World) -> Outcome {
    world.instances(2)?;
    let elsewhere = world.instances.len() - 1;
    let first = world.subscribe(0, "kept/a", None)?;
    let before = world.publish(0, &Burst::new("kept/a", 10))?;
    world.wait_for(&[first], &before.last())?;
    world.unsubscribe(0, first)?;
    let since = world.told(first).last();
    let missed = world.publish(0, &Burst::new("kept/a", 2500))?;
    // A storm of those who come back, while publishing goes on.
    let running = world.begin(0, &Burst::new("kept/a", 500))?;
    let ids: Vec<_> = (0..20).map(|_| world.begin_subscribing(elsewhere, "kept/a", since)).collect::<Outcome<_>>()?;
    world.finish(&running)?;
    world.wait_for(&ids, &running.last())?;
    for id in ids {
        let told = world.told(id);
        expect(told.has_recovered() && told.unrecoverable.is_empty(), || {
            format!("not recovered: {:?}", told.unrecoverable)
        })?;
        let contents = told.contents();
        let expected = (missed.count + running.count) as usize;
        expect(contents.len() == expected, || format!("{} of {expected}", contents.len()))?;
    }
    Ok(())
}

/// A history of 5 publications does not reach back: that is said, and nothing of it is delivered.
pub(super) fn trimmed(world: &mut World) -> Outcome {
    world.instances(1)?;
    let first = world.subscribe(0, "short/a", None)?;
    let one = world.publish(0, &Burst::new("short/a", 1))?;
    world.wait_for(&[first], &one.last())?;
    let since = world.told(first).last();
    let five = world.publish(0, &Burst::new("short/a", 5))?;
    let exact = world.subscribe(0, "short/a", since)?;
    world.wait_for(&[exact], &five.last())?;
    let sixth = world.publish(0, &Burst::new("short/a", 1))?;
    world.wait_for(&[first, exact], &sixth.last())?;
    let late = world.subscribe(0, "short/a", since)?;
    let seventh = world.publish(0, &Burst::new("short/a", 1))?;
    world.wait_for(&[late], &seventh.last())?;
    let told = world.told(late);
    expect(told.unrecoverable == ["Expired"], || format!("{:?}", told.unrecoverable))?;
    expect(told.contents() == [seventh.last()], || format!("{:?}", told.contents()))
}

/// Names that mean something to one broker or other.
pub(super) fn names(world: &mut World) -> Outcome {
    world.instances(2)?;
    let has_history = world.kind.has(Fault::History);
    let long = "é".repeat(125);
    let names = [
        "a",
        "a.b",
        "a..b",
        ".a",
        "a.",
        "*",
        ">",
        "a.*",
        "a.>",
        "a b",
        " ",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "\0",
        "{a}b",
        "a:b",
        "a/b",
        "\u{fffd}",
        "日本",
        "é",
        "e\u{301}",
        "A",
        "$SYS.x",
        "__x",
        "..",
        "%00",
        "\"",
        "\\",
        &long,
        "x".repeat(250).as_str(),
    ]
    .map(str::to_owned);
    let mut all = Vec::new();
    for name in &names {
        for prefix in ["", "kept/"] {
            if prefix.is_empty() || has_history {
                let topic = format!("{prefix}{name}");
                all.push((world.subscribe_all(&topic)?, topic));
            }
        }
    }
    for (ids, topic) in &all {
        let running = world.publish(0, &Burst::new(topic, 1))?;
        let result = world.result(&running.last());
        expect(result.as_ref().is_some_and(|(result, _)| result == "accepted"), || format!("{topic:?}: {result:?}"))?;
        world.wait_for(ids, &running.last())?;
    }
    for (ids, topic) in &all {
        for id in ids {
            let told = world.told(*id);
            expect(told.contents().len() == 1, || format!("{topic:?} got those of others: {:?}", told.contents()))?;
        }
    }
    Ok(())
}

/// Up to the limit; above it they are refused, and nothing else happens.
pub(super) fn big(world: &mut World) -> Outcome {
    world.instances(2)?;
    let topics: &[&str] = if world.kind.has(Fault::History) { &["plain/a", "kept/a"] } else { &["plain/a"] };
    for topic in topics {
        let ids = world.subscribe_all(topic)?;
        let name = (*topic).to_owned();
        let big = Burst { size: 1 << 20, ..Burst::new(topic, 8) };
        let running = world.begin_as(0, &name, &big)?;
        world.finish(&running)?;
        let too_big = world.begin_as(0, &name, &Burst { size: (1 << 20) + 1, ..Burst::new(topic, 1) })?;
        world.finish(&too_big)?;
        let result = world.result(&too_big.last());
        expect(result.is_some_and(|(result, _)| result == "refused"), || "too big, and not refused".to_owned())?;
        let small = world.begin_as(0, &name, &Burst::new(topic, 1))?;
        world.wait_for(&ids, &small.last())?;
        for id in ids {
            let told = world.told(id);
            let is_whole = told.sizes.iter().filter(|size| **size == 1 << 20).count() == 8;
            expect(is_whole && told.gaps.is_empty(), || format!("sizes {:?}, gaps {:?}", told.sizes, told.gaps))?;
        }
    }
    Ok(())
}

/// All try to publish after the same position: one of them does.
pub(super) fn compare_and_publish(world: &mut World) -> Outcome {
    world.instances(3)?;
    let ids = world.subscribe_all("kept/a")?;
    let first = world.publish(0, &Burst::new("kept/a", 1))?;
    let mut last = first.last();
    for round in 0..20 {
        world.wait_for(&ids, &last)?;
        let after = world.told(ids[0]).last();
        let mut runs = Vec::new();
        for instance in 0..world.instances.len() {
            for rival in 0..3 {
                let burst = Burst { after, ..Burst::new("kept/a", 1) };
                runs.push(world.begin_as(instance, &format!("round {round} by {instance}.{rival}"), &burst)?);
            }
        }
        runs.iter().try_for_each(|running| world.finish(running))?;
        let results: Vec<_> = runs.iter().filter_map(|running| world.result(&running.last())).collect();
        let winners: Vec<_> = runs.iter().zip(&results).filter(|(_, (result, _))| result == "accepted").collect();
        let conflicts = results.iter().filter(|(result, _)| result == "conflict").count();
        expect(winners.len() == 1 && conflicts == runs.len() - 1, || format!("{results:?}"))?;
        last = winners[0].0.last();
    }
    world.wait_for(&ids, &last)
}

/// Two instances publish under the same keys at the same time: each is published once, and both learn its position.
pub(super) fn idempotency(world: &mut World) -> Outcome {
    world.instances(2)?;
    let ids = world.subscribe_all("kept/a")?;
    let elsewhere = world.instances.len() - 1;
    for round in 0..20 {
        let key = format!("{round} ä\n");
        let burst = Burst { once: Some(&key), ..Burst::new("kept/a", 1) };
        let runs = [(0, "x"), (elsewhere, "y")].map(|(at, by)| world.begin_as(at, &format!("{round} by {by}"), &burst));
        let mut positions = Vec::new();
        for running in runs {
            let running = running?;
            world.finish(&running)?;
            positions.push(world.result(&running.last()));
        }
        let is_same = positions[0].is_some() && positions[0] == positions[1];
        let is_accepted = matches!(&positions[0], Some((result, Some(_))) if result == "accepted");
        expect(is_same && is_accepted, || format!("{positions:?}"))?;
    }
    // On another topic, the same key is another one.
    let other = world.subscribe(0, "kept/b", None)?;
    let running = world.publish(0, &Burst { once: Some("0 ä\n"), ..Burst::new("kept/b", 1) })?;
    world.wait_for(&[other], &running.last())?;
    let end = world.publish(0, &Burst::new("kept/a", 1))?;
    world.wait_for(&ids, &end.last())?;
    for id in ids {
        let count = world.told(id).contents().len();
        expect(count == 21, || format!("{count} of 21"))?;
    }
    world.forget_accepted_twice();
    Ok(())
}

/// A publisher dies in the middle: all others agree about what it has published.
pub(super) fn publisher_is_killed(world: &mut World) -> Outcome {
    world.instances(3)?;
    let kept = world.kind.has(Fault::History);
    let mut ids = vec![world.subscribe(1, "plain/a", None)?, world.subscribe(2, "plain/a", None)?];
    world.begin_as(0, "dying", &Burst { size: 2000, ..Burst::new("plain/a", 1_000_000) })?;
    if kept {
        ids.extend([world.subscribe(1, "kept/a", None)?, world.subscribe(2, "kept/a", None)?]);
        world.begin_as(0, "dying too", &Burst { size: 2000, ..Burst::new("kept/a", 1_000_000) })?;
    }
    let has_some = |told: &crate::world::Told1| told.contents().len() > 500;
    world.wait("publications", |told| Ok(ids.iter().all(|id| has_some(&told.subscriptions[id]))))?;
    world.kill(0)?;
    for (topic, ids) in [("plain/a", &ids[..2]), ("kept/a", &ids[2..])] {
        if ids.is_empty() {
            continue;
        }
        let last = world.publish_until_accepted(1, topic)?;
        world.wait_for(ids, &last)?;
        let (one, other) = (world.told(ids[0]), world.told(ids[1]));
        let is_same = one.contents() == other.contents();
        expect(is_same && one.gaps.is_empty() && other.gaps.is_empty(), || {
            format!(
                "{topic}: {} and {}, gaps {:?} {:?}",
                one.contents().len(),
                other.contents().len(),
                one.gaps,
                other.gaps
            )
        })?;
    }
    Ok(())
}

/// All instances know the members of all.
pub(super) fn members(world: &mut World) -> Outcome {
    world.instances(3)?;
    let all: Vec<_> = (0..world.instances.len()).collect();
    let mut names = Vec::new();
    for &instance in &all {
        for n in 0..5 {
            let name = format!("{n} at {instance}");
            world.join(instance, "room", &name)?;
            names.push(name);
        }
        world.join(instance, "room", "everywhere")?;
    }
    names.push("everywhere".to_owned());
    names.sort();
    let expected: Vec<_> = names.iter().map(String::as_str).collect();
    world.wait_for_members(&all, "room", &expected)?;
    world.leave(0, "room", "everywhere")?;
    world.leave(0, "room", "0 at 0")?;
    // With one instance, the member is nowhere else.
    let gone = |name: &str| name == "0 at 0" || (all.len() == 1 && name == "everywhere");
    let expected: Vec<_> = expected.into_iter().filter(|name| !gone(name)).collect();
    world.wait_for_members(&all, "room", &expected)
}

/// The members of an instance that dies go with it, after its lease.
pub(super) fn members_of_the_dead(world: &mut World) -> Outcome {
    world.instances(3)?;
    for (instance, name) in [(0, "a"), (1, "b"), (2, "c")] {
        world.join(instance, "room", name)?;
    }
    world.wait_for_members(&[0, 1, 2], "room", &["a", "b", "c"])?;
    world.kill(1)?;
    std::thread::sleep(Duration::from_secs(5));
    world.wait_for_members(&[0, 2], "room", &["a", "c"])
}

pub(super) fn expect(is_so: bool, reason: impl FnOnce() -> String) -> Outcome {
    if is_so { Ok(()) } else { Err(reason()) }
}
