//! Peers that are gone: what they said before counts, whoever finds out first, and nobody waits for them.

use std::io::ErrorKind;

use ws_session::{Cause, CloseCode, Error, Message};

use crate::sim::*;

/// Takes what comes, as slow as it likes, and says how it ended.
fn listen(world: &World, setup: &Setup, slow: bool) -> (Running, Log<String>, Log<ws_session::Sender>) {
    let (told, handed) = (Log::new(), Log::new());
    let (tell, hand) = (told.clone(), handed.clone());
    let running = setup.start(world, move |mut socket| async move {
        hand.push(socket.sender());
        loop {
            match socket.recv().await {
                Ok(Some(message)) => tell.push(message.as_text().unwrap().to_owned()),
                Ok(None) => break tell.push("the end".into()),
                Err(error) => break tell.push(error.to_string()),
            }
            if slow {
                sleep(secs(3)).await;
            }
        }
        Ok(())
    });
    (running, told, handed)
}

// ---- a Close frame, and then a reset ----

#[test]
fn a_normal_close_is_a_normal_end_whether_a_write_or_the_read_of_it_comes_first() {
    for setup in setups() {
        for (code, reason) in [(1000, "done"), (1001, ""), (1005, "")] {
            for order in ["read", "write", "write and a late read", "flush", "put off"] {
                let world = World::new(1);
                let (running, told, handed) = listen(&world, &setup, false);
                world.run();
                let sender = handed.take().remove(0);
                let close =
                    if code == 1005 { running.peer.frame(CLOSE, "") } else { running.peer.close_frame(code, reason) };
                let last_words = running.peer.frame(TEXT, "last words");
                match order {
                    "read" => {
                        running.peer.send_together(&[last_words, close]);
                        running.peer.reset();
                    }
                    "write" => {
                        sender.try_send("to nobody").unwrap();
                        running.peer.send_together(&[last_words, close]);
                        running.peer.reset();
                    }
                    "write and a late read" => {
                        running.peer.to.stall_reads(true);
                        running.peer.send_together(&[last_words, close]);
                        running.peer.reset();
                        sender.try_send("to nobody").unwrap();
                        world.advance(millis(50));
                        running.peer.to.stall_reads(false);
                    }
                    "flush" => {
                        running.peer.from.fail_flushes(ErrorKind::BrokenPipe);
                        sender.try_send("to nobody").unwrap();
                        running.peer.send_together(&[last_words, close]);
                        running.peer.to.end();
                    }
                    _ => {
                        running.peer.send_together(&[last_words, running.peer.frame(PING, "no answer"), close]);
                        running.peer.from.fail_writes(ErrorKind::ConnectionReset);
                        running.peer.to.end();
                    }
                }
                world.advance(millis(100));
                assert_eq!(told.take(), ["last words", "the end"], "{setup:?}, {code}, {order}");
                let outcome = world.at_once(async move { sender.closed().await });
                assert!(outcome.is_clean() && outcome.is_normal(), "{setup:?}, {order}: {outcome}");
                assert_eq!((u16::from(outcome.code()), outcome.reason()), (code, reason));
                assert!(running.driver.take().unwrap().is_ok(), "{setup:?}, {order}");
            }
        }
    }
}

#[test]
fn closing_is_no_failure_when_the_peer_closed_as_well_and_only_our_close_frame_was_lost() {
    for setup in setups() {
        for is_lost in [false, true] {
            let world = World::new(1);
            let log = Log::new();
            let told = log.clone();
            let running = setup.start(&world, move |socket| async move {
                sleep(secs(1)).await;
                if is_lost {
                    socket.send("to nobody").await?;
                }
                told.push(socket.close(CloseCode::NORMAL, "").await);
                Ok(())
            });
            world.run();
            running.peer.from.fail_writes(ErrorKind::BrokenPipe);
            world.advance(secs(1) - millis(1));
            running.peer.send_close(1000, "");
            running.peer.to.end();
            world.advance(secs(2));
            match log.take().remove(0) {
                Ok(outcome) => assert!(outcome.is_normal() && !is_lost, "{setup:?}: {outcome}"),
                Err(error) => assert!(is_lost, "{setup:?}: {error}"),
            }
        }
    }
}

// ---- a reset alone ----

#[test]
fn after_a_reset_nobody_waits_for_the_peer_and_nothing_is_told_as_sent() {
    for setup in setups() {
        for count in [1, 15, 16, 17, 40, 400] {
            let world = World::new(1);
            let log = Log::new();
            let told = log.clone();
            let running = setup.start(&world, move |mut socket| async move {
                let sender = socket.sender();
                told.push(sender);
                while let Some(message) = socket.recv().await? {
                    socket.send(message).await?;
                }
                Ok(())
            });
            world.run();
            let frames: Vec<_> = (0..count).map(|n| running.peer.frame(TEXT, n.to_string())).collect();
            running.peer.send_together(&frames);
            running.peer.reset();
            world.advance(millis(100));
            // A client's handle is dropped, a server's handler has failed: a Close would be asked for.
            assert!(running.driver.take().is_some(), "{setup:?}, {count}");
            assert!(running.peer.from.is_writer_gone(), "{setup:?}, {count}");
            let sender = log.take().remove(0);
            let outcome = world.at_once(async move { sender.closed().await });
            assert_eq!((outcome.sent, outcome.received, outcome.cause), (None, None, Cause::TransportFailed));
        }
    }
}

#[test]
fn a_slow_application_gets_all_that_had_been_read_before_the_reset() {
    for setup in setups() {
        let world = World::new(1);
        let (running, told, handed) = listen(&world, &setup, true);
        world.run();
        let frames: Vec<_> = (0..100).map(|n| running.peer.frame(TEXT, n.to_string())).collect();
        running.peer.send_together(&frames);
        world.run();
        handed.take().remove(0).try_send("to nobody").unwrap();
        running.peer.reset();
        world.advance(secs(301));
        let mut told = told.take();
        assert!(told.pop().unwrap().contains("the transport failed"), "{setup:?}");
        assert_eq!(told, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
        assert!(running.driver.take().unwrap().is_ok());
    }
}

#[test]
fn an_application_that_takes_nothing_keeps_a_broken_transport_for_as_long_as_a_write_may_stall() {
    for setup in setups() {
        let world = World::new(1);
        let running = setup.start(&world, |socket| async move {
            let _socket = socket;
            std::future::pending().await
        });
        world.run();
        for n in 0..17 {
            running.peer.send_text(&n.to_string());
        }
        world.run();
        running.peer.reset();
        // A ping finds it.
        world.advance(secs(50) - millis(1));
        assert!(!running.peer.from.is_writer_gone());
        world.advance(millis(1));
        assert!(running.peer.from.is_writer_gone(), "{setup:?}");
    }
}

#[test]
fn a_peer_that_takes_nothing_but_goes_on_sending_is_not_listened_to_for_ever() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let running = setup.start(&world, move |mut socket| async move {
            told.push(socket.sender());
            let end = loop {
                match socket.recv().await {
                    Ok(Some(Message::Binary(_))) => {}
                    end => break end,
                }
            };
            assert!(matches!(end, Err(Error::Closed(_))));
            Ok(())
        });
        world.run();
        running.peer.from.fail_writes(ErrorKind::BrokenPipe);
        log.take().remove(0).try_send("to nobody").unwrap();
        let frame = running.peer.frame(BINARY, vec![0; 1 << 20]);
        let mut mebibytes = 0;
        while !running.peer.from.is_writer_gone() {
            assert!(mebibytes < 100, "{setup:?}");
            running.peer.to.push(&frame);
            mebibytes += 1;
            world.run();
        }
        assert!(mebibytes >= 60, "{setup:?}: {mebibytes}");
    }
}
