//! `WebSocketStream` in a program that blocks its thread: the runtime cannot look at its sockets meanwhile.

use std::io::{Read as _, Write as _};
use std::net;
use std::thread;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use ws_tokio::{Config, server_parts};

/// Longer than a busy machine takes to run a thread that has something to do.
const PONG: Duration = Duration::from_millis(500);

/// A client that answers each ping, on a thread of its own. Its masking key is zero.
fn answer_pings(mut peer: net::TcpStream) {
    let (mut received, mut buffer) = (Vec::new(), [0; 1000]);
    while let Ok(n @ 1..) = peer.read(&mut buffer) {
        received.extend_from_slice(&buffer[..n]);
        while received.len() >= 2 && received.len() >= 2 + usize::from(received[1]) {
            let rest = received.split_off(2 + usize::from(received[1]));
            if received[0] == 0x89 {
                let pong = [&[0x8A, 0x80 | received[1], 0, 0, 0, 0], &received[2..]].concat();
                peer.write_all(&pong).unwrap();
            }
            received = rest;
        }
    }
}

#[tokio::test]
async fn a_pong_that_came_while_the_thread_was_blocked_counts() {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    thread::spawn(|| answer_pings(peer));

    let mut config = Config::default();
    config.deadlines.ping_interval = Some(Duration::from_millis(50));
    config.deadlines.pong = Some(PONG);
    let mut ws = server_parts(TcpStream::from_std(stream).unwrap()).config(config).into_stream();
    assert!(timeout(Duration::from_millis(60), ws.recv()).await.is_err());
    for _ in 0..3 {
        // `send` is ready at once: tokio has no turn in which it would see the pong.
        thread::sleep(PONG + Duration::from_millis(50));
        ws.send("still here").await.unwrap();
    }
    assert!(timeout(Duration::from_millis(300), ws.recv()).await.is_err(), "the peer answers");
}
