//! The pings that `ws connect` sends by itself.

use std::process::Stdio;

use crate::support::{bare, in_time, run, stderr, stdout, ws};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::unbounded_channel;

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// The next frame of a client: a short one.
async fn frame(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 6];
    socket.read_exact(&mut head).await.unwrap();
    let [first, length, key @ ..] = head;
    assert!((0x80..=0x80 + 125).contains(&length), "masked and short: {length:#x}");
    let mut payload = vec![0; usize::from(length & 0x7F)];
    socket.read_exact(&mut payload).await.unwrap();
    payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    (first, payload)
}

async fn answer(socket: &mut TcpStream, first: u8, payload: &[u8]) {
    let answer = [&[first, payload.len().try_into().unwrap()], payload].concat();
    socket.write_all(&answer).await.unwrap();
}

#[tokio::test]
async fn an_interval_can_be_set() {
    let url = bare(|mut socket| async move {
        for _ in 0..3 {
            let (first, payload) = frame(&mut socket).await;
            assert_eq!(first, PING);
            answer(&mut socket, PONG, &payload).await;
        }
        answer(&mut socket, CLOSE, b"\x03\xE8pinged").await;
        // Behind pings that are on their way.
        while frame(&mut socket).await.0 != CLOSE {}
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
            let (first, payload) = frame(&mut socket).await;
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
