//! sockudo-ws: `loop` is its README, with its own server's handshake; tuned, without its type erasure, without its
//! timers, and with a flush for each batch.

use std::io;

use host::{Form, Job, Task, streams};
use sockudo_ws::client::WebSocketClient;
use sockudo_ws::deflate::negotiate_server_deflate;
use sockudo_ws::server::WebSocketServer;
use sockudo_ws::{CompressedWebSocketStream, Compression, Config, Error, Http1, Message, Result};
use tokio::net::TcpStream;

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo => host::serve(move |stream| echo(stream, job)).await,
        Task::FanOut => {
            let topic = host::topic(&job).await?;
            host::serve(move |stream| {
                let topic = topic.subscribe();
                async move {
                    let (ws, _) = server(&job).accept_raw(stream).await?;
                    streams::deliver(ws, job.form, topic, Message::Binary).await
                }
            })
            .await
        }
        Task::Receive | Task::Send => client(job).await.map_err(io::Error::other),
        Task::Deflate { takeover } => host::serve(move |stream| deflate(stream, job, takeover)).await,
        Task::Keepalive => job.unsupported(),
    })
}

async fn echo(stream: TcpStream, job: Job) -> Result<()> {
    match job.form {
        Form::Tuned => streams::echo(server(&job).accept_raw(stream).await?.0, job.form, is_data).await,
        _ => streams::echo(server(&job).accept(stream).await?.0, job.form, is_data).await,
    }
}

/// Only its axum integration negotiates; this does what that does, with its two settings for each.
async fn deflate(mut stream: TcpStream, job: Job, takeover: bool) -> Result<()> {
    let compression = if takeover { Compression::Dedicated } else { Compression::Shared };
    let config = Config { compression, ..config(&job) };
    let policy = compression.to_deflate_config().ok_or(Error::HandshakeFailed("no compression"))?;
    let mut agreed = None;
    let negotiate = |offer: &str| {
        let negotiated = negotiate_server_deflate(offer, &policy)?;
        let answer = negotiated.to_response_header();
        agreed = Some(negotiated.config);
        Some(answer)
    };
    host::upgrade_with(&mut stream, negotiate).await?;
    let agreed = agreed.ok_or(Error::HandshakeFailed("no agreement"))?;
    streams::echo(CompressedWebSocketStream::server(stream, config, agreed), job.form, is_data).await
}

async fn client(job: Job) -> Result<()> {
    let stream = host::connect(&job).await?;
    let client = WebSocketClient::<Http1>::new(config(&job));
    let (ws, _) = client.connect(stream, "localhost", "/", None).await?;
    match job.task {
        Task::Send => streams::send(ws, job.form, Message::Binary(job.message()), job.message_size).await,
        _ => streams::receive(ws).await,
    }
}

fn server(job: &Job) -> WebSocketServer<Http1> {
    WebSocketServer::new(config(job))
}

fn config(job: &Job) -> Config {
    match job.form {
        Form::Tuned => Config::builder().idle_timeout(0).auto_ping(false).write_buffer_size(64 * 1024).build(),
        _ => Config::default(),
    }
}

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}
