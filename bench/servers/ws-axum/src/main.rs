//! axum with ws-tokio's extractor, as its documentation shows it. Only limits that a row exceeds are raised.

use std::io;

use axum::Router;
use axum::routing::any;
use host::{Job, Task};
use tokio::net::TcpListener;
use ws_tokio::axum::WebSocketUpgrade;
use ws_tokio::{Deflate, WebSocket};

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo | Task::Deflate { .. } => serve(job).await,
        Task::FanOut | Task::Keepalive | Task::Receive | Task::Send => job.unsupported(),
    })
}

async fn serve(job: Job) -> io::Result<()> {
    let listener = TcpListener::bind(host::LOOPBACK).await?;
    host::announce(listener.local_addr()?)?;
    let handler = async move |ws: WebSocketUpgrade| set(ws, &job).on_upgrade(echo);
    axum::serve(listener, Router::new().route("/", any(handler))).await
}

/// The defaults, unless the messages are larger than they allow.
fn set(ws: WebSocketUpgrade, job: &Job) -> WebSocketUpgrade {
    let ws = ws.configure(|config| {
        let limits = &mut config.limits;
        limits.message = limits.message.map(|limit| limit.max(job.message_size));
        limits.frame = limits.frame.map(|limit| limit.max(job.message_size));
    });
    if job.task != (Task::Deflate { takeover: false }) {
        return ws;
    }
    let mut deflate = Deflate::server();
    deflate.send_context_takeover = false;
    deflate.receive_context_takeover = false;
    ws.compression(deflate)
}

async fn echo(mut ws: WebSocket) {
    while let Ok(Some(message)) = ws.recv().await {
        if ws.send(message).await.is_err() {
            break;
        }
    }
}
