//! sockudo-ws: `loop` is its README, with its own server's handshake; tuned, without its type erasure, without its
//! timers, and with a flush for each batch.

use std::io;

use host::{Form, Job, Task, streams};
use sockudo_ws::client::WebSocketClient;
use sockudo_ws::server::WebSocketServer;
use sockudo_ws::{Config, Http1, Message, Result};
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
        Task::Keepalive => job.unsupported(),
    })
}

async fn echo(stream: TcpStream, job: Job) -> Result<()> {
    match job.form {
        Form::Tuned => streams::echo(server(&job).accept_raw(stream).await?.0, job.form, is_data).await,
        _ => streams::echo(server(&job).accept(stream).await?.0, job.form, is_data).await,
    }
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
