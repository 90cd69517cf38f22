//! The shutdown of a server with connections of HTTP/2.

use std::time::Duration;

use ws_test_support::frames::close;

use super::raw::End;
use super::*;

#[tokio::test]
async fn streams_are_closed_with_1001_behind_goaway_and_waited_for() {
    let (running, mut ends) = reporting(server()).await;
    let mut peer = Peer::connect(running.address).await;
    let mut streams = [peer.open().await, peer.open().await, peer.open().await];
    for stream in &mut streams {
        stream.echo("a").await;
    }
    running.handle.shutdown();
    for stream in &mut streams {
        assert_eq!(stream.frame().await, close(1001, "server shutdown"));
    }
    assert!(!running.task.is_finished(), "it waits for the peer's Close");
    for stream in &mut streams {
        stream.send_close(1001, true);
        assert_eq!(stream.end().await, End::Stream);
    }
    for _ in 0..3 {
        assert!(next(&mut ends).await.outcome.is_clean());
    }
    in_time(running.task).await.unwrap().unwrap();
    drop(streams);
    in_time(peer.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_during_a_shutdown_gets_503_or_no_stream() {
    let running = start(server(), drain).await;
    let mut peer = Peer::connect(running.address).await;
    let mut stream = peer.open().await;
    let request = peer.connect_request("/", &[]);
    let ready = in_time(peer.requests.clone().ready()).await.unwrap();
    running.handle.shutdown();
    let mut ready = ready;
    if let Ok((response, _send)) = ready.send_request(request, false) {
        match in_time(response).await {
            Ok(response) => assert_eq!(response.status(), 503),
            Err(error) => assert!(error.is_go_away() || error.is_reset(), "{error}"),
        }
    }
    stream.send_close(1001, true);
    stream.end().await;
    drop((stream, ready));
    in_time(running.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn idle_connections_and_silent_ones_end_at_once() {
    let running = start(server(), echo).await;
    let idle = Peer::connect(running.address).await;
    let mut silent = running.raw().await;
    silent.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    tokio::time::sleep(SHORT).await;
    running.handle.shutdown();
    in_time(running.task).await.unwrap().unwrap();
    in_time(idle.task).await.unwrap().unwrap();
    silent.rest().await;
}

#[tokio::test]
async fn streams_left_at_the_drain_timeout_are_dropped() {
    let server = server().drain_timeout(Duration::from_millis(200));
    let running = start(server, |_ws: WebSocket| std::future::pending::<HandlerResult>()).await;
    let mut peer = Peer::connect(running.address).await;
    let mut stream = peer.open().await;
    running.handle.shutdown();
    in_time(running.task).await.unwrap().unwrap();
    assert_ne!(stream.end().await, End::Reset(h2::Reason::INTERNAL_ERROR));
}
