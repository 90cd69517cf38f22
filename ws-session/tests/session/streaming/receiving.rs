//! `recv_streaming`.

use futures_util::{FutureExt as _, StreamExt as _};
use ws_session::{Bytes, Cause, CloseCode, MessageKind, Violation};

use super::*;

#[test]
fn messages_arrive_in_chunks_however_they_are_cut() {
    for setup in setups() {
        for chunk in [1, 3, 1 << 20] {
            let world = World::new(1);
            let log = Log::new();
            let got = log.clone();
            let setup = setup.timeless().config(long).link(|link| link.chunk = chunk);
            let running = setup.start(&world, |ws| async move { Ok(all(ws, got).await?) });
            for (first, payload) in [
                (TEXT, &b"whole"[..]),
                (BINARY, &[7; 5000]),
                (TEXT_BEGINS, "κό".as_bytes()),
                (PING, b"p"),
                (CONTINUES, &[b'x'; 3000]),
                (LAST, b""),
                (BINARY, b""),
                (TEXT, b"end"),
            ] {
                running.peer.send(first, payload);
                if chunk == 3 {
                    world.run();
                }
            }
            running.peer.send_close(1000, "");
            world.run();
            let text = |text: &str| (MessageKind::Text, text.as_bytes().to_vec());
            let binary = |n: usize| (MessageKind::Binary, vec![7; n]);
            let long = "κό".to_owned() + &"x".repeat(3000);
            assert_eq!(
                log.take(),
                [text("whole"), binary(5000), text(&long), binary(0), text("end")],
                "{setup:?}, {chunk}"
            );
        }
    }
}

#[test]
fn chunks_are_had_as_they_arrive() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let got = log.clone();
        let running = setup.start(&world, |mut ws| async move {
            let mut message = ws.recv_streaming().await?.expect("a message");
            got.push(Bytes::from("begun"));
            while let Some(chunk) = message.chunk().await? {
                got.push(chunk);
            }
            got.push(Bytes::from("over"));
            Ok(())
        });
        world.run();
        running.peer.send(TEXT_BEGINS, "a");
        world.run();
        assert_eq!(log.take(), ["begun", "a"]);
        // Slower than any whole message may be, with keepalive meanwhile.
        for _ in 0..20 {
            world.advance(secs(15));
            running.peer.send(PONG, "");
            running.peer.send(CONTINUES, "b");
            world.run();
            assert_eq!(log.take(), ["b"], "{setup:?}");
        }
        running.peer.send(LAST, "");
        world.run();
        assert_eq!(log.take(), ["over"]);
    }
}

#[test]
fn reading_stops_while_no_chunk_is_taken() {
    for setup in setups() {
        let world = World::new(1);
        let (gate, log) = (Gate::default(), Log::new());
        let (open, got) = (gate.clone(), log.clone());
        let setup = setup.timeless().config(long);
        let running = setup.start(&world, |mut ws| async move {
            let mut message = ws.recv_streaming().await?.expect("a message");
            open.passed().await;
            got.push(payload(&mut message).await?.len());
            Ok(())
        });
        running.peer.send(BINARY, vec![7; 10 << 20]);
        world.advance(secs(60));
        let left = running.peer.to.len();
        assert!((9 << 20..10 << 20).contains(&left), "at most some reads are held: {left}, {setup:?}");
        gate.open();
        world.run();
        assert_eq!(log.take(), [10 << 20]);
    }
}

#[test]
fn a_long_message_waits_until_the_application_chooses() {
    for setup in setups() {
        let world = World::new(1);
        let (gate, log) = (Gate::default(), Log::new());
        let (open, got) = (gate.clone(), log.clone());
        let setup = setup.timeless().config(long);
        let running = setup.start(&world, |mut ws| async move {
            open.passed().await;
            assert_eq!(ws.recv().await?, Some("short".into()), "messages before it are not affected");
            let mut message = ws.recv_streaming().await?.expect("a message");
            got.push(payload(&mut message).await?.len());
            drop(message);
            assert_eq!(ws.recv().await?, Some("behind".into()));
            Ok(())
        });
        running.peer.send_text("short");
        running.peer.send(BINARY, vec![7; 1 << 20]);
        running.peer.send_text("behind");
        world.advance(secs(600));
        assert!(running.peer.to.len() > 800 << 10, "it is not read: {}", running.peer.to.len());
        gate.open();
        world.run();
        assert_eq!(log.take(), [1 << 20], "{setup:?}");
    }
}

#[test]
fn a_recv_that_was_given_up_does_not_choose() {
    for setup in setups() {
        let world = World::new(1);
        let (gate, log) = (Gate::default(), Log::new());
        let (open, got) = (gate.clone(), log.clone());
        let setup = setup.timeless().config(long);
        let running = setup.start(&world, |mut ws| async move {
            assert!(ws.recv().now_or_never().is_none());
            open.passed().await;
            let mut message = ws.recv_streaming().await?.expect("a message");
            got.push(payload(&mut message).await?.len());
            Ok(())
        });
        world.run();
        running.peer.send(BINARY, vec![7; 1 << 20]);
        world.run();
        gate.open();
        world.run();
        assert_eq!(log.take(), [1 << 20], "{setup:?}");
    }
}

#[test]
fn recv_refuses_a_long_message_and_names_the_limit() {
    for setup in setups() {
        for waits_first in [true, false] {
            let world = World::new(1);
            let (gate, log) = (Gate::default(), Log::new());
            let (open, got) = (gate.clone(), log.clone());
            let setup = setup.config(long);
            let mut running = setup.start(&world, |mut ws| async move {
                open.passed().await;
                let error = ws.recv().await.expect_err("it is too long");
                got.push(error.closed().expect("the end").outcome().cause.clone());
                Ok(())
            });
            if waits_first {
                gate.open();
                world.run();
            }
            running.peer.send(BINARY, vec![7; 2000]);
            world.run();
            gate.open();
            world.run();
            assert!(running.peer.frames().iter().any(|frame| frame.0 == CLOSE && frame.1[..2] == [0x03, 0xF1]));
            running.peer.leave();
            world.run();
            let cause = Cause::Violation(Violation::FrameTooBig { limit: 1 << 10 });
            assert_eq!(log.take(), std::slice::from_ref(&cause), "{setup:?}");
            assert!(format!("{cause}").contains("receiver's limit of 1024 bytes (limits.frame)"));
        }
    }
}

#[test]
fn the_limit_of_streamed_messages_ends_the_connection() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let got = log.clone();
        let setup = setup.config(|config| {
            long(config);
            config.limits.streamed = Some(10_000);
        });
        let running = setup.start(&world, |mut ws| async move {
            let mut message = ws.recv_streaming().await?.expect("a message");
            let error = payload(&mut message).await.expect_err("it is too long");
            got.push(error.to_string());
            Ok(())
        });
        world.run();
        running.peer.send(BINARY_BEGINS, vec![7; 6000]);
        world.run();
        running.peer.send(LAST, vec![7; 6000]);
        world.run();
        let told = log.take().pop().expect("it has failed");
        let limit = "streamed message over the receiver's limit of 10000 bytes (limits.streamed)";
        assert!(told.contains(limit), "{told}, {setup:?}");
    }
}

#[test]
fn dropping_a_message_midway_discards_the_rest_of_it_alone() {
    for setup in setups() {
        for taken in [0, 1] {
            let world = World::new(1);
            let log = Log::new();
            let got = log.clone();
            let setup = setup.timeless().config(long);
            let running = setup.start(&world, |mut ws| async move {
                let mut message = ws.recv_streaming().await?.expect("a message");
                for _ in 0..taken {
                    message.chunk().await?;
                }
                drop(message);
                got.push(ws.recv().await?);
                let mut message = ws.recv_streaming().await?.expect("a message");
                got.push(Some(payload(&mut message).await?.into()));
                Ok(())
            });
            running.peer.send(BINARY, vec![7; 3 << 20]);
            running.peer.send_text("next");
            running.peer.send(BINARY, vec![8; 2000]);
            world.run();
            assert_eq!(running.peer.to.len(), 0);
            assert_eq!(log.take(), [Some("next".into()), Some(vec![8; 2000].into())], "{setup:?}");
        }
    }
}

#[test]
fn nothing_is_lost_when_waiting_is_given_up() {
    for setup in setups() {
        for chunk in [1, 7, 1 << 20] {
            let world = World::new(1);
            let log = Log::new();
            let got = log.clone();
            let setup = setup.timeless().config(long).link(|link| link.chunk = chunk);
            let running = setup.start(&world, |mut ws| async move {
                loop {
                    // Each future is polled once and dropped.
                    let mut message = loop {
                        match ws.recv_streaming().now_or_never() {
                            Some(Ok(None)) => return Ok(()),
                            Some(Ok(Some(message))) => break message,
                            Some(Err(error)) => return Err(error.into()),
                            None => sleep(millis(1)).await,
                        }
                    };
                    let mut all = Vec::new();
                    loop {
                        match message.chunk().now_or_never() {
                            Some(Ok(Some(chunk))) => all.extend_from_slice(&chunk),
                            Some(Ok(None)) => break,
                            Some(Err(error)) => return Err(error.into()),
                            None => sleep(millis(1)).await,
                        }
                    }
                    got.push(all);
                }
            });
            for (first, payload) in
                [(TEXT_BEGINS, &b"ab"[..]), (LAST, b"c"), (BINARY, &[7; 3000]), (TEXT, b"d"), (BINARY, &[8; 900])]
            {
                running.peer.send(first, payload);
            }
            running.peer.send_close(1000, "");
            let mut steps = 0;
            while !running.driver.is_finished() && steps < 100_000 {
                world.advance(millis(1));
                steps += 1;
            }
            let messages = [b"abc".to_vec(), vec![7; 3000], b"d".to_vec(), vec![8; 900]];
            assert_eq!(log.take(), messages, "{setup:?}, {chunk}");
        }
    }
}

#[test]
fn the_end_of_the_connection_within_a_message_is_an_error() {
    for setup in setups() {
        for normal in [true, false] {
            let world = World::new(1);
            let log = Log::new();
            let got = log.clone();
            let mut running = setup.timeless().start(&world, |mut ws| async move {
                let mut message = ws.recv_streaming().await?.expect("a message");
                got.push(message.chunk().await.expect("it has begun").expect("a chunk").to_vec());
                let error = message.chunk().await.expect_err("it has no end");
                got.push(u16::from(error.closed().expect("the end").outcome().code()).to_string().into());
                assert!(message.chunk().await.is_err(), "again");
                assert!(message.next().await.is_none(), "a stream has ended");
                Ok(())
            });
            running.peer.send(TEXT_BEGINS, "a");
            world.run();
            match normal {
                true => running.peer.send_close(1000, ""),
                false => running.peer.leave(),
            }
            world.run();
            let code = if normal { "1000" } else { "1006" };
            assert_eq!(log.take(), [b"a".to_vec(), code.into()], "{setup:?}");
        }
    }
}

#[test]
fn an_answer_to_a_message_before_the_close_is_sent_after_its_last_chunk() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.timeless().start(&world, |mut ws| async move {
            let mut message = ws.recv_streaming().await?.expect("a message");
            payload(&mut message).await?;
            drop(message);
            ws.send("answer").await?;
            assert!(ws.recv().await?.is_none());
            Ok(())
        });
        running.peer.send(TEXT_BEGINS, "a");
        world.run();
        let frames = [running.peer.frame(LAST, "b"), running.peer.close_frame(1000, "")];
        running.peer.send_together(&frames);
        world.run();
        assert_eq!(running.peer.frames(), [text("answer"), close(1000, "")], "{setup:?}");
    }
}

#[test]
fn an_application_that_wants_no_messages_discards_long_ones_too() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let got = log.clone();
        let setup = setup.timeless().config(long);
        let mut running = setup.start(&world, |ws| async move {
            let sender = ws.send_only();
            got.push(sender.closed().await.code());
            assert_eq!(sender.discarded(), 2);
            Ok(())
        });
        running.peer.send(BINARY, vec![7; 1 << 20]);
        running.peer.send_text("short");
        running.peer.send_close(1000, "");
        world.run();
        assert_eq!(running.peer.frames(), [close(1000, "")], "{setup:?}");
        running.peer.leave();
        world.run();
        assert_eq!(log.take(), [CloseCode::NORMAL]);
    }
}

#[test]
fn a_close_of_ours_ends_while_a_long_message_arrives() {
    for setup in setups() {
        for starts_early in [true, false] {
            let world = World::new(1);
            let (gate, log) = (Gate::default(), Log::new());
            let (open, got) = (gate.clone(), log.clone());
            let setup = setup.timeless().config(long);
            let mut running = setup.start(&world, |ws| async move {
                open.passed().await;
                got.push(ws.close(1000, "").await?.code());
                Ok(())
            });
            if starts_early {
                gate.open();
                world.run();
            }
            running.peer.send(BINARY, vec![7; 1 << 20]);
            running.peer.send_close(1000, "");
            world.run();
            gate.open();
            world.run();
            assert_eq!(running.peer.frames(), [close(1000, "")]);
            assert_eq!(log.take(), [CloseCode::NORMAL], "{setup:?}, {starts_early}");
        }
    }
}

#[test]
fn a_connection_without_a_task_receives_in_chunks() {
    for role in ROLES {
        for chunk in [1, 1 << 20] {
            let world = World::new(1);
            let mut config = Config::default();
            long(&mut config);
            timeless(&mut config);
            let options = LinkOptions { capacity: 1 << 24, chunk, ..LinkOptions::default() };
            let (mut ws, peer) = polled(&world, role, &config, options);
            peer.send_text("short");
            peer.send(BINARY, vec![7; 200_000]);
            peer.send_text("behind");
            peer.send(BINARY, vec![7; 200_000]);
            peer.send_text("last");
            let got = world.block_on(async move {
                let mut got = vec![];
                for _ in 0..3 {
                    let mut message = ws.recv_streaming().await.unwrap().expect("a message");
                    got.push(payload(&mut message).await.unwrap().len());
                }
                drop(ws.recv_streaming().await.unwrap().expect("a message"));
                got.push(ws.recv().await.unwrap().expect("a message").len());
                got
            });
            assert_eq!(got, [5, 200_000, 6, 4], "{role:?}, {chunk}");
        }
    }
}

#[cfg(feature = "deflate")]
#[test]
fn a_compressed_message_is_inflated_as_it_arrives() {
    use ws_session::{Deflate, DeflateParams};
    let params = DeflateParams::new(Deflate::client());
    for role in ROLES {
        for chunk in [5, 1 << 20] {
            let world = World::new(1);
            let mut config = Config::default();
            long(&mut config);
            timeless(&mut config);
            let options = LinkOptions { capacity: 1 << 24, chunk, ..LinkOptions::default() };
            let (ours, theirs) = link(options, &mut world.rng());
            let (ours, theirs) = match role {
                Role::Server => (Parts::server(ours, SimTimer::new()), Parts::client(theirs, SimTimer::new())),
                Role::Client => (Parts::client(ours, SimTimer::new()), Parts::server(theirs, SimTimer::new())),
            };
            let (mut ours, mut theirs) = (
                ours.config(config.clone()).compression(params).into_stream(),
                theirs.config(config).compression(params).into_stream(),
            );
            let sending = world.spawn("sender", async move {
                let piece = Bytes::from(vec![7; 100_000]);
                theirs.send_iter(MessageKind::Binary, vec![piece; 30]).await.unwrap();
                theirs.send("behind").await.unwrap();
                theirs.flush().await.unwrap();
                theirs
            });
            let got = world.block_on(async move {
                let mut message = ours.recv_streaming().await.unwrap().expect("a message");
                let mut got = 0;
                while let Some(chunk) = message.chunk().await.unwrap() {
                    assert!(chunk.iter().all(|&byte| byte == 7));
                    got += chunk.len();
                }
                drop(message);
                (got, ours.recv().await.unwrap())
            });
            assert_eq!(got, (3_000_000, Some("behind".into())), "{role:?}, {chunk}");
            drop(world.finish(&sending));
        }
    }
}

#[cfg(feature = "futures-io")]
#[test]
fn a_message_is_a_reader() {
    use smol::io::{AsyncBufReadExt as _, AsyncReadExt as _};
    let world = World::new(1);
    for setup in setups() {
        let log = Log::new();
        let got = log.clone();
        let running = setup.timeless().start(&world, |mut ws| async move {
            let mut message = ws.recv_streaming().await?.expect("a message");
            let mut line = String::new();
            message.read_line(&mut line).await?;
            got.push(line);
            let mut rest = String::new();
            message.read_to_string(&mut rest).await?;
            got.push(rest);
            Ok(())
        });
        running.peer.send(TEXT_BEGINS, "one\ntw");
        world.run();
        running.peer.send(LAST, "o\nthree");
        world.run();
        assert_eq!(log.take(), ["one\n", "two\nthree"]);
    }
}
