//! Messages arrive at the other end whole, once, and in order.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{FutureExt, SinkExt, StreamExt, TryStreamExt, future, stream};
use ws_proto::Role;
use ws_session::{Cause, CloseCode, Error, HandlerResult, Message, MessageKind, Prepared, SendError, Transport};

use crate::sim::*;

/// Links from the kindest to the most tiresome.
fn links() -> [LinkOptions; 4] {
    let kind = LinkOptions::default();
    [
        kind,
        LinkOptions { chunk: 40, ..kind },
        LinkOptions { capacity: 100, chunk: 60, hiccups: true, ..kind },
        LinkOptions { capacity: 4096, chunk: 3000, hiccups: true, buffered: true, ..kind },
    ]
}

fn samples() -> Vec<Message> {
    vec![
        "".into(),
        "Hello".into(),
        "κόσμε".into(),
        Message::from(b""),
        Message::from(vec![0xFF; 125]),
        Message::from(vec![1; 126]),
        "x".repeat(5000).into(),
        Message::from(vec![2; 70_000]),
        "last".into(),
    ]
}

#[test]
fn every_kind_of_message_goes_both_ways() {
    for options in links() {
        let world = World::new(1);
        let Pair { server: (mut server, server_driver), client: (mut client, client_driver) } =
            open_pair(&world, &Default::default(), options);
        world.spawn(
            "server driver",
            server_driver.run(async move {
                while let Some(message) = server.recv().await? {
                    server.send(message).await?;
                }
                Ok(())
            }),
        );
        world.spawn("client driver", client_driver);
        world.block_on(async move {
            for message in samples() {
                client.send(message.clone()).await.unwrap();
                assert_eq!(client.recv().await.unwrap(), Some(message));
            }
            let outcome = client.close(CloseCode::NORMAL, "done").await.unwrap();
            assert!(outcome.is_normal());
            assert_eq!(client.recv().await.unwrap(), None);
            assert_eq!(client.recv().await.unwrap(), None, "again and again");
        });
    }
}

#[test]
fn fragments_become_one_message() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.start(&world, |mut socket| async move {
            socket.send_fragment("Hel", false).await?;
            assert!(matches!(socket.send("no").await, Err(Error::Unfinished)), "another message in between");
            assert!(matches!(socket.send_fragment(Message::from(b"no"), true).await, Err(Error::Unfinished)));
            assert!(socket.sender().try_send("no").is_err());
            let ping = socket.sender();
            spawn_here("ping", async move {
                let _ = ping.ping().await;
            });
            yield_now().await;
            socket.send_fragment("", false).await?;
            socket.send_fragment("lo", true).await?;
            socket.send("next").await?;
            while socket.recv().await?.is_some() {}
            Ok(())
        });
        world.run();
        let frames = running.peer.frames();
        let is_ping = |frame: &&Frame| frame.0 == PING;
        assert_eq!(frames.iter().filter(is_ping).count(), 1, "a control frame may come in between");
        let data: Vec<_> = frames.iter().filter(|frame| !is_ping(frame)).cloned().collect();
        let fragment = |first, payload: &str| Frame(first, payload.into());
        assert_eq!(
            data,
            [fragment(TEXT_BEGINS, "Hel"), fragment(CONTINUES, ""), fragment(LAST, "lo"), text("next")],
            "{setup:?}"
        );
    }
}

#[test]
fn a_prepared_message_goes_like_any_other_on_every_connection() {
    let prepared = Prepared::new("to all");
    for setup in setups() {
        let world = World::new(1);
        let prepared = prepared.clone();
        let mut running = setup.config(|config| config.limits.high_water = 10).start(&world, |mut socket| async move {
            for _ in 0..5 {
                // Waits for room.
                socket.send_prepared(&prepared).await?;
            }
            socket.sender().try_send_prepared(&prepared)?;
            socket.send_fragment("Hel", false).await?;
            assert!(matches!(socket.send_prepared(&prepared).await, Err(Error::Unfinished)));
            assert_eq!(socket.sender().try_send_prepared(&prepared), Err(SendError::Unfinished(())));
            socket.send_fragment("lo", true).await?;
            while socket.recv().await?.is_some() {}
            assert!(matches!(socket.send_prepared(&prepared).await, Err(Error::Closed(_))));
            Ok(())
        });
        world.run();
        let fragment = |first, payload: &str| Frame(first, payload.into());
        let mut expected = vec![text("to all"); 6];
        expected.extend([fragment(TEXT_BEGINS, "Hel"), fragment(LAST, "lo")]);
        assert_eq!(running.peer.frames(), expected);
        running.peer.send_close(1000, "");
        world.run();
    }
}

#[test]
fn frames_that_came_with_the_handshake_are_not_lost() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
        let (mut socket, driver) = match role {
            Role::Server => {
                let peer = Peer::new(Role::Client, theirs);
                peer.to.push(
                    &[REQUEST.to_vec(), peer.frame(TEXT, "early"), peer.frame(TEXT, "bird")[..3].into()].concat(),
                );
                let opened = world.block_on(async { Server::new().accept(ours, Default::default()).await });
                peer.to.push(&peer.frame(TEXT, "bird")[3..]);
                std::mem::forget(peer);
                opened.unwrap()
            }
            Role::Client => {
                let mut peer = Peer::new(Role::Server, theirs);
                let opening = world.spawn("handshake", async {
                    Client::new("ws://example.com/").handshake(ours, Default::default()).await
                });
                world.run();
                let response = response_to(&peer.bytes());
                peer.to.push(&[response, peer.frame(TEXT, "early"), peer.frame(TEXT, "bird")].concat());
                let opened = world.finish(&opening);
                std::mem::forget(peer);
                opened.unwrap()
            }
        };
        world.spawn("driver", driver);
        world.block_on(async move {
            assert_eq!(socket.recv().await.unwrap(), Some("early".into()));
            assert_eq!(socket.recv().await.unwrap(), Some("bird".into()));
        });
    }
}

#[test]
fn more_than_the_queue_holds_may_come_with_the_handshake() {
    for beside in [false, true] {
        let world = World::new(1);
        let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
        let mut peer = Peer::new(Role::Client, theirs);
        let frames: Vec<_> = (0..100).map(|n| peer.frame(TEXT, n.to_string())).collect();
        peer.to.push(&[REQUEST.to_vec(), frames.concat(), peer.close_frame(1000, "")].concat());
        let (socket, driver) = world.block_on(async { Server::new().accept(ours, Default::default()).await }).unwrap();
        let app = send_back(socket);
        if beside {
            world.spawn("driver and app", driver.run(app));
        } else {
            world.spawn("driver", driver);
            world.spawn("app", async { assert!(HandlerResult::is_ok(&app.await)) });
        }
        world.run();
        assert!(peer.head().starts_with("HTTP/1.1 101 "));
        let mut expected: Vec<_> = (0..100).map(|n| text(&n.to_string())).collect();
        expected.push(close(1000, ""));
        assert_eq!(peer.frames(), expected);
    }
}

#[test]
fn handles_and_futures_go_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_sync<T: Sync>(value: T) -> T {
        value
    }
    let world = World::new(1);
    let (mut socket, driver, _peer) = Setup::new(Role::Client).open(&world);
    drop(is_send(socket.recv()));
    drop(is_send(socket.next()));
    drop((is_send(socket.send("")), is_send(socket.send_fragment("", true)), is_send(socket.flush())));
    drop((is_send(socket.ping()), is_send(socket.closed())));
    drop(is_send(socket.close(CloseCode::NORMAL, "")));
    drop(is_sync(is_send(socket.sender())));
    drop(is_sync(is_send(socket)));
    drop(is_send(is_send(driver).run(async { Ok(()) })));
}

/// A transport that carries one connection and moves another's bytes meanwhile, as a tunnel does.
struct Tunnel<T> {
    carried: T,
    carrier: Pin<Box<dyn Future<Output = ()>>>,
}

impl<T: Transport> Transport for Tunnel<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = self.carried.poll_read(cx, buffer);
        // Reads into the same thread's buffer, but not into the same bytes.
        let _ = self.carrier.as_mut().poll(cx);
        read
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.carried.poll_write_vectored(cx, buffers)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.carried.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.carried.poll_shutdown(cx)
    }
}

#[test]
fn connections_within_each_other_do_not_mix_their_input() {
    let world = World::new(1);
    let (mut outer, outer_driver, outer_peer) = Setup::new(Role::Server).open(&world);
    let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
    let tunnel = Tunnel { carried: ours, carrier: Box::pin(outer_driver) };
    let inner_peer = Peer::new(Role::Client, theirs);
    inner_peer.to.push(REQUEST);
    let (mut inner, inner_driver) =
        world.block_on(async { Server::new().accept(tunnel, Default::default()).await }).unwrap();
    for n in 0..10 {
        outer_peer.send_text(&format!("outer {n}"));
        inner_peer.send_text(&format!("inner {n}"));
    }
    world.spawn("drivers", inner_driver);
    world.at_once(async move {
        for n in 0..10 {
            assert_eq!(inner.recv().await.unwrap(), Some(format!("inner {n}").into()));
            assert_eq!(outer.recv().await.unwrap(), Some(format!("outer {n}").into()));
        }
    });
}

#[test]
fn a_socket_knows_how_it_was_opened() {
    let world = World::new(1);
    let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
    let accepting = world.spawn("server", async {
        let server = Server::new().subprotocols(["b", "a"]).header("X-Answer", "42");
        server.accept(ours, Default::default()).await.unwrap()
    });
    let (client, _driver) = world.block_on(async {
        let client = Client::new("ws://user:secret@example.com/room?x=1").subprotocols(["a", "b"]).header("X-Ask", "?");
        client.handshake(theirs, Default::default()).await.unwrap()
    });
    let (server, _driver) = world.finish(&accepting);
    for socket in [&server, &client] {
        assert_eq!(socket.subprotocol(), Some("b"));
        assert_eq!(socket.request().uri().path_and_query().unwrap(), "/room?x=1");
        assert_eq!(socket.request().headers()["x-ask"], "?");
        assert_eq!(socket.response().headers()["x-answer"], "42");
        assert_eq!((socket.peer_addr(), socket.local_addr()), (None, None));
    }
    assert_ne!(server.id(), client.id());
}

#[test]
fn as_a_stream_and_a_sink() {
    for options in links() {
        let world = World::new(1);
        let Pair { server: (server, server_driver), client: (client, client_driver) } =
            open_pair(&world, &Default::default(), options);
        // An echo in one line: a split socket, forwarding its own stream.
        let echo = world.spawn(
            "server driver",
            server_driver.run(async move {
                let (sink, stream) = StreamExt::split::<Message>(server);
                stream.try_filter(|message| future::ready(!message.is_empty())).forward(sink).await?;
                Ok(())
            }),
        );
        world.spawn("client driver", client_driver);
        world.block_on(async move {
            let (mut sink, mut stream) = StreamExt::split::<Message>(client);
            let sending = async {
                let mut messages = stream::iter(samples()).map(Ok);
                sink.send_all(&mut messages).await.unwrap();
                sink.send("end".into()).await.unwrap();
                sink
            };
            let receiving = async {
                let mut got = Vec::new();
                while let Some(message) = stream.next().await {
                    got.push(message.unwrap());
                    if got.last() == Some(&"end".into()) {
                        break;
                    }
                }
                (got, stream)
            };
            let (mut sink, (got, mut stream)) = future::join(sending, receiving).await;
            let sent: Vec<_> = samples().into_iter().filter(|message| !message.is_empty()).collect();
            assert_eq!(got[..got.len() - 1], sent);
            sink.close().await.unwrap();
            assert!(stream.next().await.is_none(), "a normal end is the end of the stream");
        });
        assert!(world.finish(&echo).is_ok());
    }
}

#[test]
fn a_stream_that_fails_says_so_once() {
    for setup in setups() {
        let world = World::new(1);
        let running = setup.start(&world, |mut socket| async move {
            assert_eq!(socket.next().await.unwrap().unwrap().kind(), MessageKind::Text);
            let error = socket.next().await.unwrap().unwrap_err();
            assert_eq!(error.closed().unwrap().outcome().cause, Cause::Eof);
            assert!(socket.next().await.is_none());
            assert!(socket.next().now_or_never().unwrap().is_none());
            assert!(socket.recv().await.is_err(), "recv goes on to tell");
            Ok(())
        });
        running.peer.send_text("one");
        running.peer.to.end();
        assert!(world.finish(&running.driver).is_ok());
    }
}

/// One after the other and several at once, in reads of any size: what is read to where it lies is what was sent.
#[test]
fn long_messages_of_about_the_same_length_come_back_as_they_were() {
    for setup in setups() {
        for chunk in [700, 15_000, 66_000, usize::MAX] {
            let world = World::new(1);
            let setup = setup.timeless().link(|link| link.chunk = chunk);
            let mut running = setup.start(&world, |mut socket| async move {
                while let Some(message) = socket.recv().await? {
                    socket.send(message).await?;
                }
                Ok(())
            });
            for (n, len) in [20_000, 30_000, 70_000, 70_000, 17_000, 200_000].into_iter().enumerate() {
                let frame = |m: usize| Frame(BINARY, (0..len).map(|i| (i * 7 + n + m) as u8).collect());
                for at_once in [1, 1, 1, 4, 1, 1] {
                    let sent: Vec<Frame> = (0..at_once).map(frame).collect();
                    let bytes: Vec<_> = sent.iter().map(|frame| running.peer.frame(BINARY, &frame.1)).collect();
                    running.peer.send_together(&bytes);
                    let mut got = vec![];
                    while got.len() < at_once {
                        world.run();
                        got.extend(running.peer.frames());
                    }
                    assert!(got == sent, "{setup:?}, {at_once} of {len} bytes at once");
                }
            }
        }
    }
}
