//! tokio-tungstenite: `loop` is its examples/autobahn-server.rs, `forward` its examples/echo-server.rs.

use std::io;

use futures_util::{StreamExt, TryStreamExt, future};
use host::{Form, Job, Task, streams};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Result};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config, client_async_with_config};

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo => host::serve(move |stream| echo(stream, job)).await,
        Task::FanOut => {
            let topic = host::topic(&job).await?;
            host::serve(move |stream| {
                let topic = topic.subscribe();
                async move { streams::deliver(accept(stream, &job).await?, job.form, topic, Message::Binary).await }
            })
            .await
        }
        Task::Receive | Task::Send => client(job).await.map_err(io::Error::other),
        Task::Keepalive | Task::Deflate { .. } => job.unsupported(),
    })
}

async fn accept(stream: TcpStream, job: &Job) -> Result<WebSocketStream<TcpStream>> {
    accept_async_with_config(stream, Some(config(job))).await
}

async fn echo(stream: TcpStream, job: Job) -> Result<()> {
    let ws = accept(stream, &job).await?;
    if job.form == Form::Forward {
        let (write, read) = ws.split();
        return read.try_filter(|message| future::ready(is_data(message))).forward(write).await;
    }
    streams::echo(ws, job.form, is_data).await
}

async fn client(job: Job) -> Result<()> {
    let stream = host::connect(&job).await?;
    let (ws, _) = client_async_with_config("ws://localhost/", stream, Some(config(&job))).await?;
    match job.task {
        Task::Send => streams::send(ws, job.form, Message::Binary(job.message()), job.message_size).await,
        _ => streams::receive(ws).await,
    }
}

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}

/// Tuned, a read buffer that fits a message: all of it is zeroed before each read, and the default of 128 KiB costs
/// more than sixteen small messages do.
fn config(job: &Job) -> WebSocketConfig {
    /// The longest header of a frame, RFC 6455 §5.2.
    const MAX_HEADER: usize = 14;
    let config = WebSocketConfig::default();
    match job.form {
        Form::Tuned if job.task == Task::Echo => {
            config.read_buffer_size((job.message_size + MAX_HEADER).clamp(4 * 1024, 256 * 1024))
        }
        _ => config,
    }
}
