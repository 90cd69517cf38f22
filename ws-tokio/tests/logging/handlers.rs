//! Handlers that fail, that are dropped, and that never receive.

use std::time::Duration;

use crate::common::*;
use anyhow::Context as _;
use tokio::sync::mpsc;
use tracing::Level;
use ws_tokio::{Client, CloseCode, Message, Server, WebSocket, handler};

use super::*;

#[tokio::test]
async fn failures_of_handlers_are_errors_and_ends_of_connections_are_not() {
    capture();
    let server = start(Server::new(), |mut ws| async move {
        match ws.request().uri().path() {
            "/error" => Err("it failed on purpose".into()),
            "/panic" => panic!("it panics on purpose"),
            "/sends" => loop {
                ws.send("until this fails").await?;
                tokio::task::yield_now().await;
            },
            _ => loop {
                ws.recv().await?;
            },
        }
    })
    .await;
    for path in ["/error", "/panic"] {
        let mut ws = in_time(ws_tokio::connect(&server.url(path))).await.unwrap();
        assert_eq!(ending(&mut ws).await, (1011, "internal error".to_owned()));
    }
    wait_for(Level::ERROR, "connection handler failed: it failed on purpose id=").await;
    wait_for(Level::ERROR, "connection handler failed: the handler panicked: it panics on purpose id=").await;

    for path in ["/", "/sends"] {
        let raw = {
            let mut raw = server.raw().await;
            raw.upgrade(path).await;
            raw
        };
        raw.stream.set_zero_linger().unwrap();
        drop(raw);
    }
    until(|| server.handle.connections() == 0).await;
    server.stop().await;
    assert_eq!(traced(Level::ERROR).len(), 2, "{:#?}", traced(Level::ERROR));
}

#[tokio::test]
async fn a_handler_that_fails_because_of_another_connection_has_failed() {
    capture();
    // A gateway: the handler's own connection is fine, the one behind it is not.
    let backend = fake_server(|mut raw| async move {
        raw.accept(b"").await;
    })
    .await;
    let url = backend.url.clone();
    let server = start(Server::new(), move |_ws| {
        let url = url.clone();
        async move {
            let mut behind = ws_tokio::connect(&url).await?;
            behind.recv().await?;
            Ok(())
        }
    })
    .await;
    let mut ws = server.connect().await;
    assert_eq!(ending(&mut ws).await.0, 1011);
    server.stop().await;
    line(Level::ERROR, "connection handler failed");
}

#[tokio::test]
async fn an_end_that_a_handler_has_wrapped_is_no_failure() {
    capture();
    async fn wrapped(mut ws: WebSocket) -> anyhow::Result<()> {
        match ws.request().uri().path() {
            "/bare" => while ws.recv().await?.is_some() {},
            "/context" => while ws.recv().await.context("receiving").context("serving")?.is_some() {},
            "/io" => while ws.recv().await.map_err(std::io::Error::other)?.is_some() {},
            "/sends" => loop {
                ws.send("until this fails").await?;
                tokio::task::yield_now().await;
            },
            _ => anyhow::bail!("its own failure"),
        }
        Ok(())
    }
    async fn boxed(ws: WebSocket) -> Result<(), Box<dyn std::error::Error>> {
        Ok(wrapped(ws).await?)
    }
    for way in 0..3 {
        let server = start(Server::new(), move |ws| async move {
            match way {
                0 => Ok(wrapped(ws).await?),
                1 => handler(wrapped)(ws).await,
                _ => handler(boxed)(ws).await,
            }
        })
        .await;
        for path in ["/bare", "/context", "/io", "/sends"] {
            let raw = {
                let mut raw = server.raw().await;
                raw.upgrade(path).await;
                raw
            };
            raw.stream.set_zero_linger().unwrap();
            drop(raw);
        }
        until(|| server.handle.connections() == 0).await;
        server.stop().await;
    }
    assert_eq!(traced(Level::ERROR), [""; 0]);
}

#[tokio::test]
async fn handlers_that_are_dropped_are_named() {
    capture();
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new().drain_timeout(Duration::from_millis(20)), move |ws| {
        let tell = tell.clone();
        async move {
            tell.send(ws.id())?;
            ws.send(Message::from("busy")).await?;
            std::future::pending().await
        }
    })
    .await;
    let ws = server.connect().await;
    let id = in_time(told.recv()).await.unwrap();
    let closed = tokio::spawn(async move { ws.close(CloseCode::NORMAL, "").await });
    server.handle.shutdown();
    in_time(server.task).await.unwrap().unwrap();
    let _ = in_time(closed).await;
    wait_for(Level::WARN, "1 connections were still open when the drain deadline passed").await;
    let error = wait_for(Level::ERROR, "the handler was still running when the server stopped").await;
    assert!(error.contains(&format!("id={id}")), "{error}");
}

#[tokio::test]
async fn a_handler_that_has_never_received_is_named_once_when_reading_stops() {
    capture();
    let server = start(Server::new(), |mut ws| async move {
        ws.send(ws.id().to_string()).await?;
        if ws.request().uri() == "/receives" {
            ws.recv().await?;
        }
        loop {
            ws.send("tick").await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let mut sockets = Vec::new();
    for path in ["/receives", "/"] {
        let mut ws = Client::new(format!("ws://{}{path}", server.address)).connect().await.unwrap();
        let id = ws.recv().await.unwrap().unwrap();
        for _ in 0..100 {
            ws.send("heartbeat").await.unwrap();
        }
        ws.flush().await.unwrap();
        sockets.push((ws, id));
    }
    wait_for(Level::WARN, "It should keep calling recv; a handler that only sends can call WebSocket::send_only").await;
    let warned = line(Level::WARN, "16 messages wait, and the application has never received one");
    assert!(warned.ends_with(&format!("id={}", sockets[1].1)), "{warned}");
}
