//! Connections that are driven by being polled, without a task of their own.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_util::{SinkExt, StreamExt, future};
use ws_proto::{Config, Role};
use ws_session::{Cause, CloseCode, Error, Message, Parts, Prepared, Sender};

use crate::sim::*;

mod cancelled;
mod detached;
mod ending;
mod flood;
mod halves;
mod late;
mod storm;
mod wakeups;

type Stream = ws_session::WebSocketStream<End, SimTimer>;

const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// A stream to be, with a peer played by hand.
struct Streaming {
    role: Role,
    config: Config,
    link: LinkOptions,
    inbound: usize,
}

impl Streaming {
    fn new(role: Role) -> Self {
        Self { role, config: Config::default(), link: LinkOptions::default(), inbound: 16 }
    }

    /// Without any deadline that can be off.
    fn timeless(mut self) -> Self {
        timeless(&mut self.config);
        self
    }

    fn link(mut self, change: impl FnOnce(&mut LinkOptions)) -> Self {
        change(&mut self.link);
        self
    }

    fn parts(&self, world: &World) -> (Parts<End, SimTimer>, Peer) {
        let (ours, theirs) = link(self.link, &mut world.rng());
        let (parts, peer) = match self.role {
            Role::Server => (Parts::server(ours, SimTimer::new()), Role::Client),
            Role::Client => (Parts::client(ours, SimTimer::new()), Role::Server),
        };
        (parts.config(self.config.clone()).inbound_queue(self.inbound), Peer::new(peer, theirs))
    }

    fn open(&self, world: &World) -> (Stream, Peer) {
        let (parts, peer) = self.parts(world);
        (parts.into_stream(), peer)
    }
}

/// Two ends that are connected.
fn pair(world: &World, config: &Config, options: LinkOptions) -> (Stream, Stream) {
    let (a, b) = link(options, &mut world.rng());
    let server = Parts::server(a, SimTimer::new()).config(config.clone()).into_stream();
    (server, Parts::client(b, SimTimer::new()).config(config.clone()).into_stream())
}

async fn send_back(mut stream: Stream) -> Result<(), Error> {
    while let Some(message) = stream.recv().await? {
        stream.send(message).await?;
    }
    Ok(())
}

async fn receive_all(stream: &mut Stream) -> Vec<Message> {
    let mut received = Vec::new();
    while let Some(message) = stream.recv().await.unwrap() {
        received.push(message);
    }
    received
}

#[test]
fn an_echo_needs_no_task_but_its_own() {
    for role in ROLES {
        for chunk in [usize::MAX, 1] {
            let world = World::new(1);
            let (stream, mut peer) = Streaming::new(role).link(|link| link.chunk = chunk).open(&world);
            let echo = world.spawn("echo", send_back(stream));
            peer.send_text("one");
            peer.send(BINARY, [2; 70_000]);
            peer.send(PING, "three");
            peer.send(TEXT_BEGINS, "fo");
            peer.send(PING, "between");
            peer.send(LAST | CONTINUES, "ur");
            world.run();
            let frames = peer.frames();
            let expected =
                [text("one"), Frame(BINARY, vec![2; 70_000]), pong(b"three"), pong(b"between"), text("four")];
            assert!(expected.iter().all(|frame| frames.contains(frame)) && frames.len() == 5, "{frames:?}");
            peer.send_close(1000, "bye");
            world.run();
            assert_eq!(peer.frames(), [close(1000, "")]);
            peer.to.end();
            world.finish(&echo).unwrap();
        }
    }
}

#[test]
fn bytes_that_were_read_behind_the_handshake_come_first() {
    for role in ROLES {
        let world = World::new(1);
        let (_, by_hand) = Streaming::new(role).parts(&world);
        let bytes = [by_hand.frame(TEXT, "first"), by_hand.frame(TEXT, "second")].concat();
        for at in 0..=bytes.len() {
            let (parts, peer) = Streaming::new(role).parts(&world);
            let mut stream = parts.received(&bytes[..at]).into_stream();
            let receiving = world.spawn("app", async move { receive_all(&mut stream).await });
            for byte in &bytes[at..] {
                peer.to.push(&[*byte]);
                world.run();
            }
            peer.send_close(1000, "");
            assert_eq!(world.finish(&receiving), ["first", "second"].map(Message::from), "{role:?}, {at}");
        }
    }
}

#[test]
fn send_writes_at_once_and_feed_with_the_next_that_waits() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).open(&world);
        stream = world.at_once(async move {
            stream.send("sent").await.unwrap();
            stream
        });
        assert_eq!(peer.frames(), [text("sent")]);
        stream = world.at_once(async move {
            stream.feed("fed").await.unwrap();
            stream.feed("fed, too").await.unwrap();
            stream
        });
        assert_eq!(peer.frames(), []);
        let writes = peer.from.writes();
        let receiving = world.spawn("app", async move { receive_all(&mut stream).await });
        world.run();
        assert_eq!(peer.frames(), [text("fed"), text("fed, too")]);
        assert_eq!(peer.from.writes(), writes + 1, "together");
        drop(receiving);
    }
}

#[test]
fn all_kinds_of_messages_can_be_sent() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).open(&world);
        let _stream = world.at_once(async move {
            stream.send_prepared(&Prepared::new("prepared")).await.unwrap();
            stream.send_fragment("frag", false).await.unwrap();
            assert!(matches!(stream.send("within").await, Err(Error::Unfinished)));
            stream.send_fragment("ment", true).await.unwrap();
            #[cfg(feature = "deflate")]
            stream.send_with("with", ws_session::Compress::Never).await.unwrap();
            #[cfg(not(feature = "deflate"))]
            stream.send("with").await.unwrap();
            SinkExt::send(&mut stream, "sunk".into()).await.unwrap();
            stream.flush().await.unwrap();
            stream
        });
        let fragments = [Frame(TEXT_BEGINS, "frag".into()), Frame(LAST | CONTINUES, "ment".into())];
        let [first, last] = fragments;
        assert_eq!(peer.frames(), [text("prepared"), first, last, text("with"), text("sunk")]);
    }
}

#[test]
fn a_ping_is_answered_while_messages_wait() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).open(&world);
        let app = world.spawn("app", async move {
            let took = stream.ping().await.unwrap();
            assert_eq!(stream.latency(), Some(took.time));
            (took.time, stream.recv().await.unwrap(), stream)
        });
        world.run();
        let [Frame(PING, payload)] = &peer.frames()[..] else { panic!("a ping") };
        world.advance(millis(30));
        peer.send_text("before the pong");
        peer.send(PONG, payload);
        let (took, message, _stream) = world.finish(&app);
        assert_eq!((took, message), (millis(30), Some("before the pong".into())));
    }
}

#[test]
fn it_knows_what_a_handle_knows() {
    let world = World::new(1);
    let (parts, peer) = Streaming::new(Role::Server).parts(&world);
    let mut stream = parts.subprotocol("chat").client_ip("192.0.2.9".parse().unwrap()).into_stream();
    assert_eq!((stream.subprotocol(), stream.peer_addr(), stream.local_addr()), (Some("chat"), None, None));
    assert_eq!(stream.client_ip(), Some("192.0.2.9".parse().unwrap()));
    assert_eq!((stream.request().uri().path(), stream.response().status().as_u16()), ("/", 101));
    assert_eq!((stream.id(), stream.latency()), (stream.sender().id(), None));
    // The transport can be looked at.
    peer.to.push(b"x");
    assert_eq!(stream.get_ref().wires().0.len(), 1);
    assert_eq!(stream.get_mut().wires().0.take(), b"x");
    let shown = format!("{stream:?}");
    assert!(shown.contains("chat"), "{shown}");
}

#[test]
fn it_is_no_larger_than_handle_and_driver() {
    use ws_session::{Driver, WebSocket};

    let size = size_of::<Stream>();
    let apart = size_of::<WebSocket>() + size_of::<Driver<End, SimTimer>>();
    assert!(size <= apart + size_of::<usize>(), "{size} bytes, and {apart} in two values");
}

#[cfg(feature = "json")]
#[test]
fn json_goes_both_ways() {
    let world = World::new(1);
    let (mut stream, mut peer) = Streaming::new(Role::Client).open(&world);
    peer.send_text("[1,2]");
    peer.send_text("no JSON");
    peer.send(BINARY, "3");
    world.at_once(async move {
        stream.send_json(&["a"]).await.unwrap();
        assert_eq!(stream.recv_json::<Vec<u8>>().await.unwrap(), Some(vec![1, 2]));
        assert!(matches!(stream.recv_json::<u8>().await, Err(ws_session::JsonError::Json(_))));
        assert_eq!(stream.recv_json::<u8>().await.unwrap(), Some(3), "the connection goes on");
        stream
    });
    assert!(peer.frames().contains(&text("[\"a\"]")));
}

#[test]
fn a_close_and_garbage_may_stand_behind_the_handshake() {
    for role in ROLES {
        for (last, is_normal) in [("close", true), ("garbage", false)] {
            for at_once in [true, false] {
                let world = World::new(1);
                let (parts, mut peer) = Streaming::new(role).parts(&world);
                let first = [peer.frame(TEXT, "first"), peer.frame(PING, "p"), peer.frame(TEXT, "second")].concat();
                let last = if last == "close" { peer.close_frame(1000, "bye") } else { vec![0xFF; 3] };
                // What follows a Close or a violation is of no use, whatever it is.
                let behind = [&first[..], &last, &[0xFF; 100], &peer.frame(TEXT, "third")].concat();
                let parts = parts.received(behind).inbound_queue(if at_once { 16 } else { 1 });
                let mut stream = parts.into_stream();
                let app = world.spawn("app", async move {
                    let mut received = Vec::new();
                    loop {
                        match stream.recv().await {
                            Ok(Some(message)) => received.push(message),
                            ended => return (received, ended, stream.closed().await),
                        }
                    }
                });
                world.run();
                peer.to.end();
                let (received, ended, outcome) = world.finish(&app);
                assert_eq!(received, ["first", "second"].map(Message::from));
                assert_eq!((ended.is_ok(), outcome.is_normal()), (is_normal, is_normal), "{outcome:?}");
                let frames = peer.frames();
                let [ponged, Frame(CLOSE, body)] = &frames[..] else { panic!("{frames:?}") };
                let code: u16 = if is_normal { 1000 } else { 1002 };
                assert_eq!((ponged, &body[..2]), (&pong(b"p"), &code.to_be_bytes()[..]));
            }
        }
    }
}
