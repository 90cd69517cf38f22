//! The closing handshake: what was said before it arrives before it, and its end is reported once, as it was.

use std::io::ErrorKind;

use futures_util::{SinkExt, future};
use ws_proto::Role;
use ws_session::{Cause, CloseCode, Error, Message, Violation};

use crate::sim::*;

/// Sends back what it gets, and says how it ended.
fn echo(world: &World, setup: &Setup, end: &Log<Result<Option<Message>, Error>>) -> Running {
    let end = end.clone();
    setup.start(world, |mut socket| async move {
        loop {
            match socket.recv().await {
                Ok(Some(message)) => {
                    // A handler that takes its time.
                    yield_now().await;
                    socket.send(message).await?;
                    yield_now().await;
                }
                other => {
                    end.push(other);
                    return Ok(());
                }
            }
        }
    })
}

// ---- the peer closes ----

#[test]
fn messages_before_a_close_are_delivered_and_answered_before_it() {
    for setup in setups() {
        for chunk in [usize::MAX, 1, 30] {
            let world = World::new(1);
            let end = Log::new();
            let mut running = echo(&world, &setup.link(|link| link.chunk = chunk), &end);
            world.run();
            let mut frames: Vec<_> = (0..10).map(|n| running.peer.frame(TEXT, n.to_string())).collect();
            frames.push(running.peer.close_frame(1000, "bye"));
            frames.push(running.peer.frame(TEXT, "after the Close"));
            running.peer.send_together(&frames);
            running.peer.to.end();
            world.run();
            let mut expected: Vec<_> = (0..10).map(|n| text(&n.to_string())).collect();
            expected.push(close(1000, ""));
            assert_eq!(running.peer.frames(), expected, "{setup:?}");
            assert!(matches!(end.take()[..], [Ok(None)]));
            assert_eq!(world.now(), secs(0));
        }
    }
}

#[test]
fn more_messages_before_a_close_than_the_queue_holds() {
    for setup in setups() {
        for count in [15, 16, 17, 24, 25, 100] {
            let world = World::new(1);
            let end = Log::new();
            let mut running = echo(&world, &setup, &end);
            world.run();
            let mut frames: Vec<_> = (0..count).map(|n| running.peer.frame(TEXT, n.to_string())).collect();
            frames.push(running.peer.close_frame(4000, "bye"));
            running.peer.send_together(&frames);
            running.peer.to.end();
            world.run();
            let mut expected: Vec<_> = (0..count).map(|n| text(&n.to_string())).collect();
            expected.push(close(4000, ""));
            assert_eq!(running.peer.frames(), expected, "{setup:?}");
            let Err(Error::Closed(closed)) = end.take().remove(0) else { panic!("4000 is no normal end") };
            assert_eq!(closed.outcome().code(), 4000);
            assert_eq!(closed.outcome().reason(), "bye");
            assert!(closed.outcome().is_clean() && !closed.outcome().is_normal());
        }
    }
}

#[test]
fn a_violation_behind_a_message_does_not_swallow_the_answer_to_it() {
    for setup in setups() {
        let world = World::new(1);
        let end = Log::new();
        let mut running = echo(&world, &setup, &end);
        world.run();
        let bad = running.peer.frame(0x83, "reserved opcode");
        running.peer.send_together(&[running.peer.frame(TEXT, "fine"), bad, running.peer.frame(TEXT, "no more")]);
        world.run();
        assert_eq!(running.peer.frames(), [text("fine"), close(1002, "reserved opcode 0x3")], "{setup:?}");
        assert!(running.peer.from.is_ended(), "half-closed, so that the peer reads the Close");
        running.peer.to.end();
        world.run();
        let Err(Error::Closed(closed)) = end.take().remove(0) else { panic!("no normal end") };
        assert_eq!(closed.outcome().cause, Cause::Violation(Violation::ReservedOpcode(3)));
        assert_eq!(closed.outcome().code(), CloseCode::ABNORMAL);
    }
}

#[test]
fn a_late_answer_is_not_waited_for() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let mut running = setup.start(&world, |mut socket| async move {
            while let Some(message) = socket.recv().await? {
                sleep(secs(3)).await;
                told.push(socket.send(message).await);
            }
            Ok(())
        });
        world.run();
        running.peer.send_together(&[running.peer.frame(TEXT, "1"), running.peer.close_frame(1000, "")]);
        world.advance(secs(1));
        assert_eq!(running.peer.frames(), [close(1000, "")], "{setup:?}");
        running.peer.to.end();
        world.advance(secs(3));
        assert!(matches!(log.take()[..], [Err(Error::Closed(_))]));
        assert!(running.peer.from.is_writer_gone());
    }
}

#[test]
fn an_application_that_closes_itself_does_not_put_the_answer_off() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let mut running = setup.start(&world, |mut socket| async move {
            sleep(millis(10)).await;
            // Three messages and the peer's Close are there: it reads none of them.
            told.push(socket.close(CloseCode::NORMAL, "").await.map(|outcome| outcome.cause));
            while let Some(message) = socket.recv().await? {
                told.push(Ok(Cause::Local));
                drop(message);
            }
            Ok(())
        });
        world.run();
        let mut frames: Vec<_> = (0..3).map(|n| running.peer.frame(TEXT, n.to_string())).collect();
        frames.push(running.peer.close_frame(1000, ""));
        running.peer.send_together(&frames);
        running.peer.to.end();
        world.advance(millis(10));
        assert_eq!(running.peer.frames(), [close(1000, "")], "nothing can be sent any more: {setup:?}");
        let log = log.take();
        assert_eq!(log.len(), 4, "what came before the Close can still be taken");
        assert_eq!(log[0].as_ref().unwrap(), &Cause::Peer);
    }
}

#[test]
fn every_kind_of_close_is_answered_in_kind() {
    for setup in setups() {
        for (body, answer, normal) in [
            (vec![], vec![], true),
            (1000u16.to_be_bytes().into(), 1000u16.to_be_bytes().into(), true),
            (1001u16.to_be_bytes().into(), 1001u16.to_be_bytes().into(), true),
            (3333u16.to_be_bytes().into(), 3333u16.to_be_bytes().into(), false),
        ] {
            let world = World::new(1);
            let end = Log::new();
            let mut running = echo(&world, &setup, &end);
            running.peer.send(CLOSE, body);
            world.run();
            assert_eq!(running.peer.frames(), [Frame(CLOSE, answer)]);
            assert!(running.peer.from.is_ended(), "half-closed");
            running.peer.to.end();
            world.run();
            assert!(running.peer.from.is_writer_gone());
            assert_eq!(end.take().remove(0).is_ok(), normal);
        }
    }
}

// ---- we close ----

#[test]
fn close_waits_for_the_peer_and_for_all_that_was_sent() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let mut running = setup.link(|link| link.capacity = 1000).start(&world, |mut socket| async move {
            socket.send(vec![1; 5000]).await?;
            socket.send("last").await?;
            told.push(socket.close(CloseCode::NORMAL, "reason").await);
            told.push(socket.close(4000, "another").await);
            assert!(matches!(socket.send("late").await, Err(Error::Closed(_))));
            assert_eq!(socket.recv().await?, None);
            Ok(())
        });
        let mut frames = Vec::new();
        for _ in 0..10 {
            world.advance(millis(100));
            frames.extend(running.peer.frames());
            assert_eq!(log.len(), 0);
        }
        assert_eq!(frames, [Frame(BINARY, vec![1; 5000]), text("last"), close(1000, "reason")]);
        running.peer.send_close(1000, "reason");
        world.run();
        let results = log.take();
        assert_eq!(results.len(), 2);
        for result in results {
            let outcome = result.unwrap();
            assert_eq!((outcome.cause.clone(), outcome.code()), (Cause::Local, CloseCode::NORMAL));
            assert_eq!(outcome.sent.unwrap().reason, "reason", "the first close counts");
        }
    }
}

#[test]
fn close_is_begun_by_the_call_and_by_anybody() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let mut running = setup.start(&world, |socket| async move {
            drop(socket.close(4001, "first"));
            assert!(!socket.sender().is_open());
            for code in [4002, 4003] {
                let (sender, told) = (socket.sender(), told.clone());
                spawn_here("close", async move { told.push(sender.close(code, "").await) });
            }
            told.push(socket.close(4004, "").await);
            Ok(())
        });
        world.run();
        assert_eq!(running.peer.frames(), [close(4001, "first")]);
        running.peer.send_close(4001, "");
        running.peer.to.end();
        world.run();
        let outcomes: Vec<_> = log.take().into_iter().map(Result::unwrap).collect();
        assert_eq!(outcomes.len(), 3);
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{setup:?}");
    }
}

#[test]
fn a_code_that_must_not_be_sent_is_refused_and_closes_nothing() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (socket, driver, mut peer) = Setup::new(role).open(&world);
        world.spawn("driver", driver);
        let sender = socket.sender();
        world.at_once(async move {
            for code in [0, 999, 1004, 1006, 1015, 2000, 5000] {
                assert!(matches!(sender.close(code, "").await, Err(Error::CloseCode(_))), "{code}");
            }
            sender.send("still open").await.unwrap();
            drop(sender.close(CloseCode::NO_STATUS, "no place for this"));
        });
        world.run();
        assert_eq!(peer.frames(), [text("still open"), Frame(CLOSE, vec![])]);
        drop(socket);
    }
}

#[test]
fn close_fails_when_the_peer_neither_answers_nor_lets_go() {
    for setup in setups() {
        for (how, cause) in [("silence", Cause::CloseTimeout), ("reset", Cause::TransportFailed)] {
            let world = World::new(1);
            let log = Log::new();
            let told = log.clone();
            let running = setup.start(&world, |socket| async move {
                told.push(socket.close(CloseCode::NORMAL, "").await);
                Ok(())
            });
            world.run();
            match how {
                "reset" => running.peer.reset(),
                _ => {
                    world.advance(secs(10) - millis(1));
                    assert_eq!(log.len(), 0);
                    world.advance(millis(1));
                }
            }
            world.run();
            let error = log.take().remove(0).unwrap_err();
            assert_eq!(error.closed().unwrap().outcome().cause, cause, "{setup:?}, {how}");
            assert!(running.peer.from.is_writer_gone());
        }
    }
}

#[test]
fn close_fails_when_not_all_was_written() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let running = setup.link(|link| link.capacity = 1000).start(&world, |socket| async move {
            socket.send(vec![1; 5000]).await?;
            told.push(socket.close(CloseCode::NORMAL, "").await);
            Ok(())
        });
        world.run();
        // The peer closes by itself, and reads nothing.
        running.peer.send_close(1000, "");
        running.peer.to.end();
        world.advance(secs(60));
        let error = log.take().remove(0).unwrap_err();
        let outcome = error.closed().unwrap().outcome();
        assert_eq!(outcome.received.as_ref().unwrap().code, CloseCode::NORMAL);
        assert!(running.peer.from.is_writer_gone());
    }
}

#[test]
fn a_sink_that_could_not_write_all_says_so_when_closed() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let running = setup.link(|link| link.capacity = 1000).start(&world, |mut socket| async move {
            socket.feed(Message::from(vec![1; 5000])).await?;
            told.push(SinkExt::<Message>::close(&mut socket).await);
            Ok(())
        });
        world.run();
        running.peer.reset();
        world.run();
        assert!(log.take().remove(0).is_err(), "the message never reached anybody: {setup:?}");
    }
}

#[test]
fn closing_while_the_peer_does_the_same() {
    for seed in seeds(20) {
        let world = World::new(seed);
        let Pair { server: (server, server_driver), client: (client, client_driver) } =
            open_pair(&world, &Default::default(), LinkOptions { chunk: 3, hiccups: true, ..Default::default() });
        world.spawn("server driver", server_driver);
        world.spawn("client driver", client_driver);
        let (a, b) = world
            .block_on(async move { future::join(client.close(4001, "client"), server.close(4002, "server")).await });
        let (a, b) = (a.unwrap(), b.unwrap());
        assert!(a.is_clean() && b.is_clean());
        assert_eq!(a.sent.unwrap().code, 4001);
        assert_eq!(b.sent.unwrap().code, 4002);
        assert_eq!(world.now(), secs(0));
    }
}

// ---- the transport's farewell ----

#[test]
fn a_buffering_transport_gets_its_flush_before_it_is_dropped() {
    for setup in setups() {
        let world = World::new(1);
        let end = Log::new();
        let mut running = echo(&world, &setup.link(|link| link.buffered = true), &end);
        world.run();
        running.peer.from.stall_flushes(true);
        running.peer.send_together(&[running.peer.frame(TEXT, "one"), running.peer.close_frame(1000, "")]);
        // It sends no more, but still listens.
        running.peer.to.end();
        world.advance(secs(2));
        assert!(!running.peer.from.is_writer_gone(), "it has not passed on what was written: {setup:?}");
        running.peer.from.stall_flushes(false);
        world.run();
        assert_eq!(running.peer.frames(), [text("one"), close(1000, "")]);
    }
}

#[test]
fn an_error_close_survives_a_peer_that_goes_on_sending() {
    for setup in setups() {
        let world = World::new(1);
        let end = Log::new();
        let setup = setup.link(|link| link.resets = true);
        let setup = setup.config(|config| config.limits.discard = 1 << 20);
        let mut running = echo(&world, &setup, &end);
        world.run();
        let bad = running.peer.frame(0x83, "");
        running.peer.send_together(&[bad]);
        // A transport dropped with input unread is reset, and its last words are lost.
        for _ in 0..15 {
            running.peer.to.push(&[0; 60_000]);
            world.advance(millis(100));
        }
        assert_eq!(running.peer.to.len(), 0, "read and thrown away");
        assert_eq!(running.peer.frames(), [close(1002, "reserved opcode 0x3")]);
        assert!(!running.peer.from.is_writer_gone());
        running.peer.to.push(&vec![0; 300_000]);
        world.run();
        assert!(running.peer.from.is_writer_gone(), "enough is enough: {setup:?}");
    }
}

#[test]
fn a_shutdown_that_fails_ends_the_connection() {
    for setup in setups() {
        let world = World::new(1);
        let end = Log::new();
        let mut running = echo(&world, &setup, &end);
        running.peer.from.fail_shutdown(ErrorKind::NotConnected);
        running.peer.send_close(1000, "");
        world.run();
        assert_eq!(running.peer.frames(), [close(1000, "")]);
        assert!(running.peer.from.is_writer_gone());
        assert!(matches!(end.take()[..], [Ok(None)]), "both Close frames were there");
    }
}

#[test]
fn dropping_the_last_handle_closes_with_1001() {
    for (role, socket_first) in [Role::Server, Role::Client].into_iter().flat_map(|role| [(role, true), (role, false)])
    {
        let world = World::new(1);
        let (socket, driver, mut peer) = Setup::new(role).open(&world);
        let driver = world.spawn("driver", driver);
        let sender = socket.sender();
        sender.try_send("last").unwrap();
        peer.send_text("nobody will read this");
        world.run();
        match socket_first {
            true => drop((socket, sender)),
            false => drop((sender, socket)),
        }
        world.run();
        assert_eq!(peer.frames(), [text("last"), close(1001, "")]);
        for n in 0..100 {
            peer.send_text(&n.to_string());
        }
        peer.send_close(1001, "");
        peer.to.end();
        world.run();
        assert!(driver.is_finished(), "what nobody can take does not hold it up");
    }
}
