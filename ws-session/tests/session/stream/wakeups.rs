//! Nobody is polled who has nothing to do, and who has something is woken.

use super::*;

/// How often a task is polled in an hour.
fn polls_in_an_hour<T>(world: &World, task: &Task<T>) -> u64 {
    let before = task.polls();
    world.advance(secs(3600));
    task.polls() - before
}

#[test]
fn an_idle_stream_without_keepalive_is_never_polled() {
    for role in ROLES {
        let world = World::new(1);
        let (stream, _peer) = Streaming::new(role).timeless().open(&world);
        let app = world.spawn("app", send_back(stream));
        world.run();
        assert_eq!(polls_in_an_hour(&world, &app), 0);
    }
}

#[test]
fn keepalive_costs_a_few_polls_each_interval_and_keeps_the_connection() {
    for role in ROLES {
        let world = World::new(1);
        let (stream, mut peer) = Streaming::new(role).open(&world);
        let app = world.spawn("app", send_back(stream));
        let mut pings = 0;
        for _ in 0..3600 {
            world.advance(secs(1));
            for Frame(first, payload) in peer.frames() {
                assert_eq!(first, PING);
                pings += 1;
                peer.send(PONG, payload);
            }
        }
        assert_eq!(pings, 180);
        assert!(app.polls() <= 4 * pings + 1, "{} polls for {pings} pings", app.polls());
        assert!(!app.is_finished());
    }
}

#[test]
fn a_blocked_write_and_a_full_queue_are_waited_for_without_polling() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, peer) = Streaming::new(role).timeless().link(|link| link.capacity = 100).open(&world);
        let app = world.spawn("app", async move {
            loop {
                stream.send(vec![0; 100_000]).await.unwrap();
            }
        });
        for n in 0..100 {
            peer.send_text(&n.to_string());
        }
        world.run();
        assert_eq!(polls_in_an_hour(&world, &app), 0);

        let (mut stream, peer) = Streaming::new(role).timeless().open(&world);
        let app = world.spawn("app", async move { stream.ping().await.unwrap() });
        for n in 0..100 {
            peer.send_text(&n.to_string());
        }
        world.run();
        assert!(peer.to.len() > 0 || peer.to.reads() <= 3);
        assert_eq!(polls_in_an_hour(&world, &app), 0);
    }
}

#[test]
fn a_slow_transport_costs_no_more_polls_than_it_gives_reasons() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).timeless().link(|link| link.capacity = 1000).open(&world);
        let app = world.spawn("app", async move {
            stream.send(vec![0; 100_000]).await.unwrap();
            stream.flush().await.unwrap();
            stream.recv().await
        });
        world.run();
        let (before, mut drained) = (app.polls(), 0);
        while peer.frames().is_empty() {
            drained += 1;
            world.advance(secs(1));
        }
        let polls = app.polls() - before;
        assert!(drained >= 99 && polls <= 3 * drained, "{polls} polls for {drained} writes");
    }
}

#[test]
fn a_sender_in_another_task_wakes_the_task_that_polls() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).timeless().open(&world);
        let sender = stream.sender();
        let app = world.spawn("app", async move { receive_all(&mut stream).await });
        world.run();
        for n in 0..3 {
            let sender = sender.clone();
            let sending = world.spawn("other task", async move {
                sender.send(n.to_string()).await.unwrap();
                sender.flush().await.unwrap();
            });
            world.run();
            assert!(sending.is_finished());
            assert_eq!(peer.frames(), [text(&n.to_string())]);
        }
        let closing = world.spawn("other task", async move {
            assert!(sender.ping().await.unwrap().time >= secs(1));
            sender.close(1000, "done").await.unwrap()
        });
        world.run();
        let [Frame(PING, payload)] = &peer.frames()[..] else { panic!("a ping") };
        world.advance(secs(1));
        peer.send(PONG, payload);
        world.run();
        assert_eq!(peer.frames(), [close(1000, "done")]);
        peer.send_close(1000, "done");
        peer.to.end();
        assert!(world.finish(&closing).is_clean());
        assert!(world.finish(&app).is_empty());
    }
}

#[test]
fn a_sender_that_waits_for_room_is_told_of_it() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).timeless().link(|link| link.capacity = 1000).open(&world);
        let sender = stream.sender();
        let _app = world.spawn("app", async move { receive_all(&mut stream).await });
        let sending = world.spawn("other task", async move {
            for _ in 0..50 {
                sender.send(vec![1; 10_000]).await.unwrap();
            }
            sender.flush().await.unwrap();
        });
        let mut frames = 0;
        while !sending.is_finished() {
            world.run();
            let more = peer.frames();
            assert!(!more.is_empty() || peer.from.len() == 0 || frames < 50);
            frames += more.len();
        }
        assert_eq!(frames + peer.frames().len(), 50);
    }
}

#[test]
fn a_stream_that_changes_tasks_is_woken_in_the_new_one() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).open(&world);
        for _ in 0..3 {
            stream = world.at_once(async move {
                assert!(future::poll_immediate(stream.recv()).await.is_none());
                stream
            });
        }
        let sender = stream.sender();
        let app = world.spawn("app", async move { (stream.recv().await.unwrap(), stream) });
        world.run();
        sender.try_send("out").unwrap();
        world.run();
        assert_eq!(peer.frames(), [text("out")]);
        world.advance(secs(20));
        assert_eq!(peer.frames().len(), 1, "keepalive's ping");
        peer.send_text("in");
        world.run();
        assert_eq!(app.take().unwrap().0, Some("in".into()));
    }
}

/// A future of a sender, in the task that polls the stream: it is polled first, and the stream after it.
async fn beside<O>(stream: &mut Stream, waiting: impl Future<Output = O>) -> O {
    let receiving = async {
        loop {
            // The end is the other future's to tell.
            if !matches!(stream.recv().await, Ok(Some(_))) {
                return future::pending::<()>().await;
            }
        }
    };
    let (mut waiting, mut receiving) = (pin!(waiting), pin!(receiving));
    poll_fn(|cx| {
        let waited = waiting.as_mut().poll(cx);
        let Poll::Pending = receiving.as_mut().poll(cx) else { unreachable!("it does not end") };
        waited
    })
    .await
}

#[test]
fn a_sender_in_the_task_that_polls_is_told_what_it_waits_for() {
    for role in ROLES {
        // With messages around the pong, before it, and without any.
        for (before, after) in [(0, 0), (3, 0), (0, 3), (3, 3)] {
            let world = World::new(1);
            let (mut stream, mut peer) = Streaming::new(role).timeless().open(&world);
            let sender = stream.sender();
            let app = world.spawn("app", async move { beside(&mut stream, sender.ping()).await });
            world.run();
            let [Frame(PING, payload)] = &peer.frames()[..] else { panic!("a ping") };
            (0..before).for_each(|n| peer.send_text(&n.to_string()));
            peer.send(PONG, payload);
            (0..after).for_each(|n| peer.send_text(&n.to_string()));
            world.run();
            assert!(app.is_finished(), "{role:?}, {before} messages before the pong and {after} after it");
        }

        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).timeless().link(|link| link.capacity = 1000).open(&world);
        let sender = stream.sender();
        let app = world.spawn("app", async move {
            beside(&mut stream, async move {
                for _ in 0..50 {
                    sender.send(vec![1; 10_000]).await.unwrap();
                }
                sender.flush().await.unwrap();
            })
            .await;
        });
        let mut frames = Vec::new();
        while !app.is_finished() {
            world.run();
            let more = peer.frames();
            assert!(!more.is_empty() || peer.from.len() == 0, "{role:?}: {} of 50", frames.len());
            frames.extend(more);
        }
        frames.extend(peer.frames());
        // The stream was dropped.
        frames.retain(|frame| frame.0 != CLOSE);
        assert_eq!(frames.len(), 50);

        let world = World::new(1);
        let (mut stream, peer) = Streaming::new(role).timeless().open(&world);
        let sender = stream.sender();
        let app = world.spawn("app", async move { beside(&mut stream, sender.closed()).await });
        world.run();
        peer.send_close(1000, "");
        peer.to.end();
        world.run();
        assert!(app.is_finished(), "{role:?}: the end");
    }
}
