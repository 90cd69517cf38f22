//! Limits and deadlines of connections of HTTP/2.

use std::time::Duration;

use h2::Reason;
use ws_test_support::frames::{CLOSE, Frame, TEXT};
use ws_tokio::http::{Method, Response, StatusCode};
use ws_tokio::{Bytes, HeadLimits, OverRate, Rate};

use super::*;

fn http2(change: impl FnOnce(&mut Http2)) -> Server {
    let mut http2 = Http2::default();
    change(&mut http2);
    server().http2(http2)
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let running = start(http2(|http2| http2.max_streams = 2), echo).await;
    let mut peer = Peer::connect(running.address).await;
    let streams = [peer.open().await, peer.open().await];
    assert_eq!(peer.requests.current_max_send_streams(), 2);
    drop(streams);
    peer.open().await.echo("room again").await;
    running.stop().await;
}

/// A client that takes no notice of the limit.
#[tokio::test]
async fn a_stream_that_is_opened_beyond_the_limit_is_reset() {
    let running = start(http2(|http2| http2.max_streams = 1), echo).await;
    let mut raw = running.raw().await;
    raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    // POST, http, /, without END_STREAM, so that both stay open.
    let headers = |id: u8| [&[0, 0, 4, 1, 4, 0, 0, 0, id][..], &[0x83, 0x86, 0x84, 0x41], &[]].concat();
    let fields = |id: u8| {
        let block = [0x83, 0x86, 0x84, 0x41, 0x01, b'a'];
        let mut frame = headers(id);
        frame[2] = block.len() as u8;
        frame.truncate(9);
        frame.extend(block);
        frame
    };
    raw.write([fields(1), fields(3)].concat()).await;
    raw.finish().await;
    let answer = raw.rest().await;
    let refused = [&[0, 0, 4, 3, 0, 0, 0, 0, 3][..], &7_u32.to_be_bytes()].concat();
    assert!(answer.windows(13).any(|frame| frame == refused), "REFUSED_STREAM in {answer:?}");
    running.stop().await;
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused() {
    let mut limits = HeadLimits::default();
    (limits.head, limits.headers, limits.target) = (2000, 10, 100);
    let running = start(server().head_limits(limits), echo).await;
    let mut peer = Peer::connect(running.address).await;
    let many: Vec<(String, String)> = (0..20).map(|n| (format!("x-{n}"), String::new())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = peer.connect_request("/", &many);
    assert_eq!(peer.ask(request).await.0.status(), 431);
    let request = peer.connect_request(&format!("/{}", "a".repeat(100)), &[]);
    assert_eq!(peer.ask(request).await.0.status(), 414);
    let large = "a".repeat(3000);
    let request = peer.connect_request("/", &[("x-large", &large)]);
    let (response, _send) = peer.send(request, true).await;
    match in_time(response).await {
        Ok(response) => assert_eq!(response.status(), 431),
        Err(error) => assert!(error.is_reset(), "{error}"),
    }
    peer.open().await.echo("the connection continues").await;
    running.stop().await;
}

/// Each stream is a connection, and each request counts for the rate, over one connection of HTTP/2 or several.
#[tokio::test]
async fn streams_of_an_address_are_limited_in_number_and_rate() {
    let limited = server().max_connections_per_ip(2).connection_rate_per_ip(Rate::new(4, Duration::from_secs(3600)));
    let running = start(limited, echo).await;
    let (mut peer, mut other) = (Peer::connect(running.address).await, Peer::connect(running.address).await);
    let (mut first, mut second) = (peer.open().await, other.open().await);
    for retry_after in ["10", "10", "900"] {
        let request = peer.connect_request("/", &[]);
        let (response, body) = peer.ask(request).await;
        assert_eq!(
            (response.status(), response.headers()["retry-after"].to_str().unwrap()),
            (StatusCode::TOO_MANY_REQUESTS, retry_after)
        );
        assert!(body.starts_with(b"Your address "), "{body:?}");
        assert!(!response.headers().contains_key("connection"));
    }
    first.echo("the others continue").await;
    second.echo("both").await;
    running.stop().await;
}

#[tokio::test]
async fn messages_of_each_stream_come_at_its_rate() {
    let rate = Rate::new(3, Duration::from_secs(3600));
    let running = start(server().message_rate(rate).over_rate(OverRate::Close), echo).await;
    let mut peer = Peer::connect(running.address).await;
    let (mut first, mut second) = (peer.open().await, peer.open().await);
    for _ in 0..3 {
        first.echo("within the rate").await;
    }
    first.send_frame(TEXT, "one too many", false);
    let Frame(CLOSE, close) = first.frame().await else { panic!("a Close frame") };
    assert_eq!(close[..2], 1008_u16.to_be_bytes());
    second.echo("it has a rate of its own").await;
    running.stop().await;
}

/// A flood of resets (CVE-2023-44487).
#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let running = start(server(), echo).await;
    let mut peer = Peer::connect(running.address).await;
    let ended = in_time(async {
        // Each request is reset before the server can look at it.
        'flood: loop {
            for _ in 0..100 {
                let request = peer.request(Method::GET, "/", &[]);
                let Ok(mut requests) = peer.requests.clone().ready().await else { break 'flood };
                let Ok((_, mut send)) = requests.send_request(request, false) else { break 'flood };
                send.send_reset(Reason::CANCEL);
            }
            tokio::task::yield_now().await;
        }
        (&mut peer.task).await
    });
    let error = ended.await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM), "{error}");
    Peer::connect(running.address).await.open().await.echo("others are served").await;
    running.stop().await;
}

#[tokio::test]
async fn a_connection_without_a_request_ends_at_the_handshake_timeout() {
    let running = start(server().handshake_timeout(SHORT), echo).await;
    let peer = Peer::connect(running.address).await;
    in_time(peer.task).await.unwrap().unwrap();
    // It sends its preface, and nothing else ever.
    let mut raw = running.raw().await;
    raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw.rest().await;
    running.stop().await;
}

#[tokio::test]
async fn a_connection_without_streams_ends_at_the_idle_timeout() {
    let server = http2(|http2| http2.idle_timeout = SHORT).handshake_timeout(SHORT * 20);
    let running = start(server, echo).await;
    let mut peer = Peer::connect(running.address).await;
    let mut stream = peer.open().await;
    tokio::time::sleep(SHORT * 3).await;
    stream.echo("not while there is a stream").await;
    stream.send_close(1000, true);
    stream.end().await;
    drop(stream);
    in_time(peer.task).await.unwrap().unwrap();
    running.stop().await;
}

/// Connections without streams count as opening handshakes, and make room for others.
#[tokio::test]
async fn idle_connections_make_room() {
    let grace = Duration::from_millis(50);
    let running = start(server().max_handshakes(3).handshake_grace(grace), echo).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        let mut peer = Peer::connect(running.address).await;
        let mut stream = peer.open().await;
        stream.send_close(1000, true);
        stream.end().await;
        idle.push(peer);
    }
    let mut busy = Peer::connect(running.address).await;
    let mut stream = busy.open().await;
    stream.echo("there was room").await;
    in_time(async {
        while !idle.iter().any(|peer| peer.task.is_finished()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stream.echo("a connection with a stream stays").await;
    running.stop().await;
}

/// Many requests on one connection, whose hooks take their time.
#[tokio::test]
async fn requests_that_are_being_decided_on_count_as_handshakes() {
    let decide = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let permits = std::sync::Arc::clone(&decide);
    let server = server().max_handshakes(2).on_request_async(move |_| {
        let permits = std::sync::Arc::clone(&permits);
        async move { permits.acquire().await.unwrap().forget() }
    });
    let running = start(server, echo).await;
    let mut peer = Peer::connect(running.address).await;
    let mut asked = Vec::new();
    for _ in 0..2 {
        let request = peer.connect_request("/", &[]);
        asked.push(peer.send(request, false).await);
    }
    let request = peer.connect_request("/", &[]);
    let (response, _) = peer.ask(request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    decide.add_permits(2);
    for (response, _send) in asked {
        assert_eq!(in_time(response).await.unwrap().status(), StatusCode::OK);
    }
    decide.add_permits(1);
    peer.open().await.echo("room again").await;
    drop(peer);
    running.stop().await;
}

/// Responses that a client does not take are held in memory: their number is bounded, over all connections.
#[tokio::test]
async fn bodies_that_are_not_taken_are_limited_in_number() {
    let server = server().max_handshakes(3).on_request_async(|request| async move {
        tokio::task::yield_now().await;
        // More than the client's window.
        (request.uri().path() == "/page").then(|| Response::new(Bytes::from(vec![b'a'; 200_000])))
    });
    let running = start(server, echo).await;
    // The windows of its streams limit this client, not that of the connection.
    let mut wide = h2::client::Builder::new();
    wide.initial_connection_window_size(1 << 24);
    let mut peer = Peer::connect_with(running.address, wide.clone()).await;
    let mut other = Peer::connect_with(running.address, wide).await;
    let mut held = Vec::new();
    for n in 0..3 {
        let peer = if n % 2 == 0 { &mut peer } else { &mut other };
        let request = peer.request(Method::GET, "/page", &[]);
        let (response, _send) = peer.send(request, true).await;
        let response = in_time(response).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        held.push(response.into_body());
    }
    let request = peer.request(Method::GET, "/page", &[]);
    assert_eq!(peer.ask(request).await.0.status(), StatusCode::SERVICE_UNAVAILABLE);
    // Once one is taken, there is room for another.
    let mut body = held.pop().unwrap();
    while let Some(data) = in_time(body.data()).await {
        let _ = body.flow_control().release_capacity(data.unwrap().len());
    }
    let request = peer.request(Method::GET, "/page", &[]);
    let (response, body) = peer.ask(request).await;
    assert_eq!((response.status(), body.len()), (StatusCode::OK, 200_000));
    drop(held);
    running.stop().await;
}
