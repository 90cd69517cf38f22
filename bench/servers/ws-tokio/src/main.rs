//! ws-tokio with its default settings, as its README shows it. Only limits that a row exceeds are raised.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use host::{Job, Task};
use ws_tokio::{Bytes, Client, Config, Deflate, HandlerResult, Message, Prepared, Sender, Server, WebSocket};

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo | Task::Keepalive => serve(&job, echo).await,
        Task::FanOut => {
            let subscribers = Subscribers::default();
            let publisher = subscribers.clone();
            host::publications(&job, move |message| publisher.publish(message)).await?;
            serve(&job, move |ws| subscriber(ws, subscribers.clone())).await
        }
        Task::Deflate { .. } => serve(&job, echo).await,
        Task::Receive => receive(connect(&job).await?).await,
        Task::Send => send(connect(&job).await?, job.message().into()).await,
    })
}

async fn serve<F>(job: &Job, handler: impl Fn(WebSocket) -> F + Send + Sync + 'static) -> io::Result<()>
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let listening = Server::new().config(config(job)).compression(compression(job)).bind(host::LOOPBACK).await?;
    host::announce(listening.local_addr()?)?;
    listening.serve(handler).await
}

async fn connect(job: &Job) -> io::Result<WebSocket> {
    let server = job.server.ok_or_else(|| io::Error::other("where to?"))?;
    Client::new(format!("ws://{server}/")).config(config(job)).connect().await.map_err(io::Error::other)
}

/// The default, unless the messages are larger than it allows or the timers are what is measured.
fn config(job: &Job) -> Config {
    let mut config = Config::default();
    let limits = &mut config.limits;
    limits.message = limits.message.map(|limit| limit.max(job.message_size));
    limits.frame = limits.frame.map(|limit| limit.max(job.message_size));
    if job.task == Task::Keepalive {
        config.deadlines.ping_interval = Some(Duration::from_secs(1));
    }
    config
}

/// The default, which takes what came before into account; or not.
fn compression(job: &Job) -> Option<Deflate> {
    let mut deflate = Deflate::server();
    if job.task == (Task::Deflate { takeover: false }) {
        deflate.send_context_takeover = false;
        deflate.receive_context_takeover = false;
    }
    Some(deflate)
}

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

async fn receive(mut ws: WebSocket) -> io::Result<()> {
    while ws.recv().await.map_err(io::Error::other)?.is_some() {}
    Ok(())
}

async fn send(ws: WebSocket, message: Message) -> io::Result<()> {
    loop {
        ws.send(message.clone()).await.map_err(io::Error::other)?;
    }
}

/// Who gets the publications.
#[derive(Clone, Default)]
struct Subscribers(Arc<Mutex<Vec<Sender>>>);

impl Subscribers {
    /// Encoded once, queued for each.
    fn publish(&self, payload: Bytes) {
        let message = Prepared::new(payload);
        let mut senders = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        senders.retain(|sender| sender.try_send_prepared(&message).is_ok());
    }
}

async fn subscriber(mut ws: WebSocket, subscribers: Subscribers) -> HandlerResult {
    subscribers.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(ws.sender());
    while ws.recv().await?.is_some() {}
    Ok(())
}
