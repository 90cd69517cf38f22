//! What a connection and a server hold at most, and what a peer is told that asks for more.

mod common;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use common::*;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};
use ws_tokio::{Addresses, Cause, Client, Config, Message, Server, TokioIo, Violation};

fn small() -> Config {
    config(|config| {
        config.limits.message = Some(1000);
        config.limits.frame = Some(800);
        config.limits.fragments = Some(4);
    })
}

#[tokio::test]
async fn the_peer_is_told_which_limit_it_went_over() {
    let server = start(Server::new().config(small()), echo).await;
    let fragments = |count: usize, size: usize| {
        let mut bytes = masked(0x02, vec![0; size]);
        (1..count).for_each(|_| bytes.extend(masked(0x00, vec![0; size])));
        bytes
    };
    for (bytes, says) in [
        (masked(0x82, vec![0; 801]), "frame over the receiver's limit of 800 bytes (limits.frame)"),
        (header(0x81, 1 << 40, Some(MASK)), "frame over the receiver's limit of 800 bytes (limits.frame)"),
        (fragments(2, 501), "message over the receiver's limit of 1000 bytes (limits.message)"),
        (fragments(5, 0), "message over the receiver's limit of 4 fragments (limits.fragments)"),
    ] {
        let mut raw = server.raw_upgraded().await;
        raw.write(masked(0x81, "before")).await;
        raw.write(bytes).await;
        assert_eq!(raw.frame().await, (0x81, b"before".to_vec()), "what was complete is still answered");
        assert_eq!(raw.close_frame().await, (1009, says.to_owned()));
        assert_eq!(raw.rest().await, b"");
    }
    server.stop().await;
}

#[tokio::test]
async fn both_ends_know_whose_limit_it_was() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new().config(small()), move |mut ws| {
        let tell = tell.clone();
        async move {
            let error = ws.recv().await.unwrap_err();
            tell.send(error.clone())?;
            Err(error.into())
        }
    })
    .await;
    let mut ws = server.connect().await;
    ws.send(vec![0; 900]).await.unwrap();
    let error = in_time(ws.recv()).await.unwrap_err();
    let text = "frame over the receiver's limit of 800 bytes (limits.frame)";
    let outcome = error.closed().unwrap().outcome();
    assert_eq!((u16::from(outcome.code()), outcome.reason()), (1009, text));
    assert_eq!(outcome.cause, Cause::Peer);
    let error = in_time(told.recv()).await.unwrap();
    let outcome = error.closed().unwrap().outcome();
    assert_eq!(outcome.cause, Cause::Violation(Violation::FrameTooBig { limit: 800 }));
    assert!(error.to_string().contains(text), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_has_limits_too() {
    let server = start(Server::new(), |ws| async move {
        ws.send("x".repeat(801)).await?;
        drain(ws).await
    })
    .await;
    let mut ws = in_time(Client::new(&server.url("/")).config(small()).connect()).await.unwrap();
    let error = in_time(ws.recv()).await.unwrap_err();
    assert_eq!(
        error.closed().unwrap().outcome().cause,
        Cause::Violation(Violation::FrameTooBig { limit: 800 }),
        "{error}"
    );
    server.stop().await;
}

#[tokio::test]
async fn exactly_at_the_limit_is_fine() {
    let server = start(Server::new(), echo).await;
    let mut ws = server.connect().await;
    ws.send(pattern(MIB)).await.unwrap();
    assert!(in_time(ws.recv()).await.unwrap() == Some(Message::from(pattern(MIB))));
    ws.send(pattern(MIB + 1)).await.unwrap();
    let (code, reason) = (in_time(ws.closed()).await.code(), in_time(ws.closed()).await.reason().to_owned());
    assert_eq!(u16::from(code), 1009);
    assert!(reason.contains("1048576"), "{reason}");
    server.stop().await;
}

#[tokio::test]
async fn reading_stops_when_nobody_takes_the_messages() {
    let (go_on, wait) = oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let server = start(Server::new().inbound_queue(2), move |mut ws| {
        let wait = wait.lock().unwrap().take().unwrap();
        async move {
            wait.await?;
            for n in 0_usize.. {
                match ws.recv().await? {
                    Some(message) => assert_eq!(message.as_bytes()[..2], (n as u16).to_be_bytes()),
                    None => break,
                }
                ws.send("taken").await?;
            }
            Ok(())
        }
    })
    .await;
    let ws = server.connect().await;
    // Nothing that compression would make small.
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let mut payload: Vec<u8> = (0..64 * KIB).map(|_| noise()).collect();
    let mut sent: u16 = 0;
    // Until all socket buffers between us and the two messages are full.
    loop {
        payload[..2].copy_from_slice(&sent.to_be_bytes());
        tokio::select! {
            biased;
            result = ws.send(payload.clone()) => result.unwrap(),
            () = settle() => break,
        }
        sent += 1;
        assert!(sent < 1000, "64 MB are on their way to somebody who reads nothing");
    }
    go_on.send(()).unwrap();
    payload[..2].copy_from_slice(&sent.to_be_bytes());
    in_time(ws.send(payload)).await.unwrap();
    let mut ws = ws;
    for _ in 0..=sent {
        assert_eq!(text(&mut ws).await, "taken");
    }
    close(ws).await;
    server.stop().await;
}

#[tokio::test]
async fn one_more_connection_than_there_may_be_gets_503() {
    let server = start(Server::new().max_connections(2), echo).await;
    let (first, second) = (server.connect().await, server.connect().await);
    for _ in 0..2 {
        let error = in_time(ws_tokio::connect(&server.url("/"))).await.unwrap_err();
        let response = error.response().expect("a response");
        assert_eq!(response.status(), 503);
        assert!(response.body().starts_with(b"The server takes no new connections now."), "{response:?}");
    }
    assert_eq!(server.handle.connections(), 2);
    close(first).await;
    until(|| server.handle.connections() == 1).await;
    let third = server.connect().await;
    // One that goes without a word makes room as well.
    drop(second);
    until(|| server.handle.connections() == 1).await;
    let fourth = server.connect().await;
    assert!(in_time(ws_tokio::connect(&server.url("/"))).await.is_err());
    close(third).await;
    close(fourth).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_do_not_get_past_the_limit() {
    const MOST: usize = 5;
    let (tell, mut told) = mpsc::unbounded_channel();
    let open = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&open);
    let server = start(Server::new().max_connections(MOST), move |ws| {
        tell.send(counter.fetch_add(1, Ordering::SeqCst) + 1).unwrap();
        let counter = Arc::clone(&counter);
        async move {
            let ended = drain(ws).await;
            counter.fetch_sub(1, Ordering::SeqCst);
            ended
        }
    })
    .await;
    for _ in 0..12 {
        let mut peers = JoinSet::new();
        for _ in 0..60 {
            let url = server.url("/");
            peers.spawn(async move { in_time(ws_tokio::connect(&url)).await });
        }
        let all = in_time(peers.join_all()).await;
        let accepted = all.iter().filter(|connected| connected.is_ok()).count();
        assert_eq!(accepted, MOST);
        drop(all);
        until(|| server.handle.connections() == 0).await;
    }
    server.stop().await;
    while let Some(at_once) = told.recv().await {
        assert!(at_once <= MOST, "{at_once} handlers at once");
    }
    assert_eq!(open.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn further_handshakes_wait_for_those_under_way() {
    let server = start(Server::new().max_handshakes(1), echo).await;
    let mut slow = server.raw().await;
    slow.write("GET / HTTP/1.1\r\n").await;
    settle().await;
    let mut waiting = server.raw().await;
    waiting.write(request("/", &[])).await;
    tokio::select! {
        biased;
        head = waiting.head() => panic!("{head}"),
        () = settle() => {}
    }
    slow.write("Host: test\r\n\r\n").await;
    assert_eq!(slow.reply().await.status, 426);
    drop(slow);
    assert!(waiting.head().await.starts_with("HTTP/1.1 101 "));
    drop(waiting);
    server.stop().await;
}

#[tokio::test]
async fn handshakes_that_come_together_wait_too() {
    // All are there before the server accepts the first.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut slow = Raw::new(tokio::net::TcpStream::connect(address).await.unwrap());
    let mut waiting = Raw::new(tokio::net::TcpStream::connect(address).await.unwrap());
    slow.write("GET / HTTP/1.1\r\n").await;
    waiting.write(request("/", &[])).await;
    let listening = Server::new().max_handshakes(1).listen_on(listener).unwrap();
    let handle = listening.handle();
    let task = tokio::spawn(listening.serve(echo));

    tokio::select! {
        biased;
        head = waiting.head() => panic!("the second handshake was done beside the first: {head}"),
        () = settle() => {}
    }
    drop(slow);
    assert!(waiting.head().await.starts_with("HTTP/1.1 101 "));
    handle.shutdown();
    drop(waiting);
    in_time(task).await.unwrap().unwrap();
}

/// More than the 128 that the standard library has room for; the system's own limit is known to be higher on Linux.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn many_can_connect_before_the_first_is_accepted() {
    let listening = Server::new().bind("127.0.0.1:0").await.unwrap();
    let address = listening.local_addr().unwrap();
    let mut connections = Vec::new();
    for _ in 1..=300 {
        connections.push(in_time(tokio::net::TcpStream::connect(address)).await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_left_after_thirty_seconds() {
    let (mut ws, raw) = piped_server(Server::new()).await;
    let started = Instant::now();
    ws.send(pattern(MIB)).await.unwrap();
    let error = in_time(ws.recv()).await.unwrap_err();
    assert_eq!(error.closed().unwrap().outcome().cause, Cause::WriteStall, "{error}");
    assert_eq!(started.elapsed().as_secs(), 30);
    drop(raw);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_only_pings_and_does_not_read_is_left_too() {
    let (mut ws, mut raw) = piped_server(Server::new()).await;
    ws.send(pattern(MIB)).await.unwrap();
    let started = Instant::now();
    let pings = masked(0x89, [7; 125]).repeat(100);
    let mut second = interval(Duration::from_secs(1));
    let flood = async {
        while raw.stream.write_all(&pings).await.is_ok() {
            second.tick().await;
        }
    };
    let end = async { (ws.recv().await.unwrap_err(), started.elapsed().as_secs()) };
    let ((error, after), ()) = in_time(async { tokio::join!(end, flood) }).await;
    assert_eq!(error.closed().unwrap().outcome().cause, Cause::WriteStall, "{error}");
    assert_eq!(after, 30, "what comes in is no sign of reading");
}

/// Counts how often it is asked to write.
struct Counting {
    stream: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Runs a handler over a pipe whose other end reads nothing for a while; how often the driver tried to write.
async fn writes_while_stuck<F>(handler: impl FnOnce(ws_tokio::WebSocket) -> F) -> usize
where
    F: Future<Output = ws_tokio::HandlerResult> + Send + 'static,
{
    let (near, far) = duplex(4 * KIB);
    let writes = Arc::new(AtomicUsize::new(0));
    let stream = Counting { stream: far, writes: Arc::clone(&writes) };
    let mut raw = Raw::new(near);
    let server = Server::new();
    let accepting = server.accept(TokioIo::new(stream), Addresses::default());
    let (accepted, ()) = in_time(async { tokio::join!(accepting, raw.upgrade("/")) }).await;
    let (ws, driver) = accepted.unwrap();
    let task = tokio::spawn(driver.run(handler(ws)));
    settle().await;
    let count = writes.load(Ordering::Relaxed);
    task.abort();
    count
}

#[tokio::test]
async fn a_driver_that_is_stuck_does_not_spin() {
    let sending = writes_while_stuck(|ws| async move {
        ws.send(pattern(2 * MIB)).await?;
        ws.send("after it").await?;
        Ok(())
    })
    .await;
    assert!(sending < 20, "{sending} writes while the peer reads nothing");
    let closing = writes_while_stuck(|ws| async move {
        ws.send(pattern(2 * MIB)).await?;
        ws.close(1000.into(), "").await?;
        Ok(())
    })
    .await;
    assert!(closing < 20, "{closing} writes while the peer reads nothing");
}

#[tokio::test]
async fn a_ping_that_has_no_room_does_not_make_the_driver_spin() {
    let writes = writes_while_stuck(|ws| async move {
        ws.send(pattern(2 * MIB)).await?;
        ws.ping().await?;
        Ok(())
    })
    .await;
    assert!(writes < 20, "{writes} writes while the peer reads nothing");
}

#[tokio::test]
async fn a_ping_that_has_no_room_is_sent_once_there_is() {
    let (ws, mut raw) = piped_server(Server::new()).await;
    ws.send(pattern(2 * MIB)).await.unwrap();
    let peer = async {
        assert_eq!(raw.frame().await.1.len(), 2 * MIB);
        let (first, payload) = raw.frame().await;
        assert_eq!(first, 0x89);
        raw.write(masked(0x8A, payload)).await;
    };
    let (ping, ()) = in_time(async { tokio::join!(ws.ping(), peer) }).await;
    assert!(ping.unwrap() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_server_that_takes_nobody() {
    let server = start(Server::new().max_connections(0), echo).await;
    let mut raw = server.raw().await;
    raw.write(request("/", &[])).await;
    let reply = raw.reply().await;
    assert_eq!((reply.status, reply.header("connection")), (503, Some("close")));
    drop(raw);
    server.stop().await;
}
