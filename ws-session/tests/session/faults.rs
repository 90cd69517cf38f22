//! Transports that break, peers that fall silent, and parts that are dropped in any order.

use std::io::ErrorKind;

use futures_util::StreamExt;
use ws_proto::Role;
use ws_session::{Cause, CloseCode, Error, Outcome, SendError};

use crate::sim::*;

/// Takes what comes and tells it: the messages, then how it ended.
fn listen(world: &World, setup: &Setup, log: &Log<Result<String, Error>>) -> Running {
    let told = log.clone();
    setup.start(world, |mut socket| async move {
        loop {
            match socket.recv().await {
                Ok(Some(message)) => told.push(Ok(message.as_text().unwrap().to_owned())),
                Ok(None) => break,
                Err(error) => {
                    told.push(Err(error));
                    break;
                }
            }
        }
        Ok(())
    })
}

/// The messages, and the outcome with the I/O error's kind.
fn told(log: &Log<Result<String, Error>>) -> (Vec<String>, Option<(Outcome, Option<ErrorKind>)>) {
    let mut messages = Vec::new();
    for entry in log.take() {
        match entry {
            Ok(message) => messages.push(message),
            Err(error) => {
                let closed = error.closed().expect("closed").clone();
                let io = closed.io_error().map(|error| error.kind());
                return (messages, Some((closed.outcome().clone(), io)));
            }
        }
    }
    (messages, None)
}

// ---- the transport ----

#[test]
fn after_a_reset_complete_messages_are_delivered_and_half_of_one_is_not() {
    for setup in setups() {
        for chunk in [usize::MAX, 1] {
            let world = World::new(1);
            let log = Log::new();
            let running = listen(&world, &setup.link(|link| link.chunk = chunk), &log);
            world.run();
            let half = running.peer.frame(TEXT, "never complete");
            running.peer.send_together(&[
                running.peer.frame(TEXT, "1"),
                running.peer.frame(TEXT, "2"),
                half[..9].into(),
            ]);
            running.peer.reset();
            world.run();
            let (messages, end) = told(&log);
            assert_eq!(messages, ["1", "2"], "{setup:?}");
            let (outcome, io) = end.unwrap();
            assert_eq!((outcome.cause.clone(), io), (Cause::TransportFailed, Some(ErrorKind::ConnectionReset)));
            assert_eq!(outcome.code(), CloseCode::ABNORMAL);
            assert!(running.peer.from.is_writer_gone());
        }
    }
}

#[test]
fn after_an_early_end_complete_messages_are_delivered_and_half_of_one_is_not() {
    for setup in setups() {
        for chunk in [usize::MAX, 1] {
            let world = World::new(1);
            let log = Log::new();
            let running = listen(&world, &setup.link(|link| link.chunk = chunk), &log);
            world.run();
            let half = running.peer.frame(TEXT, "never complete");
            running.peer.send_together(&[running.peer.frame(TEXT, "1"), half[..9].into()]);
            running.peer.to.end();
            world.run();
            let (messages, end) = told(&log);
            assert_eq!(messages, ["1"]);
            let (outcome, io) = end.unwrap();
            assert_eq!((outcome.cause.clone(), io), (Cause::Eof, None));
            assert_eq!(outcome.code(), CloseCode::ABNORMAL);
        }
    }
}

#[test]
fn a_write_that_fails_does_not_lose_what_the_peer_said_before_it_left() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let running = listen(&world, &setup, &log);
        world.run();
        // It says goodbye and is gone: what it sent is in our receive buffer, what we send has nowhere to go.
        running.peer.send_together(&[running.peer.frame(TEXT, "goodbye"), running.peer.close_frame(1000, "")]);
        running.peer.send(PING, "unanswerable");
        running.peer.to.end();
        running.peer.from.fail_writes(ErrorKind::BrokenPipe);
        world.run();
        let (messages, end) = told(&log);
        assert_eq!(messages[0], "goodbye", "{setup:?}");
        if let Some((outcome, _)) = end {
            assert_eq!(outcome.code(), CloseCode::NORMAL, "{outcome}");
        }
    }
}

#[test]
fn a_write_that_fails_first_does_not_lose_messages_that_have_arrived() {
    for setup in setups() {
        let world = World::new(1);
        let (messages, handed) = (Log::new(), Log::new());
        let (taken, hand) = (messages.clone(), handed.clone());
        let running = setup.start(&world, |mut socket| async move {
            hand.push(socket.sender());
            while let Ok(Some(message)) = socket.recv().await {
                taken.push(message.as_text().unwrap().to_owned());
            }
            Ok(())
        });
        world.run();
        // When the driver is woken there is something to write, which fails, and something to read.
        handed.take().remove(0).try_send("to nobody").unwrap();
        running.peer.from.fail_writes(ErrorKind::ConnectionReset);
        for n in 0..5 {
            running.peer.send_text(&n.to_string());
        }
        running.peer.send_close(1000, "");
        running.peer.to.end();
        world.run();
        assert_eq!(messages.take(), ["0", "1", "2", "3", "4"], "{setup:?}");
    }
}

#[test]
fn a_write_that_fails_before_a_read_is_known_to_be_worth_it_loses_nothing() {
    for setup in setups() {
        let world = World::new(1);
        let (log, handed) = (Log::new(), Log::new());
        let (told_to, hand) = (log.clone(), handed.clone());
        let running = setup.start(&world, |mut socket| async move {
            hand.push(socket.sender());
            while let Ok(Some(message)) = socket.recv().await {
                told_to.push(message.as_text().unwrap().to_owned());
            }
            told_to.push(socket.closed().await.to_string());
            Ok(())
        });
        world.run();
        // It is all there; but a runtime learns of that only when it asks the system again, and a write comes first.
        running.peer.to.stall_reads(true);
        running.peer.send_together(&[running.peer.frame(TEXT, "goodbye"), running.peer.close_frame(1009, "")]);
        running.peer.from.fail_writes(ErrorKind::ConnectionReset);
        handed.take().remove(0).try_send("to nobody").unwrap();
        world.run();
        running.peer.to.fail_reads(ErrorKind::ConnectionReset);
        running.peer.to.stall_reads(false);
        world.run();
        let told = log.take();
        assert_eq!(told[0], "goodbye", "{setup:?}");
        assert!(told[1].contains("1009"), "{setup:?}: {told:?}");
    }
}

#[test]
fn a_write_that_fails_does_not_lose_input_that_waits_for_room() {
    for setup in setups() {
        let world = World::new(1);
        let messages = Log::new();
        let taken = messages.clone();
        let running = setup.timeless().start(&world, |mut socket| async move {
            sleep(secs(1)).await;
            socket.send("to nobody").await?;
            sleep(secs(1)).await;
            while let Ok(Some(message)) = socket.recv().await {
                taken.push(message.as_text().unwrap().to_owned());
            }
            Ok(())
        });
        world.run();
        let frames: Vec<_> = (0..40).map(|n| running.peer.frame(TEXT, n.to_string())).collect();
        running.peer.send_together(&frames);
        world.run();
        assert_eq!(running.peer.to.len(), 0, "all of it has been read, 16 are in the queue");
        running.peer.reset();
        world.advance(secs(5));
        let expected: Vec<_> = (0..40).map(|n| n.to_string()).collect();
        assert_eq!(messages.take(), expected, "complete messages are delivered: {setup:?}");
    }
}

#[test]
fn a_waiting_sender_fails_at_a_reset_although_the_queue_is_full() {
    for (setup, flushes) in setups().into_iter().flat_map(|setup| [(setup.clone(), false), (setup, true)]) {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let setup = setup.timeless().link(|link| link.capacity = 1000);
        let running = setup.start(&world, |mut socket| async move {
            let mut taken = 0;
            while let Ok(Some(message)) = socket.recv().await {
                taken += 1;
                // Waits for a peer that reads nothing, while messages pile up.
                let _ = match flushes {
                    true => socket.send(message).await.and(socket.flush().await),
                    false => socket.send(message).await,
                };
            }
            told.push(taken);
            Ok(())
        });
        world.run();
        for _ in 0..40 {
            running.peer.send(BINARY, vec![0; 50_000]);
        }
        world.run();
        assert!(running.peer.to.len() > 0, "reading has stopped");
        running.peer.reset();
        world.run();
        assert_eq!(log.take(), [40], "all that came is taken, then the end is seen: flushes: {flushes}, {setup:?}");
        assert!(running.peer.from.is_writer_gone());
    }
}

#[test]
fn a_shutdown_that_fails_late_ends_the_connection_at_once() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let running = listen(&world, &setup.link(|link| link.buffered = true), &log);
        world.run();
        running.peer.send(0x83, "");
        running.peer.from.stall_shutdown(true);
        world.run();
        assert!(!running.peer.from.is_writer_gone());
        running.peer.from.fail_shutdown(ErrorKind::ConnectionReset);
        world.run();
        assert!(running.peer.from.is_writer_gone(), "{setup:?}");
    }
}

#[test]
fn a_peer_that_stops_reading_is_given_up_after_the_write_stall() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let setup = setup.config(|config| config.deadlines.ping_interval = None).link(|link| link.capacity = 1000);
        let running = setup.start(&world, |socket| async move {
            for _ in 0..10 {
                if let Err(error) = socket.send(vec![0; 100_000]).await {
                    told.push(error);
                    break;
                }
            }
            Ok(())
        });
        world.advance(secs(29));
        running.peer.from.take();
        world.advance(secs(29));
        assert_eq!(log.len(), 0, "something was taken, 29 s ago");
        running.peer.from.take();
        world.advance(secs(30) - millis(1));
        assert_eq!(log.len(), 0);
        world.advance(millis(1));
        assert_eq!(log.take().remove(0).closed().unwrap().outcome().cause, Cause::WriteStall);
        assert!(running.peer.from.is_writer_gone());
        assert!(running.driver.take().unwrap().is_ok());
    }
}

#[test]
fn endless_pings_to_a_peer_that_does_not_read_end_in_a_write_stall() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let setup = setup.link(|link| link.capacity = 1000);
        let running = listen(&world, &setup, &log);
        for _ in 0..100 {
            for _ in 0..1000 {
                running.peer.send(PING, [7; 125]);
            }
            world.advance(millis(500));
        }
        let (_, end) = told(&log);
        assert_eq!(end.unwrap().0.cause, Cause::WriteStall, "{setup:?}");
    }
}

#[test]
fn a_transport_that_takes_nothing_or_cannot_flush_has_failed() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let running = listen(&world, &setup, &log);
        world.run();
        running.peer.from.fail_flushes(ErrorKind::TimedOut);
        running.peer.send(PING, "");
        // Time for what may have come before to show.
        world.advance(millis(100));
        let (_, end) = told(&log);
        let (outcome, io) = end.unwrap();
        assert_eq!((outcome.cause, io), (Cause::TransportFailed, Some(ErrorKind::TimedOut)));
    }
}

#[test]
fn a_message_that_stands_still_halfway_ends_the_connection() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let setup = setup.config(|config| config.deadlines.ping_interval = None);
        let mut running = listen(&world, &setup, &log);
        world.run();
        let half = running.peer.frame(TEXT, "never complete");
        running.peer.to.push(&half[..9]);
        world.advance(secs(60) - millis(1));
        assert_eq!(log.len(), 0);
        world.advance(millis(1));
        let (_, end) = told(&log);
        assert_eq!(end.unwrap().0.cause, Cause::MessageTimeout);
        assert_eq!(running.peer.frames()[0].1[..2], 1008u16.to_be_bytes());
    }
}

#[test]
fn keepalive_finds_a_dead_peer_in_40_s_and_a_live_one_never() {
    for setup in setups() {
        for alive in [true, false] {
            let world = World::new(1);
            let log = Log::new();
            let mut running = listen(&world, &setup, &log);
            world.run();
            let mut pings = 0;
            for _ in 0..42 {
                world.advance(secs(1));
                for Frame(_, payload) in running.peer.frames().into_iter().filter(|frame| frame.0 == PING) {
                    pings += 1;
                    if alive {
                        running.peer.send(PONG, payload);
                    }
                }
            }
            let (_, end) = told(&log);
            assert_eq!(end.map(|(outcome, _)| outcome.cause), (!alive).then_some(Cause::KeepaliveTimeout));
            assert_eq!(pings, 2, "each 20 s, or after 10 s without an answer");
            assert_eq!(running.peer.from.is_writer_gone(), !alive, "{setup:?}");
        }
    }
}

// ---- who goes first ----

#[test]
fn parts_dropped_in_any_order_leave_nobody_waiting() {
    const PARTS: [&str; 4] = ["socket", "driver", "sender", "peer"];
    let mut orders = vec![vec![]];
    for _ in PARTS {
        orders = orders
            .iter()
            .flat_map(|order: &Vec<usize>| {
                let left = (0..PARTS.len()).filter(|part| !order.contains(part)).collect::<Vec<_>>();
                left.into_iter().map(|part| [&order[..], &[part]].concat())
            })
            .collect();
    }
    assert_eq!(orders.len(), 24);
    for role in [Role::Server, Role::Client] {
        for (order, running) in orders.iter().flat_map(|order| [(order, true), (order, false)]) {
            let world = World::new(3);
            let (socket, driver, mut peer) = Setup::new(role).link(|link| link.capacity = 1000).open(&world);
            let sender = socket.sender();
            let waiting = ["send", "flush", "ping", "close", "closed", "closed"]
                .map(|what| spawn_waiting(&world, what, sender.clone()));
            sender.try_send(vec![0; 100_000]).unwrap();
            let (driver_task, mut driver) = match running {
                true => (Some(world.spawn("driver", driver)), None),
                false => (None, Some(driver)),
            };
            world.run();
            let (mut socket, mut sender) = (Some(socket), Some(sender));
            for &part in order {
                match PARTS[part] {
                    "socket" => socket = None,
                    "sender" => sender = None,
                    "peer" => peer.leave(),
                    _ => {
                        driver_task.iter().for_each(|task| world.cancel(task));
                        driver = None;
                    }
                }
                world.run();
            }
            drop((socket, sender, driver));
            world.advance(secs(60));
            for task in &waiting {
                assert!(task.is_finished(), "{role:?}, order {order:?}, {running}: still waits");
            }
        }
    }
}

fn spawn_waiting(world: &World, what: &'static str, sender: ws_session::Sender) -> Task<&'static str> {
    world.spawn(what, async move {
        match what {
            "send" => drop(sender.send("x").await),
            "flush" => drop(sender.flush().await),
            "ping" => drop(sender.ping().await),
            "close" => {
                sleep(secs(5)).await;
                drop(sender.close(CloseCode::NORMAL, "").await);
            }
            _ => drop(sender.closed().await),
        }
        what
    })
}

#[test]
fn a_sender_outlives_everything() {
    for setup in setups() {
        let world = World::new(1);
        let handed = Log::new();
        let hand = handed.clone();
        let mut running = setup.start(&world, |socket| async move {
            hand.push(socket.sender());
            Ok(())
        });
        world.run();
        running.peer.send_close(1000, "");
        world.run();
        running.peer.leave();
        world.run();
        assert!(running.driver.take().unwrap().is_ok());
        let sender = handed.take().remove(0);
        drop(running);
        assert!(!sender.is_open());
        assert!(matches!(sender.try_send("x"), Err(SendError::Closed(_))));
        world.at_once(async move {
            assert!(matches!(sender.send("x").await, Err(Error::Closed(_))));
            assert!(matches!(sender.send_fragment("x", false).await, Err(Error::Closed(_))));
            assert!(matches!(sender.ping().await, Err(Error::Closed(_))));
            assert!(sender.flush().await.is_ok(), "all that was queued has been written");
            assert!(sender.closed().await.is_clean());
            assert!(sender.close(4000, "").await.unwrap().is_clean(), "it was closed well");
        });
    }
}

#[test]
fn a_dropped_driver_leaves_received_messages() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (mut socket, driver, peer) = Setup::new(role).open(&world);
        let driver = world.spawn("driver", driver);
        peer.send_text("1");
        peer.send_text("2");
        world.run();
        world.cancel(&driver);
        assert!(peer.from.is_writer_gone());
        world.at_once(async move {
            assert_eq!(socket.next().await.unwrap().unwrap(), "1");
            assert_eq!(socket.next().await.unwrap().unwrap(), "2");
            let error = socket.next().await.unwrap().unwrap_err();
            assert_eq!(error.closed().unwrap().outcome().cause, Cause::Aborted);
            assert!(socket.next().await.is_none());
        });
    }
}
