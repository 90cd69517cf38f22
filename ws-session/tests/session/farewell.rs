//! The transport after the closing handshake, and the time that `close` takes.

use std::io::ErrorKind;

use ws_proto::Role;
use ws_session::{Cause, CloseCode, Error, Outcome};

use crate::sim::*;

/// Closes at once with 1000, and says what came of it.
fn closes(world: &World, setup: &Setup) -> (Running, Log<Result<Outcome, Error>>) {
    let log = Log::new();
    let told = log.clone();
    let running = setup.start(world, |socket| async move {
        socket.send("last words").await?;
        told.push(socket.close(CloseCode::NORMAL, "").await);
        Ok(())
    });
    world.run();
    (running, log)
}

#[test]
fn close_takes_until_both_close_frames_are_through_and_not_until_the_transport_ends() {
    for setup in setups() {
        for buffered in [false, true] {
            let world = World::new(1);
            let setup = setup.link(|link| link.buffered = buffered);
            let (mut running, log) = closes(&world, &setup);
            assert_eq!(running.peer.frames(), [text("last words"), close(1000, "")]);
            assert_eq!(log.len(), 0);
            world.advance(secs(1));
            running.peer.send_close(1000, "");
            world.run();
            assert!(log.take().remove(0).unwrap().is_normal(), "{setup:?}");
            assert_eq!(world.now(), secs(1));
            assert!(running.peer.from.is_ended() && !running.peer.from.is_writer_gone(), "half-closed: {setup:?}");
            assert!(!running.driver.is_finished());
            running.peer.to.end();
            world.run();
            assert!(running.driver.is_finished());
        }
    }
}

#[test]
fn close_waits_until_our_own_close_frame_has_been_written() {
    for setup in setups() {
        for flushes in [false, true] {
            let world = World::new(1);
            let log = Log::new();
            let told = log.clone();
            let setup = setup.link(|link| link.buffered = true);
            let mut running = setup.start(&world, |socket| async move {
                sleep(secs(1)).await;
                told.push(socket.close(CloseCode::NORMAL, "").await);
                Ok(())
            });
            world.run();
            match flushes {
                true => running.peer.from.stall_flushes(true),
                false => running.peer.from.stall_writes(true),
            }
            world.advance(secs(1));
            running.peer.send_close(1000, "");
            world.advance(secs(5));
            assert_eq!((log.len(), running.peer.from.is_ended()), (0, false), "{setup:?}");
            running.peer.from.stall_flushes(false);
            running.peer.from.stall_writes(false);
            world.run();
            assert!(log.take().remove(0).unwrap().is_normal(), "{setup:?}");
            assert_eq!(running.peer.frames(), [close(1000, "")]);
            assert!(running.peer.from.is_ended());
        }
    }
}

#[test]
fn an_answer_to_the_peers_close_is_followed_by_a_half_close_at_once() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.start(&world, |mut socket| async move {
            assert_eq!(socket.recv().await?, None);
            Ok(())
        });
        world.run();
        running.peer.send_close(1000, "");
        world.run();
        assert_eq!(running.peer.frames(), [close(1000, "")]);
        assert!(running.peer.from.is_ended() && !running.peer.from.is_writer_gone(), "{setup:?}");
        running.peer.to.end();
        world.run();
        assert!(running.peer.from.is_writer_gone());
    }
}

#[test]
fn a_client_half_closes_after_2_seconds_and_some_servers_answer_only_then() {
    for setup in setups().into_iter().filter(|setup| setup.role == Role::Client) {
        let world = World::new(1);
        let (mut running, log) = closes(&world, &setup);
        running.peer.frames();
        world.advance(secs(2) - millis(1));
        assert!(!running.peer.from.is_ended());
        world.advance(millis(1));
        assert!(running.peer.from.is_ended() && !running.peer.from.is_writer_gone());
        assert_eq!(log.len(), 0);
        running.peer.send_text("not heard before");
        running.peer.send_close(1000, "");
        world.run();
        assert!(log.take().remove(0).unwrap().is_normal(), "{setup:?}");
        assert_eq!(running.peer.frames(), []);
    }
}

#[test]
fn a_peer_that_ends_the_transport_after_our_close_has_its_own_outcome() {
    for setup in setups() {
        for how in ["at once", "after our half-close", "TLS is cut"] {
            let world = World::new(1);
            let (running, log) = closes(&world, &setup);
            match how {
                "at once" => running.peer.to.end(),
                "TLS is cut" => running.peer.to.fail_reads(ErrorKind::UnexpectedEof),
                _ => {
                    world.advance(secs(3));
                    running.peer.to.end();
                }
            }
            world.run();
            let outcome = log.take().remove(0).unwrap();
            assert_eq!(outcome.cause, Cause::Unanswered, "{setup:?}, {how}");
            assert!(outcome.sent.is_some() && !outcome.is_clean());
            assert!(running.peer.from.is_writer_gone());
        }
    }
}

#[test]
fn tls_that_is_cut_before_we_have_closed_is_a_failure_still() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let running = setup.start(&world, |mut socket| async move {
            told.push(socket.recv().await);
            Ok(())
        });
        world.run();
        running.peer.to.fail_reads(ErrorKind::UnexpectedEof);
        world.run();
        let error = log.take().remove(0).unwrap_err();
        let closed = error.closed().unwrap();
        assert_eq!(closed.outcome().cause, Cause::TransportFailed);
        assert_eq!(closed.io_error().unwrap().kind(), ErrorKind::UnexpectedEof);
    }
}

// ---- a slow peer ----

#[test]
fn messages_sent_before_a_close_arrive_at_a_peer_that_reads_slowly() {
    for setup in setups() {
        let world = World::new(1);
        // 100 kB a second for 3 MiB: three times what the closing handshake may take.
        let mut running = setup.link(|link| link.capacity = 10_000).start(&world, |socket| async move {
            for n in 1..=3 {
                socket.send(vec![n; 1 << 20]).await?;
            }
            Ok(())
        });
        let mut frames = Vec::new();
        for _ in 0..320 {
            world.advance(millis(100));
            frames.extend(running.peer.frames().into_iter().filter(|frame| frame.0 != PING));
        }
        let code = if setup.beside { 1000 } else { 1001 };
        let sent: Vec<_> = (1..=3).map(|n| Frame(BINARY, vec![n; 1 << 20])).chain([close(code, "")]).collect();
        assert!(frames == sent, "{setup:?}: {frames:?}");
        running.peer.send_close(code, "");
        running.peer.to.end();
        world.run();
        assert!(running.driver.is_finished());
    }
}

#[test]
fn a_peer_that_takes_what_was_sent_too_slowly_is_given_up_at_the_total() {
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.config(|config| config.deadlines.close_total = secs(60)).link(|link| link.capacity = 1000);
        let running = setup.start(&world, |socket| async move {
            socket.send(vec![0; 1 << 20]).await?;
            Ok(())
        });
        for second in 0..60 {
            assert!(!running.driver.is_finished(), "{setup:?}, after {second} s");
            running.peer.from.take();
            world.advance(secs(1));
        }
        world.run();
        assert!(running.driver.is_finished(), "{setup:?}");
        assert!(running.peer.from.is_writer_gone());
    }
}

// ---- Close frames against the rules ----

#[test]
fn a_close_frame_against_the_rules_is_shown_as_it_came() {
    for setup in setups() {
        for (code, reason, shown, answer) in [
            (10_001, &b"of Bokeh's"[..], "of Bokeh's", 1002),
            (25_209, b"e", "e", 1002),
            (1006, b"", "", 1002),
            (1000, b"cut \xC3", "cut \u{FFFD}", 1007),
        ] {
            let world = World::new(1);
            let log = Log::new();
            let told = log.clone();
            let mut running = setup.start(&world, |mut socket| async move {
                told.push(socket.recv().await.unwrap_err());
                Ok(())
            });
            world.run();
            let body = [&u16::to_be_bytes(code), reason].concat();
            running.peer.send(CLOSE, &body);
            world.run();
            let error = log.take().remove(0);
            let outcome = error.closed().unwrap().outcome();
            assert_eq!((u16::from(outcome.code()), outcome.reason()), (code, shown), "{setup:?}");
            assert_eq!(outcome.malformed.as_deref(), Some(&body[..]));
            assert!(matches!(outcome.cause, Cause::Violation(_)), "{error}");
            assert!(error.to_string().contains(&format!("received {}", outcome.received.as_ref().unwrap())), "{error}");
            assert_eq!(running.peer.frames()[0].1[..2], u16::to_be_bytes(answer));
        }
    }
}

#[test]
fn any_close_frame_answers_ours() {
    for setup in setups() {
        for body in [&b"\x03"[..], b"\x03\xEE", b"\x27\x11why", b"\x03\xE8cut \xC3"] {
            let world = World::new(1);
            let (mut running, log) = closes(&world, &setup);
            running.peer.send(CLOSE, body);
            world.run();
            let outcome = log.take().remove(0).unwrap();
            assert!(outcome.is_clean(), "{setup:?}: {outcome}");
            assert_eq!((outcome.cause, outcome.malformed.as_deref()), (Cause::Local, Some(body)));
            assert_eq!(running.peer.frames(), [text("last words"), close(1000, "")], "one Close, no more");
        }
    }
}
