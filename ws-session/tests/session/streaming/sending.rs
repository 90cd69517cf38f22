//! `send_stream`, `send_iter` and `send_reader`.

use std::cell::Cell;
use std::future::{pending, ready};
use std::rc::Rc;

use futures_util::{FutureExt as _, StreamExt as _, future, stream};
use ws_session::{Bytes, Error, Message, MessageKind, SendError};

use super::*;

/// Fragments of up to 10 bytes.
fn short(config: &mut Config) {
    config.limits.sent_fragment = 10;
}

fn frame(first: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame(first, payload.as_ref().to_vec())
}

#[test]
fn a_message_goes_out_in_fragments() {
    for setup in setups() {
        let setup = setup.timeless().config(short);
        let sent = |items: &'static [&'static str]| {
            let world = World::new(1);
            let mut running = setup.start(&world, |ws| async move {
                ws.send_iter(MessageKind::Text, items.iter().copied()).await?;
                ws.send("behind").await?;
                pending().await
            });
            world.run();
            let mut frames = running.peer.frames();
            assert_eq!(frames.pop(), Some(text("behind")));
            frames
        };
        assert_eq!(sent(&[]), [frame(TEXT, "")], "an empty message");
        assert_eq!(sent(&["", "abc", ""]), [frame(TEXT, "abc")], "one frame is enough");
        assert_eq!(sent(&["0123456789"]), [frame(TEXT, "0123456789")]);
        assert_eq!(sent(&["01234567", "89a"]), [frame(TEXT_BEGINS, "0123456789"), frame(LAST, "a")]);
        let parts = [frame(TEXT_BEGINS, "0123456789"), frame(CONTINUES, "0123456789"), frame(LAST, "0123456789")];
        assert_eq!(sent(&["012345678901234567890123456789"]), parts);
        // Characters are not cut.
        assert_eq!(sent(&["012345678é", "é"]), [frame(TEXT_BEGINS, "012345678"), frame(LAST, "éé")]);
    }
}

#[test]
fn items_are_sent_as_soon_as_the_stream_has_no_more() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.timeless().start(&world, |ws| async move {
            let ticks = stream::iter(0..3).then(|n| async move {
                sleep(secs(10)).await;
                n.to_string()
            });
            let ticks = stream::iter(["begun ".to_owned(), "and on".to_owned()]).chain(ticks);
            ws.send_stream(MessageKind::Text, ticks.boxed_local()).await?;
            pending().await
        });
        world.run();
        assert_eq!(running.peer.frames(), [frame(TEXT_BEGINS, "begun and on")], "{setup:?}");
        for n in ["0", "1"] {
            world.advance(secs(10));
            assert_eq!(running.peer.frames(), [frame(CONTINUES, n)]);
        }
        world.advance(secs(10));
        assert_eq!(running.peer.frames(), [frame(LAST, "2")]);
    }
}

#[test]
fn a_source_is_asked_for_no_more_than_the_peer_takes() {
    for setup in setups() {
        let world = World::new(1);
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        let setup = setup.timeless().link(|link| link.capacity = 100_000);
        let mut running = setup.start(&world, |ws| async move {
            let items = std::iter::repeat_with(move || {
                count.set(count.get() + 1);
                Bytes::from(vec![7; 10_000])
            });
            ws.send_iter(MessageKind::Binary, items.take(1000)).await?;
            ws.close(1000, "").await?;
            Ok(())
        });
        world.advance(secs(60));
        assert!(asked.get() < 40, "it is asked for {} items", asked.get());
        let mut bytes = 0;
        for _ in 0..1000 {
            bytes += running.peer.frames().iter().map(|frame| frame.1.len()).sum::<usize>();
            world.run();
        }
        assert_eq!((asked.get(), bytes), (1000, 10_000_000 + 2), "{setup:?}");
    }
}

#[test]
fn other_messages_wait_and_control_frames_do_not() {
    for setup in setups() {
        let world = World::new(1);
        let (gate, log) = (Gate::default(), Log::new());
        let (open, got) = (gate.clone(), log.clone());
        let mut running = setup.timeless().start(&world, |ws| async move {
            let sender = ws.sender();
            let items = stream::iter([
                ready("a").boxed_local(),
                async move {
                    open.passed().await;
                    "b"
                }
                .boxed_local(),
            ]);
            let streaming = ws.send_stream(MessageKind::Text, items.then(|item| item));
            let other = async {
                sleep(secs(1)).await;
                assert!(matches!(sender.try_send("refused"), Err(SendError::Unfinished(_))));
                assert!(matches!(sender.send_fragment("refused", false).await, Err(Error::Unfinished)));
                let second = sender.send_iter(MessageKind::Text, ["third"]);
                let (first, second) = future::join(sender.send("second"), second).await;
                got.push("sent");
                first.and(second)
            };
            let (streamed, other) = future::join(streaming, other).await;
            streamed.and(other)?;
            pending().await
        });
        world.run();
        running.peer.send(PING, "p");
        world.advance(secs(10));
        assert_eq!(running.peer.frames(), [frame(TEXT_BEGINS, "a"), pong("p")], "{setup:?}");
        assert_eq!(log.len(), 0);
        gate.open();
        world.run();
        assert_eq!(running.peer.frames(), [frame(LAST, "b"), text("second"), text("third")], "{setup:?}");
    }
}

#[test]
fn a_close_goes_between_the_fragments() {
    for setup in setups() {
        for by_us in [true, false] {
            let world = World::new(1);
            let log = Log::new();
            let got = log.clone();
            let mut running = setup.timeless().start(&world, |mut ws| async move {
                let sender = ws.sender();
                let items = stream::iter(["a"]).chain(stream::pending());
                let streaming = sender.send_stream(MessageKind::Text, items);
                let closing = async {
                    sleep(secs(1)).await;
                    match by_us {
                        true => drop(sender.close(1001, "").await),
                        false => drop(ws.recv().await),
                    }
                };
                let (streamed, ()) = future::join(streaming, closing).await;
                got.push(streamed.expect_err("it cannot be finished").to_string());
                Ok(())
            });
            world.run();
            if !by_us {
                running.peer.send_close(1001, "");
            }
            world.advance(secs(1));
            let frames = running.peer.frames();
            assert_eq!(frames, [frame(TEXT_BEGINS, "a"), close(1001, "")], "{setup:?}");
            running.peer.send_close(1001, "");
            running.peer.leave();
            world.run();
            assert_eq!(log.len(), 1, "{setup:?}, {by_us}");
        }
    }
}

#[test]
fn a_message_that_is_given_up_midway_closes_the_connection() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.timeless().start(&world, |ws| async move {
            let before = ws.send_stream(MessageKind::Text, stream::pending::<&str>());
            assert!(before.now_or_never().is_none(), "nothing was sent, so nothing is broken");
            ws.send("whole").await?;
            let items = stream::iter(["a"]).chain(stream::pending());
            assert!(ws.send_stream(MessageKind::Text, items).now_or_never().is_none());
            assert!(ws.send("behind").await.is_err());
            pending().await
        });
        world.run();
        let broken = close(1011, "a message could not be finished");
        assert_eq!(running.peer.frames(), [text("whole"), frame(TEXT_BEGINS, "a"), broken], "{setup:?}");
    }
}

#[test]
fn an_error_of_the_source_is_returned_and_leaves_the_connection_open_if_nothing_was_sent() {
    for setup in setups() {
        for begun in [false, true] {
            let world = World::new(1);
            let log = Log::new();
            let got = log.clone();
            let setup = setup.timeless().config(short);
            let mut running = setup.start(&world, |ws| async move {
                let first = begun.then_some(Ok("0123456789a"));
                let items = stream::iter(first.into_iter().chain([Err(std::io::Error::other("disk"))]));
                let error = ws.send_stream(MessageKind::Text, items).await.expect_err("the source failed");
                let source = std::error::Error::source(&error).expect("a source").to_string();
                got.push((error.to_string(), source, ws.send("next").await.is_ok()));
                pending().await
            });
            world.run();
            let told = "the source of a streamed message failed".to_owned();
            assert_eq!(log.take(), [(told, "disk".to_owned(), !begun)], "{setup:?}");
            match begun {
                false => assert_eq!(running.peer.frames(), [text("next")]),
                true => assert_eq!(running.peer.frames()[1], close(1011, "a message could not be finished")),
            }
        }
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    for setup in setups() {
        const BROKEN: [&[&[u8]]; 4] =
            [&[&[0xFF]], &[&[0xE2, 0x82]], &[&[0xE2], &[0x41]], &[b"0123456789", &[0xE2, 0x82]]];
        for items in BROKEN {
            let world = World::new(1);
            let log = Log::new();
            let got = log.clone();
            let _running = setup.timeless().config(short).start(&world, |ws| async move {
                let error = ws.send_iter(MessageKind::Text, items.iter().copied()).await.expect_err("not UTF-8");
                got.push(matches!(error, Error::NotUtf8));
                pending().await
            });
            world.run();
            assert_eq!(log.take(), [true], "{setup:?}");
        }
        // A character may be cut in the source.
        let world = World::new(1);
        let mut running = setup.timeless().config(short).start(&world, |ws| async move {
            ws.send_iter(MessageKind::Text, [&[0xE2][..], &[0x82], &[0xAC]]).await?;
            pending().await
        });
        world.run();
        assert_eq!(running.peer.frames(), [text("€")]);
    }
}

#[test]
fn pings_wait_for_the_last_fragment_unless_they_are_allowed_between() {
    for setup in setups() {
        for allowed in [false, true] {
            let world = World::new(1);
            let setup = setup.timeless().config(|config| config.ping_between_fragments = allowed);
            let mut running = setup.start(&world, |ws| async move {
                let sender = ws.sender();
                let ticks = stream::iter(0..20).then(|_| sleep(millis(100)).map(|()| "x"));
                let streaming = ws.send_stream(MessageKind::Text, ticks);
                let ping = async {
                    sleep(millis(450)).await;
                    sender.ping().await
                };
                let (streamed, pinged) = future::join(streaming, ping).await;
                streamed?;
                pinged?;
                pending().await
            });
            world.advance(secs(1));
            let is_between = running.peer.frames().iter().any(|frame| frame.0 == PING);
            world.advance(secs(2));
            let is_behind = running.peer.frames().iter().any(|frame| frame.0 == PING);
            assert_eq!((is_between, is_behind), (allowed, !allowed), "{setup:?}");
        }
    }
}

#[test]
fn fragments_of_the_application_are_not_mixed_with_a_stream() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.timeless().start(&world, |ws| async move {
            ws.send_fragment("a", false).await?;
            let streamed = ws.send_iter(MessageKind::Text, ["b"]).await;
            assert!(matches!(streamed, Err(Error::Unfinished)));
            ws.send_fragment("c", true).await?;
            ws.send_iter(MessageKind::Text, ["d"]).await?;
            pending().await
        });
        world.run();
        assert_eq!(running.peer.frames(), [frame(TEXT_BEGINS, "a"), frame(LAST, "c"), text("d")], "{setup:?}");
    }
}

#[test]
fn a_connection_without_a_task_sends_in_fragments_and_reads_meanwhile() {
    for role in ROLES {
        let world = World::new(1);
        let mut config = Config::default();
        timeless(&mut config);
        let options = LinkOptions { capacity: 10_000, ..LinkOptions::default() };
        let (mut ws, mut peer) = polled(&world, role, &config, options);
        let sending = world.spawn("sender", async move {
            ws.send_iter(MessageKind::Binary, [Bytes::from(vec![7; 1 << 20])]).await.unwrap();
            ws.flush().await.unwrap();
            (ws.recv().await.unwrap(), ws)
        });
        peer.send_text("meanwhile");
        let mut frames = vec![];
        while !sending.is_finished() {
            world.run();
            frames.extend(peer.frames());
        }
        let sizes: Vec<_> = frames.iter().map(|frame| (frame.0, frame.1.len())).collect();
        let fragment = 64 << 10;
        let middle = [(CONTINUES, fragment); 14];
        assert_eq!(sizes, [&[(BINARY_BEGINS, fragment)][..], &middle, &[(LAST, fragment)]].concat(), "{role:?}");
        assert_eq!(world.finish(&sending).0, Some(Message::from("meanwhile")));
    }
}

#[cfg(feature = "futures-io")]
#[test]
fn a_reader_is_sent() {
    use smol::io::Cursor;
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.timeless().config(short).start(&world, |ws| async move {
            ws.send_reader(MessageKind::Text, Cursor::new("0123456789€".as_bytes())).await?;
            ws.send_reader(MessageKind::Binary, Cursor::new([])).await?;
            pending().await
        });
        world.run();
        let parts = [frame(TEXT_BEGINS, "0123456789"), frame(LAST, "€"), frame(BINARY, "")];
        assert_eq!(running.peer.frames(), parts, "{setup:?}");
    }
}

/// Items that are ready without end, and bring nothing, keep no other task from its turn.
#[test]
fn other_tasks_get_their_turn_beside_empty_items() {
    for setup in setups() {
        let world = World::new(1);
        let enough = Rc::new(Cell::new(false));
        let (told, asked) = (Rc::clone(&enough), Rc::new(Cell::new(0_u64)));
        let count = Rc::clone(&asked);
        let mut running = setup.timeless().start(&world, |ws| async move {
            let items = stream::poll_fn(move |_| {
                count.set(count.get() + 1);
                assert!(count.get() < 10_000_000, "no other task had its turn");
                std::task::Poll::Ready((!told.get()).then_some(""))
            });
            ws.send_stream(MessageKind::Text, items).await?;
            pending().await
        });
        world.spawn("another", async move {
            for _ in 0..3 {
                yield_now().await;
            }
            enough.set(true);
        });
        world.run();
        assert_eq!(running.peer.frames(), [text("")], "{setup:?}");
        assert!(asked.get() > 0);
    }
}

#[test]
fn items_of_one_byte_are_put_together() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.timeless().start(&world, |ws| async move {
            ws.send_iter(MessageKind::Binary, (0..200_000_u32).map(|n| vec![n as u8])).await?;
            pending().await
        });
        let mut frames = Vec::new();
        for _ in 0..10 {
            world.run();
            frames.extend(running.peer.frames());
        }
        assert_eq!(frames.iter().map(|frame| frame.1.len()).collect::<Vec<_>>(), [65_536, 65_536, 65_536, 3392]);
        let bytes = frames.iter().flat_map(|frame| &frame.1);
        assert!(bytes.enumerate().all(|(n, &byte)| byte == n as u8), "{setup:?}");
    }
}
