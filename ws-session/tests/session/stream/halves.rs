//! A stream and a sink in two tasks, as `StreamExt::split` makes them: neither is forgotten for the other.

use super::*;

#[test]
fn a_half_that_was_done_or_dropped_takes_no_wakeup_with_it() {
    for role in ROLES {
        for ending in ["done", "dropped"] {
            let world = World::new(1);
            let (stream, mut peer) = Streaming::new(role).link(|link| link.capacity = 200).open(&world);
            let (mut sink, mut incoming) = stream.split();
            let receiving = world.spawn("receiving", async move {
                let mut received = Vec::new();
                while let Some(message) = incoming.next().await {
                    received.push(message.unwrap());
                }
                received
            });
            world.run();
            let sending = world.spawn("sending", async move {
                sink.feed("x".repeat(1000).into()).await.unwrap();
                match ending {
                    "done" => sink.flush().await.unwrap(),
                    // Polled until it waits for the transport, and given up.
                    _ => assert!(cut_off(sink.flush(), 2, false).await.is_none()),
                }
                sink
            });
            world.run();
            // The half that waits is to write on, and to read.
            let mut frames = Vec::new();
            for _ in 0..20 {
                frames.extend(peer.frames());
                world.run();
            }
            assert_eq!(frames, [text(&"x".repeat(1000))], "{ending}");
            let _sink = sending.take().expect("the sending half is done");
            peer.send_text("now");
            world.run();
            peer.send(PING, "p");
            world.run();
            assert_eq!(peer.frames(), [pong(b"p")]);
            world.advance(secs(21));
            assert!(matches!(peer.frames()[..], [Frame(PING, _)]), "keepalive goes on");
            peer.send_close(1000, "");
            peer.to.end();
            assert_eq!(world.finish(&receiving), ["now"].map(Message::from));
        }
    }
}

#[test]
fn two_halves_in_one_task_go_on() {
    for role in ROLES {
        // The byte at which the half that sends is ready differs: what it has read by then is not the end.
        for chunk in 1..40 {
            let world = World::new(chunk as u64);
            let (stream, mut peer) = Streaming::new(role).timeless().link(|link| link.chunk = chunk).open(&world);
            let sender = stream.sender();
            let (mut sink, mut incoming) = stream.split();
            let app = world.spawn("app", async move {
                let sending = async {
                    sink.send("first".into()).await.unwrap();
                    yield_now().await;
                    sink.send("second".into()).await.unwrap();
                    sink
                };
                future::join(incoming.next(), sending).await.0.unwrap().unwrap()
            });
            peer.send_text("a message of some length, in many pieces");
            world.run();
            assert_eq!(app.take(), Some("a message of some length, in many pieces".into()), "{chunk}");
            assert_eq!(peer.frames()[..2], [text("first"), text("second")]);
            drop(sender);
        }
    }
}

#[test]
fn both_halves_go_on_under_any_schedule() {
    for seed in seeds(30) {
        let world = World::new(seed);
        let mut config = Config::default();
        timeless(&mut config);
        let mut rng = world.rng();
        let options = LinkOptions {
            capacity: 1 + rng.below(2000),
            chunk: 1 + rng.below(300),
            hiccups: rng.one_in(2),
            buffered: rng.one_in(2),
            ..LinkOptions::default()
        };
        let (server, client) = pair(&world, &config, options);
        let mut tasks = Vec::new();
        for stream in [server, client] {
            let (mut sink, mut incoming) = stream.split();
            let mut flaky = world.rng();
            tasks.push(world.spawn("sending", async move {
                for n in 0..60 {
                    let message = Message::from(format!("{n} {}", "-".repeat(flaky.below(3000))));
                    sink.feed(message).await.unwrap();
                    let polls = flaky.below(3);
                    if flaky.one_in(2) {
                        let _ = cut_off(sink.flush(), polls, flaky.one_in(2)).await;
                    }
                }
                sink.flush().await.unwrap();
                std::mem::forget(sink);
            }));
            tasks.push(world.spawn("receiving", async move {
                for n in 0..60 {
                    let message = incoming.next().await.unwrap().unwrap();
                    assert!(message.as_text().unwrap().starts_with(&format!("{n} ")), "{n}: {message:?}");
                }
                std::mem::forget(incoming);
            }));
        }
        for task in &tasks {
            world.finish(task);
        }
    }
}
