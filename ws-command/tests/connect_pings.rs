//! The pings that `ws connect` sends by itself.

use std::process::Stdio;

use crate::support::{bare, in_time, run, stderr, stdout, ws};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::unbounded_channel;
use ws_test_support::frames::{CLOSE, Found, Frame, PING, PONG, Received, TEXT, frame};

/// The next frame of a client, and not a byte more.
async fn next(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut received = Received::default();
    loop {
        received.bytes.push(socket.read_u8().await.unwrap());
        if let Some(Found { frame: Frame(first, payload), key, .. }) = received.frame() {
            assert!(key.is_some(), "masked");
            return (first, payload);
        }
    }
}

async fn answer(socket: &mut TcpStream, first: u8, payload: &[u8]) {
    socket.write_all(&frame(first, payload, None)).await.unwrap();
}

#[tokio::test]
async fn an_interval_can_be_set() {
    let url = bare(|mut socket| async move {
        for _ in 0..3 {
            let (first, payload) = next(&mut socket).await;
            assert_eq!(first, PING);
            answer(&mut socket, PONG, &payload).await;
        }
        answer(&mut socket, CLOSE, b"\x03\xE8pinged").await;
        // Behind pings that are on their way.
        while next(&mut socket).await.0 != CLOSE {}
    })
    .await;
    // The input does not end.
    let mut child = ws(&["connect", "--ping-interval", "0.05", &url]).stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    let output = in_time(child.wait_with_output()).await.unwrap();
    drop(stdin);
    assert!(stdout(&output).ends_with("Connection closed: 1000 (OK) pinged.\n"), "{}", stdout(&output));
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
}

#[tokio::test]
async fn pings_can_be_switched_off() {
    let (tell, mut told) = unbounded_channel();
    let url = bare(|mut socket| async move {
        loop {
            let (first, payload) = next(&mut socket).await;
            tell.send(first).unwrap();
            answer(&mut socket, first, &payload).await;
            if first == CLOSE {
                break;
            }
        }
    })
    .await;
    let output = run(&["connect", "--ping-interval", "off", "--no-compression", &url], "a\nb\nc\n").await;
    assert!(stdout(&output).ends_with("\n< a\n< b\n< c\nConnection closed: 1000 (OK).\n"), "{}", stdout(&output));
    let mut frames = Vec::new();
    told.recv_many(&mut frames, 10).await;
    assert_eq!(frames, [TEXT, TEXT, TEXT, CLOSE]);
}
