//! tokio-websockets: `loop` is its README; tuned, frames of any size, and a flush for each batch. Its SIMD is always on.

use std::io;

use host::{Form, Job, Task, streams};
use http::Uri;
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Config, Error, Message, ServerBuilder, WebSocketStream};

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo => host::serve(move |stream| echo(stream, job)).await,
        Task::FanOut => {
            let topic = host::topic(&job).await?;
            host::serve(move |stream| {
                let topic = topic.subscribe();
                async move { streams::deliver(accept(stream, &job).await?, job.form, topic, Message::binary).await }
            })
            .await
        }
        Task::Receive | Task::Send => client(job).await.map_err(io::Error::other),
        Task::Keepalive | Task::Deflate { .. } => job.unsupported(),
    })
}

async fn accept(stream: TcpStream, job: &Job) -> Result<WebSocketStream<TcpStream>, Error> {
    Ok(ServerBuilder::new().config(config(job)).accept(stream).await?.1)
}

async fn echo(stream: TcpStream, job: Job) -> Result<(), Error> {
    let ws = accept(stream, &job).await?;
    let is_data = |message: &Message| message.is_text() || message.is_binary();
    match job.form {
        Form::Tuned => streams::echo_collected(ws, is_data).await,
        _ => streams::echo(ws, job.form, is_data).await,
    }
}

async fn client(job: Job) -> Result<(), Error> {
    let stream = host::connect(&job).await?;
    let builder = ClientBuilder::from_uri(Uri::from_static("ws://localhost/")).config(config(&job));
    let (ws, _) = builder.connect_on(stream).await?;
    match job.task {
        Task::Send => streams::send(ws, job.form, Message::binary(job.message()), job.message_size).await,
        _ => streams::receive(ws).await,
    }
}

/// By default messages leave in frames of 4 MiB, and are gathered up to 8 KiB.
fn config(job: &Job) -> Config {
    match job.form {
        Form::Tuned => Config::default().frame_size(usize::MAX).flush_threshold(64 * 1024),
        _ => Config::default(),
    }
}
