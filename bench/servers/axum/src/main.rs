//! axum's own extractor (tokio-tungstenite): `loop` is the example of its documentation. Tuned, it has a read buffer that fits a
//! message, and flushes when the input is exhausted.

use std::io;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use axum::serve::ListenerExt as _;
use host::{Form, Job, Task, streams};
use tokio::net::TcpListener;

/// The longest header of a frame, RFC 6455 §5.2.
const MAX_HEADER: usize = 14;

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo => serve(job).await,
        _ => job.unsupported(),
    })
}

async fn serve(job: Job) -> io::Result<()> {
    let listener = TcpListener::bind(host::LOOPBACK).await?;
    host::announce(listener.local_addr()?)?;
    // Off by default in axum, and on in every program that is compared.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let handler = async move |ws: WebSocketUpgrade| set(ws, &job).on_upgrade(move |ws| echo(ws, job));
    axum::serve(listener, Router::new().route("/", any(handler))).await
}

fn set(ws: WebSocketUpgrade, job: &Job) -> WebSocketUpgrade {
    match job.form {
        Form::Tuned => ws.read_buffer_size((job.message_size + MAX_HEADER).clamp(4 * 1024, 256 * 1024)),
        _ => ws,
    }
}

async fn echo(ws: WebSocket, job: Job) {
    // The client has left.
    let _ = streams::echo(ws, job.form, is_data).await;
}

fn is_data(message: &Message) -> bool {
    matches!(message, Message::Text(_) | Message::Binary(_))
}
