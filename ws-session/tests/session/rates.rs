//! Rates of received messages and bytes, at the driver: a peer that is too fast waits in the transport, or is told so.

use ws_session::{Cause, Config, HandlerResult, OverRate, Rate, Violation, WebSocket};

use crate::sim::*;

fn paused(rate: Rate) -> impl Fn(&mut Config) {
    move |config| config.limits.message_rate = Some(rate)
}

/// An application that notes when it got each message.
async fn note(mut socket: WebSocket, seen: Log<u64>, world: std::rc::Rc<World>) -> HandlerResult {
    while socket.recv().await?.is_some() {
        seen.push(world.now().as_millis() as u64);
    }
    Ok(())
}

#[test]
fn messages_of_a_peer_that_is_too_fast_arrive_at_the_rate() {
    for setup in setups() {
        let world = std::rc::Rc::new(World::new(1));
        let seen = Log::new();
        let (log, clock) = (seen.clone(), world.clone());
        let setup = setup.timeless().config(paused(Rate::per_second(10).with_burst(5)));
        let mut running = setup.start(&world, |socket| note(socket, log, clock));
        let start = world.now().as_millis() as u64;
        for n in 0..105 {
            running.peer.send_text(&n.to_string());
        }
        world.advance(secs(5) + millis(50));
        let polls = running.polls();
        let times = seen.take();
        assert_eq!(times.len(), 5 + 50, "{setup:?}");
        assert!(times[..5].iter().all(|&time| time == start));
        assert!((5..55).all(|n| times[n] == start + 100 * (n as u64 - 4)), "{setup:?}: {times:?}");
        assert!(polls < 55 * 6, "{setup:?}: {polls} polls");
        world.advance(secs(5));
        assert_eq!(seen.take().len(), 50);
        // The Close behind all of them, and what it gets.
        running.peer.send_close(1000, "");
        world.advance(secs(1));
        assert_eq!(running.peer.frames().last(), Some(&close(1000, "")));
        running.peer.leave();
        world.finish(&running.driver).unwrap();
    }
}

/// A fast peer is no dead peer, and one that is slow enough is never disturbed.
#[test]
fn keepalive_and_the_rate_do_not_disturb_each_other() {
    for setup in setups() {
        let world = std::rc::Rc::new(World::new(1));
        let seen = Log::new();
        let (log, clock) = (seen.clone(), world.clone());
        let setup = setup.config(paused(Rate::new(1, secs(60))));
        let mut running = setup.start(&world, |socket| note(socket, log, clock));
        for n in 0..10 {
            running.peer.send_text(&n.to_string());
        }
        world.advance(secs(9 * 60 + 1));
        assert_eq!(seen.take().len(), 10, "{setup:?}");
        assert!(running.peer.frames().iter().all(|frame| frame.0 == PING), "{setup:?}");
        // Nothing more comes, and no pong.
        world.advance(secs(60 + 45));
        let frames = running.peer.frames();
        assert_eq!(frames.last(), Some(&close(1011, "keepalive ping timeout")), "{setup:?}");
    }
}

#[test]
fn bytes_of_a_long_message_arrive_at_the_rate() {
    for setup in setups() {
        let world = std::rc::Rc::new(World::new(1));
        let seen = Log::new();
        let (log, clock) = (seen.clone(), world.clone());
        let setup = setup.timeless().config(|config| config.limits.byte_rate = Some(Rate::per_second(100_000)));
        let mut running = setup.start(&world, |socket| note(socket, log, clock));
        let start = world.now().as_millis() as u64;
        for _ in 0..4 {
            running.peer.send(BINARY, vec![0; 500_000]);
        }
        world.advance(secs(25));
        let times = seen.take();
        assert_eq!(times.len(), 4, "{setup:?}");
        // Up to a burst and a read of 256 KiB early.
        for (n, time) in (1..).zip(times) {
            let exact = start + 5000 * n;
            assert!((exact.saturating_sub(3700)..=exact + 100).contains(&time), "{setup:?}: {time}, not {exact}");
        }
        running.peer.leave();
    }
}

#[test]
fn a_peer_that_is_too_fast_may_be_closed_with_1008() {
    let rate = Rate::per_second(10).with_burst(20);
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.timeless().config(|config| {
            config.limits.message_rate = Some(rate);
            config.limits.over_rate = OverRate::Close;
        });
        let ends = Log::new();
        let tell = ends.clone();
        let mut running = setup.start(&world, |mut socket| async move {
            let mut messages = 0;
            let error = loop {
                match socket.recv().await {
                    Ok(message) => messages += usize::from(message.is_some()),
                    Err(error) => break error,
                }
            };
            tell.push((messages, error));
            Ok(())
        });
        // As fast as it may.
        for n in 0..120 {
            running.peer.send_text(&n.to_string());
            world.advance(millis(100));
        }
        assert!(running.peer.frames().is_empty(), "{setup:?}");
        // The bucket is full but for the last one.
        for n in 0..30 {
            running.peer.send_text(&n.to_string());
        }
        world.run();
        let reason = "messages over the receiver's limit of 10 a second, 20 at once (limits.message_rate)";
        assert_eq!(running.peer.frames(), [close(1008, reason)], "{setup:?}");
        running.peer.leave();
        world.finish(&running.driver).unwrap();
        world.advance(secs(5));
        let [(messages, error)] = &ends.take()[..] else { panic!("one end") };
        assert_eq!(*messages, 120 + 20, "{setup:?}: those before it are delivered");
        let outcome = error.closed().unwrap().outcome();
        assert_eq!(outcome.cause, Cause::Violation(Violation::TooManyMessages { rate }));
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// The peer sends, and is gone: the messages before its end are received, at the rate.
#[test]
fn messages_before_the_end_are_not_lost() {
    for setup in setups() {
        let world = std::rc::Rc::new(World::new(1));
        let seen = Log::new();
        let (log, clock) = (seen.clone(), world.clone());
        let setup = setup.timeless().config(paused(Rate::per_second(10)));
        let mut running = setup.start(&world, |socket| note(socket, log, clock));
        for n in 0..100 {
            running.peer.send_text(&n.to_string());
        }
        running.peer.leave();
        world.advance(secs(11));
        assert_eq!(seen.take().len(), 100, "{setup:?}");
        assert!(running.driver.is_finished());
    }
}

#[test]
fn servers_and_clients_have_the_settings() {
    let world = World::new(1);
    let (a, b) = link(LinkOptions::default(), &mut world.rng());
    let rate = Rate::per_second(2);
    let server = world.spawn("server", async move {
        let server = Server::new().message_rate(rate).byte_rate(Rate::per_second(1000)).over_rate(OverRate::Close);
        server.accept(a, ws_session::Addresses::default()).await.unwrap()
    });
    let (client, driver) = world.block_on(async move {
        Client::new("ws://example.com/")
            .message_rate(Rate::per_second(100))
            .handshake(b, Default::default())
            .await
            .unwrap()
    });
    let (mut server, server_driver) = world.finish(&server);
    let _drivers = (world.spawn("server", server_driver), world.spawn("client", driver));
    let error = world.block_on(async move {
        for _ in 0..3 {
            client.send("x").await.unwrap();
        }
        loop {
            if let Err(error) = server.recv().await {
                break error;
            }
        }
    });
    assert_eq!(error.closed().unwrap().outcome().cause, Cause::Violation(Violation::TooManyMessages { rate }));
}
