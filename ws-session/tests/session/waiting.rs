//! A task that waits for a flush, a pong, room or the end is woken when it has come, and not before.

use std::io::ErrorKind;
use std::time::Duration;

use futures_util::future;
use ws_proto::Role;
use ws_session::{CloseCode, Error};

use crate::sim::*;

// ---- flush ----

#[test]
fn flush_waits_until_the_transport_has_taken_everything() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (socket, driver, peer) = Setup::new(role).timeless().open(&world);
        world.spawn("driver", driver);
        peer.from.set_capacity(10);
        let sender = socket.sender();
        let sent = world.at_once(async move { sender.send("x".repeat(20)).await });
        assert!(sent.is_ok(), "queued is enough");
        let flushed = {
            let sender = socket.sender();
            world.spawn("flush", async move { sender.flush().await })
        };
        for _ in 0..2 {
            world.run();
            assert!(!flushed.is_finished(), "{:?}", peer.from);
            peer.from.take();
        }
        world.run();
        assert!(flushed.take().unwrap().is_ok());
        assert!(world.at_once(async move { socket.flush().await }).is_ok(), "nothing is queued: nothing to wait for");
    }
}

#[test]
fn flush_waits_for_what_was_queued_before_it_only() {
    let world = World::new(1);
    let (socket, driver, peer) = Setup::new(Role::Server).timeless().open(&world);
    world.spawn("driver", driver);
    peer.from.set_capacity(12);
    let (sender, again) = (socket.sender(), socket.sender());
    world.at_once(async move { sender.send("0123456789").await.unwrap() });
    peer.from.set_capacity(0);
    let sender = socket.sender();
    world.at_once(async move { sender.flush().await.unwrap() });
    let flushed = world.spawn("flush", async move { again.flush().await });
    world.run();
    socket.sender().try_send("more").unwrap();
    world.run();
    assert!(flushed.take().unwrap().is_ok(), "what came later is not its business");
}

#[test]
fn flush_ends_when_a_buffering_transport_has_passed_it_on() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let setup = setup.timeless().link(|link| link.buffered = true);
        let running = setup.start(&world, |mut socket| async move {
            socket.recv().await?;
            socket.send("Hello").await?;
            socket.flush().await?;
            told.push("flushed");
            socket.recv().await?;
            Ok(())
        });
        world.run();
        running.peer.from.stall_flushes(true);
        running.peer.send_text("go");
        world.run();
        assert_eq!(log.len(), 0, "it is still in the transport's own buffer");
        running.peer.from.stall_flushes(false);
        world.run();
        assert_eq!(log.take(), ["flushed"], "{setup:?}");
    }
}

#[test]
fn flush_fails_when_the_connection_ends_before() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let setup = setup.link(|link| link.capacity = 1000);
        let running = setup.start(&world, |socket| async move {
            socket.send("x".repeat(2000)).await?;
            told.push(socket.flush().await);
            Ok(())
        });
        world.run();
        running.peer.reset();
        world.run();
        let error = log.take().pop().unwrap().unwrap_err();
        assert_eq!(error.closed().unwrap().io_error().unwrap().kind(), ErrorKind::ConnectionReset);
    }
}

// ---- ping ----

#[test]
fn a_ping_tells_the_round_trip_time() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (socket, driver, mut peer) = Setup::new(role).open(&world);
        world.spawn("driver", driver);
        let sender = socket.sender();
        let ping = world.spawn("ping", async move { sender.ping().await });
        world.advance(millis(250));
        let [Frame(PING, payload)] = &peer.frames()[..] else { panic!("one ping") };
        assert!(!ping.is_finished());
        peer.send(PONG, payload);
        world.run();
        let pong = ping.take().unwrap().unwrap();
        assert_eq!((pong.time, pong.payload_differed), (millis(250), false));
        assert_eq!(socket.latency(), Some(millis(250)));
    }
}

#[test]
fn a_pong_with_another_payload_answers_the_oldest_ping_and_the_result_says_so() {
    for setup in setups() {
        for payload in ["", "another"] {
            let world = World::new(1);
            let (socket, driver, peer) = setup.open(&world);
            world.spawn("driver", driver);
            peer.send(PONG, payload);
            world.run();
            let pings = [1, 2].map(|_| {
                let sender = socket.sender();
                let ping = world.spawn("ping", async move { sender.ping().await });
                world.advance(millis(100));
                ping
            });
            for (ping, time) in pings.iter().zip([200, 100]) {
                assert!(!ping.is_finished());
                peer.send(PONG, payload);
                world.run();
                let pong = ping.take().unwrap().unwrap();
                assert_eq!((pong.time, pong.payload_differed), (millis(time), true), "{setup:?}");
            }
            assert_eq!(socket.latency(), None, "nobody knows which ping it was");
        }
    }
}

#[test]
fn a_pong_answers_the_pings_before_it_too() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let mut running = setup.start(&world, |socket| async move {
            let first = async {
                told.push((1, socket.ping().await.unwrap().time));
            };
            let second = async {
                sleep(millis(100)).await;
                told.push((2, socket.ping().await.unwrap().time));
            };
            future::join(first, second).await;
            Ok(())
        });
        world.advance(millis(300));
        let Frame(PING, payload) = running.peer.frames().pop().unwrap() else { panic!("not a ping") };
        running.peer.send(PONG, payload);
        world.run();
        let mut times = log.take();
        times.sort();
        assert_eq!(times, [(1, millis(300)), (2, millis(200))], "RFC 6455 §5.5.3: only the latest need be answered");
    }
}

#[test]
fn a_pong_to_an_abandoned_ping_answers_those_before_it() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let mut running = setup.start(&world, |socket| async move {
            let patient = async {
                told.push(socket.ping().await.unwrap().time);
            };
            let hasty = async {
                sleep(millis(100)).await;
                future::select(Box::pin(socket.ping()), Box::pin(sleep(millis(100)))).await;
            };
            future::join(patient, hasty).await;
            Ok(())
        });
        world.advance(millis(300));
        let Frame(PING, payload) = running.peer.frames().pop().unwrap() else { panic!("not a ping") };
        running.peer.send(PONG, payload);
        world.run();
        assert_eq!(log.take(), [millis(300)], "{setup:?}");
    }
}

#[test]
fn a_pong_to_a_keepalive_ping_answers_those_before_it() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let mut running = setup.start(&world, |socket| async move {
            sleep(secs(19)).await;
            told.push(socket.ping().await.unwrap().time);
            Ok(())
        });
        world.advance(secs(20) + millis(1));
        let pings: Vec<_> = running.peer.frames();
        assert_eq!(pings.len(), 2, "one asked for, one for keepalive: {pings:?}");
        running.peer.send(PONG, &pings[1].1);
        world.run();
        assert_eq!(log.take(), [secs(1) + millis(1)], "{setup:?}");
    }
}

#[test]
fn a_ping_waits_for_the_last_fragment_and_its_time_counts_from_there() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let mut running = setup.start(&world, |socket| async move {
            socket.send_fragment("on and ", false).await?;
            let ping = async {
                told.push(socket.ping().await.unwrap().time);
            };
            let last = async {
                sleep(millis(500)).await;
                socket.send_fragment("off", true).await.unwrap();
            };
            future::join(ping, last).await;
            Ok(())
        });
        world.advance(millis(499));
        assert_eq!(running.peer.frames().len(), 1, "{setup:?}: the first fragment");
        world.advance(millis(101));
        let frames = running.peer.frames();
        let [Frame(0x80, _), Frame(PING, payload)] = &frames[..] else { panic!("{setup:?}: {frames:?}") };
        running.peer.send(PONG, payload);
        world.run();
        assert_eq!(log.take(), [millis(100)], "{setup:?}");
    }
}

#[test]
fn a_ping_goes_out_inside_a_message_that_stands_still() {
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.config(|config| config.deadlines.ping_interval = None);
        let log = Log::new();
        let told = log.clone();
        let mut running = setup.start(&world, |socket| async move {
            socket.send_fragment("never ended", false).await?;
            told.push(socket.ping().await.unwrap().time);
            Ok(())
        });
        world.advance(millis(999));
        assert_eq!(running.peer.frames().len(), 1, "{setup:?}: the fragment");
        world.advance(millis(101));
        let frames = running.peer.frames();
        let [Frame(PING, payload)] = &frames[..] else { panic!("{setup:?}: {frames:?}") };
        running.peer.send(PONG, payload);
        world.run();
        assert_eq!(log.take(), [millis(100)], "{setup:?}");
    }
}

#[test]
fn a_ping_waits_for_room_and_goes_out_as_soon_as_there_is_some() {
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.timeless().config(|config| {
            config.limits.high_water = 1000;
            config.limits.hard_cap = 2000;
        });
        let log = Log::new();
        let told = log.clone();
        let mut running = setup.start(&world, |mut socket| async move {
            socket.recv().await?;
            socket.send("x".repeat(3000)).await?;
            told.push(socket.ping().await);
            socket.recv().await?;
            Ok(())
        });
        world.run();
        running.peer.from.stall_writes(true);
        running.peer.send_text("go");
        world.run();
        running.peer.from.stall_writes(false);
        world.run();
        let frames = running.peer.frames();
        assert_eq!(frames.len(), 2, "the message and the ping: {frames:?}, {setup:?}");
        running.peer.send(PONG, &frames[1].1);
        world.run();
        assert!(log.take().pop().unwrap().is_ok());
    }
}

#[test]
fn a_ping_fails_when_the_connection_ends() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let running = setup.start(&world, |socket| async move {
            told.push(socket.ping().await);
            Ok(())
        });
        world.run();
        running.peer.to.end();
        world.run();
        assert!(matches!(log.take().pop(), Some(Err(Error::Closed(_)))), "{setup:?}");
    }
}

// ---- close ----

#[test]
fn a_waiting_sender_fails_when_another_task_closes() {
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.timeless().link(|link| link.capacity = 4096);
        let log = Log::new();
        let told = log.clone();
        let _running = setup.start(&world, |socket| async move {
            socket.send("x".repeat(100_000)).await?;
            for name in ["send", "ping"] {
                let (sender, told) = (socket.sender(), told.clone());
                spawn_here(name, async move {
                    let refused = match name {
                        "send" => sender.send("too late").await.is_err(),
                        _ => sender.ping().await.is_err(),
                    };
                    assert!(refused);
                    told.push(name);
                });
            }
            sleep(millis(1)).await;
            let _ = socket.close(CloseCode::NORMAL, "").await;
            Ok(())
        });
        world.advance(millis(2));
        let mut names = log.take();
        names.sort();
        assert_eq!(names, ["ping", "send"], "nothing can be sent any more, and nobody says so: {setup:?}");
    }
}

#[test]
fn a_task_that_waits_for_the_end_is_woken_by_any_end() {
    for setup in setups() {
        for bring in ["peer closes", "peer leaves", "we close", "reset", "silence"] {
            let world = World::new(1);
            let log = Log::new();
            let told = log.clone();
            let mut running = setup.start(&world, |mut socket| async move {
                for _ in 0..3 {
                    let (sender, told) = (socket.sender(), told.clone());
                    spawn_here("closed", async move { told.push(sender.closed().await) });
                }
                if let Ok(Some(_)) = socket.recv().await {
                    let _ = socket.close(CloseCode::NORMAL, "").await;
                }
                told.push(socket.closed().await);
                Ok(())
            });
            world.run();
            match bring {
                "peer closes" => {
                    running.peer.send_close(1000, "");
                    world.run();
                    running.peer.to.end();
                }
                "peer leaves" => running.peer.leave(),
                "we close" => running.peer.send_text("please close"),
                "reset" => running.peer.reset(),
                _ => {}
            }
            world.advance(secs(60));
            let outcomes = log.take();
            assert_eq!(outcomes.len(), 4, "{bring}: {setup:?}");
            assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
        }
    }
}

#[test]
fn a_task_that_waits_for_the_end_is_woken_although_messages_wait() {
    for setup in setups() {
        for waiting in [0, 1, 15, 16, 17, 100] {
            let world = World::new(1);
            let log = Log::new();
            let told = log.clone();
            // It sends what it has to send from elsewhere, and takes nothing.
            let mut running = setup.start(&world, |socket| async move {
                told.push(socket.closed().await);
                Ok(())
            });
            world.run();
            for n in 0..waiting {
                running.peer.send_text(&n.to_string());
            }
            running.peer.send_close(1000, "");
            running.peer.to.end();
            world.run();
            assert_eq!(running.peer.frames(), [close(1000, "")], "{waiting} messages, {setup:?}");
            assert_eq!(log.take().remove(0).code(), CloseCode::NORMAL);
        }
    }
}

#[test]
fn a_task_that_gives_up_waiting_for_the_end_does_not_speak_for_another() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.start(&world, |socket| async move {
            let hasty = async {
                future::select(Box::pin(socket.closed()), Box::pin(sleep(secs(1)))).await;
            };
            future::join(socket.closed(), hasty).await;
            Ok(())
        });
        world.advance(secs(2));
        running.peer.send_close(1000, "");
        world.run();
        assert_eq!(running.peer.frames(), [close(1000, "")], "{setup:?}");
    }
}

#[test]
fn giving_up_waiting_for_the_end_loses_no_message() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let running = setup.start(&world, |mut socket| async move {
            future::select(Box::pin(socket.closed()), Box::pin(sleep(secs(1)))).await;
            while let Ok(Some(message)) = socket.recv().await {
                told.push(message.as_text().unwrap().to_owned());
            }
            told.push("the end".to_owned());
            Ok(())
        });
        world.run();
        for n in 0..40 {
            running.peer.send_text(&n.to_string());
        }
        world.advance(secs(2));
        running.peer.send_text("40");
        world.run();
        let mut got = log.take();
        let told_of_a_gap = got.pop_if(|last| last == "the end").is_some();
        let expected: Vec<_> = (0..=40).map(|n| n.to_string()).collect();
        assert_eq!(got, expected[..got.len()], "no gap: {setup:?}");
        assert!(got.len() == 41 || told_of_a_gap, "{} messages, then silence: {setup:?}", got.len());
    }
}

/// The queue was full, and not too full, when it gave up: what comes then waits its turn, long or short.
#[test]
fn giving_up_waiting_for_the_end_loses_no_later_message() {
    for setup in setups() {
        for chunk in [20_000, usize::MAX] {
            for (first, len) in [(TEXT, 5), (BINARY, 70_000)] {
                let world = World::new(1);
                let setup = setup.link(|link| (link.capacity, link.chunk) = (1 << 20, chunk));
                let log = Log::new();
                let told = log.clone();
                let running = setup.start(&world, |mut socket| async move {
                    future::select(Box::pin(socket.closed()), Box::pin(sleep(secs(1)))).await;
                    sleep(secs(1)).await;
                    while let Some(message) = socket.recv().await? {
                        told.push(message);
                    }
                    Ok(())
                });
                world.run();
                let send = |n: u8| running.peer.send(first, vec![b'a' + n; len]);
                (0..16).for_each(send);
                world.advance(Duration::from_millis(1500));
                (16..20).for_each(send);
                world.advance(secs(1));
                let got: Vec<u8> = log.take().iter().map(|message| message.as_bytes()[0]).collect();
                assert_eq!(got, (b'a'..b'a' + 20).collect::<Vec<_>>(), "{len} bytes, by {chunk}: {setup:?}");
            }
        }
    }
}
