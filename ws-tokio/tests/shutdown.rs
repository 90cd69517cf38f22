//! The end of a server: everyone is told, nobody new comes in, handlers are waited for, but not for ever.

mod common;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use ws_tokio::{ConnectError, Message, Server};

const GONE: (u16, &str) = (1001, "server shutdown");

#[tokio::test]
async fn everyone_is_told_and_the_server_returns() {
    let server = start(Server::new(), echo).await;
    let mut peers = Vec::new();
    for n in 0..20 {
        let mut ws = server.connect().await;
        ws.send(n.to_string()).await.unwrap();
        assert_eq!(text(&mut ws).await, n.to_string());
        peers.push(ws);
    }
    assert_eq!(server.handle.connections(), 20);
    assert!(format!("{:?}", server.handle).contains("20"));
    server.handle.shutdown();
    server.handle.clone().shutdown(); // once more changes nothing
    for mut peer in peers {
        let (code, reason) = ending(&mut peer).await;
        assert_eq!((code, reason.as_str()), GONE);
        assert_eq!(in_time(peer.recv()).await.unwrap(), None, "1001 is an end as it should be");
    }
    in_time(server.task).await.unwrap().unwrap();
    assert_eq!(server.handle.connections(), 0);
}

#[tokio::test]
async fn nobody_is_connected() {
    let server = start(Server::new().drain_timeout(Duration::from_secs(3600)), echo).await;
    server.stop().await;

    // It may be told before it runs.
    let listening = Server::new().bind("127.0.0.1:0").await.unwrap();
    listening.handle().shutdown();
    in_time(listening.serve(echo)).await.unwrap();
}

#[tokio::test]
async fn what_was_sent_before_is_delivered_before_the_close() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new(), move |ws| {
        let tell = tell.clone();
        async move {
            tell.send(ws.sender())?;
            drain(ws).await
        }
    })
    .await;
    let mut ws = server.connect().await;
    let sender = in_time(told.recv()).await.unwrap();
    for n in 0..5 {
        sender.send(vec![n; 100_000]).await.unwrap();
    }
    server.handle.shutdown();
    for n in 0..5 {
        assert_eq!(in_time(ws.recv()).await.unwrap(), Some(Message::from(vec![n; 100_000])));
    }
    assert_eq!(ending(&mut ws).await.0, 1001);
    assert!(sender.send("too late").await.is_err());
    in_time(server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn new_connections_are_refused_from_then_on() {
    let server = start(Server::new(), echo).await;
    let mut peer = server.connect().await;
    server.handle.shutdown();
    assert_eq!(ending(&mut peer).await.0, 1001);
    in_time(server.task).await.unwrap().unwrap();
    let error = TcpStream::connect(server.address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn new_connections_are_refused_while_handlers_finish() {
    let finish = Arc::new(Semaphore::new(0));
    let wait = Arc::clone(&finish);
    let server = start(Server::new(), move |mut ws| {
        let wait = Arc::clone(&wait);
        async move {
            while ws.recv().await?.is_some() {}
            let _ = wait.acquire().await?;
            Ok(())
        }
    })
    .await;
    let mut peer = server.connect().await;
    server.handle.shutdown();
    assert_eq!(ending(&mut peer).await.0, 1001);
    settle().await;
    assert!(!server.task.is_finished(), "its handler still runs");
    assert_eq!(server.handle.connections(), 1);
    let error = in_time(ws_tokio::connect(&server.url("/"))).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Io(io) if io.kind() == ErrorKind::ConnectionRefused), "{error:?}");
    finish.add_permits(1);
    in_time(server.task).await.unwrap().unwrap();
    assert_eq!(server.handle.connections(), 0);
}

#[tokio::test]
async fn a_handshake_under_way_gets_503() {
    let server = start(Server::new(), echo).await;
    let whole = request("/", &[]);
    let (begin, rest) = whole.split_at(40);
    let mut raw = server.raw().await;
    raw.write(begin).await;
    let mut silent = server.raw().await;
    settle().await;
    server.handle.shutdown();
    raw.write(rest).await;
    let reply = raw.reply().await;
    assert_eq!((reply.status, reply.header("connection")), (503, Some("close")));
    assert!(reply.text().contains("Try again later"), "{}", reply.text());
    drop(raw);
    // Who has asked for nothing, as a browser that connects ahead, does not hold the server up.
    let mut nothing = Vec::new();
    let _ = in_time(silent.stream.read_to_end(&mut nothing)).await;
    assert_eq!(nothing, b"");
    in_time(server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_close_that_is_not_answered_is_waited_for_until_the_drain_deadline() {
    let server = start(Server::new().drain_timeout(Duration::from_millis(50)), drain).await;
    let mut raw = server.raw_upgraded().await;
    server.handle.shutdown();
    assert_eq!(raw.close_frame().await, (GONE.0, GONE.1.to_owned()));
    in_time(server.task).await.unwrap().unwrap();
    // It is let go of; whether that looks like an end or like a reset is the system's affair.
    let _ = in_time(raw.stream.read_to_end(&mut Vec::new())).await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_holds_nothing_up() {
    let server = start(Server::new().drain_timeout(Duration::from_millis(50)), |ws| async move {
        loop {
            ws.send(vec![0; 64 * KIB]).await?;
        }
    })
    .await;
    let raw = server.raw_upgraded().await;
    settle().await;
    assert_eq!(server.handle.connections(), 1);
    server.stop().await;
    drop(raw);
}

/// Tells when it is dropped.
struct Tell(mpsc::UnboundedSender<&'static str>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[tokio::test]
async fn a_handler_that_is_stuck_is_dropped_at_the_drain_deadline() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new().drain_timeout(Duration::from_millis(50)), move |ws| {
        let tell = Tell(tell.clone());
        async move {
            let _ws = ws;
            tell.0.send("runs")?;
            let _tell = tell;
            std::future::pending().await
        }
    })
    .await;
    let mut stuck = server.connect().await;
    assert_eq!(in_time(told.recv()).await, Some("runs"));
    server.handle.shutdown();
    let (code, reason) = ending(&mut stuck).await;
    assert_eq!((code, reason.as_str()), GONE);
    in_time(server.task).await.unwrap().unwrap();
    assert_eq!(in_time(told.recv()).await, Some("dropped"));
    until(|| server.handle.connections() == 0).await;
}

#[tokio::test]
async fn a_connection_that_closes_by_itself_keeps_its_code() {
    let server = start(Server::new(), |ws| async move {
        let _ = ws.close(4000.into(), "mine").await;
        Ok(())
    })
    .await;
    let mut raw = server.raw_upgraded().await;
    assert_eq!(raw.close_frame().await, (4000, "mine".to_owned()));
    server.handle.shutdown();
    raw.write(masked(0x88, close_body(4000, ""))).await;
    raw.finish().await;
    assert_eq!(raw.rest().await, b"", "one Close, no second");
    in_time(server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_drops_serve_keeps_the_open_connections() {
    let server = start(Server::new(), echo).await;
    let mut ws = server.connect().await;
    server.task.abort();
    assert!(in_time(server.task).await.unwrap_err().is_cancelled());
    assert!(TcpStream::connect(server.address).await.is_err());
    ws.send("still here").await.unwrap();
    assert_eq!(text(&mut ws).await, "still here");
    assert_eq!(server.handle.connections(), 1);
    server.handle.shutdown();
    assert_eq!(ending(&mut ws).await.0, 1001);
    until(|| server.handle.connections() == 0).await;
}
