//! The deadlines that nobody has set, and tokio's paused time, which `TokioTimer` follows: an hour takes no time here.

use std::future::poll_fn;
use std::time::Duration;

use crate::common::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};
use ws_tokio::{
    AcceptError, Addresses, Cause, Client, CloseCode, ConnectError, Error, Server, Timer as _, Timestamp, TokioIo,
    TokioTimer,
};

#[tokio::test(start_paused = true)]
async fn the_timer_follows_paused_time_and_its_last_deadline() {
    let mut timer = TokioTimer::new();
    assert_eq!(timer.now(), Timestamp::ZERO);
    let far = Timestamp::new(Duration::MAX);
    let (late, early) = (Timestamp::new(Duration::from_secs(60)), Timestamp::new(Duration::from_secs(5)));
    poll_fn(|cx| {
        assert!(timer.poll_at(cx, far).is_pending());
        assert!(timer.poll_at(cx, late).is_pending());
        timer.poll_at(cx, early)
    })
    .await;
    assert_eq!(timer.now(), early);
    poll_fn(|cx| timer.poll_at(cx, late)).await;
    assert_eq!(timer.now(), late);
    poll_fn(|cx| timer.poll_at(cx, early)).await;
    assert_eq!(timer.now(), late, "a deadline that has passed is ready at once");
}

// ---- opening ----

/// A server's handshake over a pipe, and its other end.
fn accepting() -> (JoinHandle<Result<(), AcceptError>>, Raw<DuplexStream>) {
    let (near, far) = duplex(64 * KIB);
    let task =
        tokio::spawn(async move { Server::new().accept(TokioIo::new(far), Addresses::default()).await.map(drop) });
    (task, Raw::new(near))
}

#[tokio::test(start_paused = true)]
async fn a_head_at_one_byte_a_second_gets_408_at_ten_seconds() {
    let started = Instant::now();
    let (task, mut raw) = accepting();
    let mut second = interval(Duration::from_secs(1));
    let request = request("/", &[]);
    let mut bytes = request.bytes();
    let mut reply = [0; 4096];
    let n = loop {
        tokio::select! {
            biased;
            read = raw.stream.read(&mut reply) => break read.unwrap(),
            _ = second.tick() => raw.stream.write_u8(bytes.next().expect("an answer before the head ends")).await.unwrap(),
        }
    };
    assert_eq!(started.elapsed().as_secs(), 10);
    assert!(reply[..n].starts_with(b"HTTP/1.1 408 Request Timeout\r\n"));
    drop(raw);
    assert!(matches!(in_time(task).await.unwrap(), Err(AcceptError::Timeout)));
    assert_eq!(started.elapsed().as_secs(), 10, "nothing else to wait for once the client has left");
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_dropped_two_seconds_after_the_408() {
    let started = Instant::now();
    let (task, _raw) = accepting();
    assert!(matches!(in_time(task).await.unwrap(), Err(AcceptError::Timeout)));
    assert_eq!(started.elapsed().as_secs(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_left_after_ten_seconds() {
    let started = Instant::now();
    let (near, _far) = duplex(64 * KIB);
    let client = Client::new("ws://test/").handshake(TokioIo::new(near), Addresses::default());
    assert!(matches!(in_time(client).await, Err(ConnectError::Timeout(_))));
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_left_after_ten_seconds() {
    let started = Instant::now();
    let (near, _far) = duplex(16);
    let client = Client::new("ws://test/").handshake(TokioIo::new(near), Addresses::default());
    assert!(matches!(in_time(client).await, Err(ConnectError::Timeout(_))));
    assert_eq!(started.elapsed().as_secs(), 10);
}

// ---- open ----

fn cause(error: &Error) -> &Cause {
    &error.closed().expect("the end of the connection").outcome().cause
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_found_dead_after_forty_seconds() {
    let (mut ws, _raw) = piped_server(Server::new()).await;
    let started = Instant::now();
    let error = in_time(ws.recv()).await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 40, "a ping after 20 s, and 20 s for its pong");
    assert_eq!(cause(&error), &Cause::KeepaliveTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_is_left_alone_for_an_hour() {
    let (ws, client) = piped(Server::new(), Client::new("ws://test/")).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(ws.sender().is_open() && client.sender().is_open());
    assert!(ws.latency().is_some() && client.latency().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_stands_still_is_waited_for_sixty_seconds() {
    let (mut ws, mut raw) = piped_server(Server::new()).await;
    let started = Instant::now();
    // 1,000 bytes were announced, and too few of them come to be progress.
    raw.write([0x82, 0xFE, 0x03, 0xE8, 0, 0, 0, 0]).await;
    let mut drip = interval(Duration::from_secs(19));
    let (error, ()) = in_time(async {
        tokio::join!(async { ws.recv().await.unwrap_err() }, async {
            while raw.stream.write_u8(0).await.is_ok() && started.elapsed() < Duration::from_secs(60) {
                drip.tick().await;
            }
        })
    })
    .await;
    assert_eq!(cause(&error), &Cause::MessageTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_left_after_thirty_seconds() {
    let (mut ws, _raw) = piped_server(Server::new()).await;
    let started = Instant::now();
    ws.send(vec![0; MIB]).await.unwrap();
    let error = in_time(ws.recv()).await.unwrap_err();
    assert_eq!(cause(&error), &Cause::WriteStall, "{error}");
    assert_eq!(started.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_only_pings_and_does_not_read_is_left_after_thirty_seconds_too() {
    let (mut ws, mut raw) = piped_server(Server::new()).await;
    ws.send(vec![0; MIB]).await.unwrap();
    let started = Instant::now();
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    let mut second = interval(Duration::from_secs(1));
    let flood = async {
        while raw.stream.write_all(&ping).await.is_ok() {
            second.tick().await;
        }
    };
    let end = async { (ws.recv().await.unwrap_err(), started.elapsed().as_secs()) };
    let ((error, after), ()) = in_time(async { tokio::join!(end, flood) }).await;
    assert_eq!(cause(&error), &Cause::WriteStall, "{error}");
    assert_eq!(after, 30, "what comes in is no sign of reading");
}

// ---- closing ----

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_our_close_is_left_after_ten_seconds() {
    let (ws, _raw) = piped_server(Server::new()).await;
    let started = Instant::now();
    let error = in_time(ws.close(CloseCode::NORMAL, "")).await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(cause(&error), &Cause::CloseTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_answered_takes_no_time() {
    let (ws, mut raw) = piped_server(Server::new().inbound_queue(2)).await;
    let started = Instant::now();
    let closing = ws.close(CloseCode::NORMAL, "");
    // More than the inbound queue holds, before the answer to our Close.
    raw.write([0x81, 0x80, 0, 0, 0, 0].repeat(10)).await;
    raw.write(b"\x88\x82\0\0\0\0\x03\xE8").await;
    raw.finish().await;
    assert!(in_time(closing).await.unwrap().is_clean());
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_waits_for_no_handler_that_only_sends() {
    let (ws, mut raw) = piped_server(Server::new()).await;
    let started = Instant::now();
    raw.write(b"\x88\x82\0\0\0\0\x03\xE8").await;
    raw.finish().await;
    assert!(in_time(ws.closed()).await.is_clean());
    assert_eq!(started.elapsed(), Duration::ZERO, "nothing came that could still be answered");
}
