//! Connections as streams of bytes.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};

use futures_util::future;
use ws_proto::{Config, Role};
use ws_session::{ByteChannel, Error, MessageSocket, Parts, WebSocket, WebSocketStream};

use crate::sim::*;

mod ending;
mod halves;
mod writing;

type Polled = WebSocketStream<End, SimTimer>;

const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// A connection of either form, whose driver is a task of its own, and its peer.
fn driven(world: &World, setup: &Setup) -> (ByteChannel<WebSocket>, Peer) {
    let (socket, driver, peer) = setup.open(world);
    world.spawn("driver", driver);
    (socket.into_bytes(), peer)
}

fn polled(world: &World, role: Role) -> (ByteChannel<Polled>, Peer) {
    let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
    let (parts, peer) = match role {
        Role::Server => (Parts::server(ours, SimTimer::new()), Role::Client),
        Role::Client => (Parts::client(ours, SimTimer::new()), Role::Server),
    };
    (parts.into_stream().into_bytes(), Peer::new(peer, theirs))
}

/// Two ends that are connected, both driven.
fn pair(world: &World, config: &Config, options: LinkOptions) -> [ByteChannel<WebSocket>; 2] {
    let Pair { server, client } = open_pair(world, config, options);
    [server, client].map(|(socket, driver)| {
        world.spawn("driver", driver);
        socket.into_bytes()
    })
}

// ---- the poll functions as futures ----

async fn read<S: MessageSocket>(stream: &mut ByteChannel<S>, most: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; most];
    let n = poll_fn(|cx| stream.poll_read(cx, &mut buffer)).await?;
    buffer.truncate(n);
    Ok(buffer)
}

async fn read_to_end<S: MessageSocket>(stream: &mut ByteChannel<S>) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        match read(stream, 1000).await? {
            bytes if bytes.is_empty() => return Ok(all),
            bytes => all.extend(bytes),
        }
    }
}

async fn write<S: MessageSocket>(stream: &mut ByteChannel<S>, bytes: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_write(cx, bytes)).await
}

async fn write_all<S: MessageSocket>(stream: &mut ByteChannel<S>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = write(stream, bytes).await?;
        bytes = &bytes[n..];
    }
    Ok(())
}

async fn flush<S: MessageSocket>(stream: &mut ByteChannel<S>) -> io::Result<()> {
    poll_fn(|cx| stream.poll_flush(cx)).await
}

async fn shutdown<S: MessageSocket>(stream: &mut ByteChannel<S>) -> io::Result<()> {
    poll_fn(|cx| stream.poll_shutdown(cx)).await
}

/// The error of the connection within that of the stream.
fn inner(error: &io::Error) -> &Error {
    error.get_ref().and_then(|inner| inner.downcast_ref()).expect("the connection's error")
}

// ---- reading ----

#[test]
fn messages_are_read_as_bytes_and_empty_ones_passed_over() {
    for setup in [Setup::new(Role::Server), Setup::new(Role::Client)] {
        let world = World::new(1);
        let (mut stream, peer) = driven(&world, &setup);
        for message in ["", "first", "", "", "second"] {
            peer.send(BINARY, message);
        }
        let reading = world.spawn("reading", async move {
            let mut parts = Vec::new();
            for most in [3, 0, 3, 100] {
                parts.push(read(&mut stream, most).await.unwrap());
            }
            parts.push(read_to_end(&mut stream).await.unwrap());
            // The end stays the end.
            parts.push(read(&mut stream, 10).await.unwrap());
            parts
        });
        world.run();
        peer.send(BINARY, "third");
        peer.send_close(1000, "");
        peer.to.end();
        assert_eq!(world.finish(&reading), [&b"fir"[..], b"", b"st", b"second", b"third", b""]);
    }
}

#[test]
fn more_empty_messages_than_one_poll_takes_are_no_end() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, peer) = polled(&world, role);
        let reading = world.spawn("reading", async move { read(&mut stream, 100).await.unwrap() });
        for _ in 0..1000 {
            peer.send(BINARY, "");
        }
        peer.send(BINARY, "after them");
        assert_eq!(world.finish(&reading), b"after them");
    }
}

#[test]
fn bytes_can_be_looked_at_before_they_are_taken() {
    let world = World::new(1);
    let (mut stream, peer) = driven(&world, &Setup::new(Role::Server));
    peer.send(BINARY, "GET /");
    let reading = world.spawn("reading", async move {
        for (taken, expected) in [(0, &b"GET /"[..]), (4, b"GET /"), (0, b"/")] {
            let seen = poll_fn(|cx| stream.poll_fill_buf(cx).map(|bytes| bytes.map(<[u8]>::to_vec))).await.unwrap();
            assert_eq!(seen, expected);
            stream.consume(taken);
        }
        // The rest is not lost with the stream of bytes.
        stream.into_inner().1
    });
    assert_eq!(world.finish(&reading), "/");
}

#[test]
fn a_dropped_read_loses_nothing() {
    let world = World::new(1);
    let (mut stream, peer) = driven(&world, &Setup::new(Role::Client));
    let reading = world.spawn("reading", async move {
        for _ in 0..3 {
            assert!(cut_off(read(&mut stream, 10), 1, false).await.is_none());
        }
        read(&mut stream, 10).await.unwrap()
    });
    world.run();
    peer.send(BINARY, "all");
    assert_eq!(world.finish(&reading), b"all");
}

#[test]
fn a_text_message_is_refused_with_1003() {
    for setup in [Setup::new(Role::Server), Setup::new(Role::Client)] {
        let world = World::new(1);
        let (mut stream, mut peer) = driven(&world, &setup);
        peer.send(BINARY, "bytes");
        peer.send_text("not bytes");
        peer.send(BINARY, "behind it");
        let reading = world.spawn("reading", async move {
            assert_eq!(read(&mut stream, 100).await.unwrap(), b"bytes");
            let errors = [read(&mut stream, 100).await.unwrap_err(), read(&mut stream, 100).await.unwrap_err()];
            let writing = write(&mut stream, b"too late").await.unwrap_err();
            (errors.map(|error| (error.kind(), error.to_string())), writing.kind())
        });
        let (errors, writing) = world.finish(&reading);
        for (kind, text) in errors {
            assert_eq!(kind, ErrorKind::InvalidData);
            assert!(text.contains("text message"), "{text}");
        }
        assert_eq!(writing, ErrorKind::BrokenPipe);
        assert_eq!(peer.frames(), [close(1003, "only binary messages")]);
    }
}

#[test]
fn a_text_message_is_taken_where_that_is_set() {
    let world = World::new(1);
    let (stream, peer) = driven(&world, &Setup::new(Role::Server));
    let mut stream = stream.accept_text(true);
    peer.send_text("é, ");
    peer.send(BINARY, "bytes");
    peer.send_close(1000, "");
    let reading = world.spawn("reading", async move { read_to_end(&mut stream).await.unwrap() });
    assert_eq!(world.finish(&reading), "é, bytes".as_bytes());
}
