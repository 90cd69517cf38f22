//! ws-tungstenite, in the place of tokio-tungstenite: the programs of `servers/tungstenite`, with compression besides. Tuned, only
//! the loop differs.

use std::io;

use futures_util::{StreamExt, TryStreamExt, future};
use host::{Form, Job, Task, streams};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::{Compression, Deflate, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Result};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config, client_async_with_config};

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo | Task::Deflate { .. } => host::serve(move |stream| echo(stream, job)).await,
        Task::FanOut => {
            let topic = host::topic(&job).await?;
            host::serve(move |stream| {
                let topic = topic.subscribe();
                async move { streams::deliver(accept(stream, &job).await?, job.form, topic, Message::Binary).await }
            })
            .await
        }
        Task::Receive | Task::Send => client(job).await.map_err(io::Error::other),
        Task::Keepalive => job.unsupported(),
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

/// The default. Compression is off unless it is asked for.
fn config(job: &Job) -> WebSocketConfig {
    let config = WebSocketConfig::default();
    let Task::Deflate { takeover } = job.task else { return config };
    let mut deflate = Deflate::server();
    (deflate.send_context_takeover, deflate.receive_context_takeover) = (takeover, takeover);
    config.compression(Some(Compression::Negotiate(deflate)))
}
