//! All that can be done with a stream at once, in several tasks, given up at random.

use super::*;

/// How an end of the connection ends it.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// By its sink.
    Sink,
    /// By a sender in another task.
    Sender,
    /// Both halves are dropped.
    Drop,
    /// Neither: it waits for the other end.
    Waits,
}

#[test]
fn every_task_comes_to_an_end_and_none_is_polled_for_nothing() {
    for seed in seeds(150) {
        let world = World::new(seed);
        let mut config = Config::default();
        timeless(&mut config);
        let mut rng = world.rng();
        config.limits.high_water = [1, 100, 10_000][rng.below(3)];
        let options = LinkOptions {
            capacity: 1 + rng.below(2000),
            chunk: 20 + rng.below(2000),
            hiccups: rng.one_in(3),
            buffered: rng.one_in(2),
            ..LinkOptions::default()
        };
        let (a, b) = link(options, &mut world.rng());
        let inbound = 1 + rng.below(5);
        let server = Parts::server(a, SimTimer::new()).config(config.clone()).inbound_queue(inbound).into_stream();
        let client = Parts::client(b, SimTimer::new()).config(config.clone()).inbound_queue(inbound).into_stream();
        let endings = [
            [Ending::Sink, Ending::Sender, Ending::Drop][rng.below(3)],
            [Ending::Sink, Ending::Sender, Ending::Drop, Ending::Waits, Ending::Waits][rng.below(5)],
        ];
        let mut tasks = Vec::new();
        for (stream, ending) in [server, client].into_iter().zip(endings) {
            let sender = stream.sender();
            let (mut sink, mut incoming) = stream.split();
            let (mut flaky, mut hasty, mut other) = (world.rng(), world.rng(), world.rng());
            let gate = Gate::default();
            let opened = gate.clone();
            tasks.push(world.spawn("sending", async move {
                for n in 0..20 {
                    let message = Message::from(format!("{n} {}", "-".repeat(flaky.below(1000))));
                    if sink.feed(message).await.is_err() {
                        break;
                    }
                    let polls = flaky.below(3);
                    match flaky.below(4) {
                        0 => drop(cut_off(sink.flush(), polls, flaky.one_in(2)).await),
                        1 => drop(sink.flush().await),
                        2 => yield_now().await,
                        _ => {}
                    }
                }
                match ending {
                    Ending::Sink => drop(sink.close().await),
                    Ending::Sender | Ending::Waits => {
                        let _ = sink.flush().await;
                        gate.passed().await;
                    }
                    Ending::Drop => {}
                }
            }));
            tasks.push(world.spawn("receiving", async move {
                let mut received = 0;
                loop {
                    let polls = hasty.below(3);
                    let next = match hasty.one_in(3) {
                        true => cut_off(incoming.next(), polls, hasty.one_in(2)).await,
                        false => Some(incoming.next().await),
                    };
                    match next {
                        None => {}
                        Some(Some(Ok(_))) => received += 1,
                        Some(_) => break,
                    }
                    if matches!(ending, Ending::Drop) && received > 10 {
                        break;
                    }
                }
                opened.open();
            }));
            tasks.push(world.spawn("another sender", async move {
                for n in 0..20 {
                    let polls = other.below(3);
                    let gives_up = other.one_in(2);
                    match other.below(4) {
                        0 => drop(cut_off(sender.flush(), polls, gives_up).await),
                        1 => drop(cut_off(sender.ping(), polls, gives_up).await),
                        2 => drop(sender.try_send("now")),
                        _ if sender.send(format!("{n} {}", "+".repeat(other.below(1000)))).await.is_err() => break,
                        _ => {}
                    }
                }
                if matches!(ending, Ending::Sender) {
                    let _ = sender.close(1000, "").await;
                }
                sender.closed().await;
                assert!(sender.send("late").await.is_err() && sender.try_send("late").is_err());
                assert!(sender.ping().await.is_err() && !sender.is_open());
            }));
        }
        for task in &tasks {
            world.finish(task);
        }
        let polls: u64 = tasks.iter().map(Task::polls).sum();
        // A reason to be polled is a message, or a piece of one that the link takes or brings.
        let pieces = 4 * 20 * 1010 / options.chunk.min(options.capacity);
        assert!(polls <= 1000 + 4 * pieces as u64, "{polls} polls for {pieces} pieces, seed {seed}, {endings:?}");
    }
}
