//! yawc: `loop` is what its documentation shows, behind hyper; tuned, on the socket itself, with its own benchmarks'
//! settings. UTF-8 is checked, which by default it is not.

use std::io;
use std::sync::LazyLock;

use futures_util::StreamExt;
use host::{Form, Job, Publisher, Task, Topic, streams};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use yawc::{DeflatePool, Frame, HttpResponse, OpCode, Options, Result, Role, WebSocket};

/// What a tuned server lends its connections where nothing carries over from one message to the next.
static POOL: LazyLock<DeflatePool> = LazyLock::new(|| DeflatePool::new(16));

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo | Task::Deflate { .. } => host::serve(move |stream| connection(stream, job, None)).await,
        Task::FanOut => {
            let topic = host::topic(&job).await?;
            host::serve(move |stream| connection(stream, job, Some(topic.clone()))).await
        }
        Task::Receive | Task::Send => client(job).await.map_err(io::Error::other),
        Task::Keepalive => job.unsupported(),
    })
}

async fn connection(mut stream: TcpStream, job: Job, topic: Option<Publisher>) -> io::Result<()> {
    // What is agreed to with compression, its own handshake has to find out.
    if job.form == Form::Tuned && !is_deflate(&job) {
        host::upgrade(&mut stream).await?;
        let ws = WebSocket::from_stream(stream, Role::Server, options(&job)).map_err(io::Error::other)?;
        return serve(ws, job, topic.map(|topic| topic.subscribe())).await.map_err(io::Error::other);
    }
    let service = service_fn(|request| {
        let topic = topic.as_ref().map(Publisher::subscribe);
        async move { accept(request, job, topic) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    connection.await.map_err(io::Error::other)
}

fn accept(mut request: Request<Incoming>, job: Job, topic: Option<Topic>) -> Result<HttpResponse> {
    let (response, upgrade): (Response<_>, _) = WebSocket::upgrade_with_options(&mut request, options(&job))?;
    tokio::spawn(async move {
        // A connection's end is not of interest.
        if let Ok(ws) = upgrade.await {
            let _ = serve(ws, job, topic).await;
        }
    });
    Ok(response)
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(ws: WebSocket<S>, job: Job, topic: Option<Topic>) -> Result<()> {
    match topic {
        None => {
            let is_data = |frame: &Frame| matches!(frame.opcode(), OpCode::Text | OpCode::Binary);
            streams::echo(ws.map(Ok), job.form, is_data).await
        }
        Some(topic) => streams::deliver(ws, job.form, topic, Frame::binary).await,
    }
}

async fn client(job: Job) -> Result<()> {
    let stream = host::connect(&job).await?;
    let ws = WebSocket::handshake("ws://localhost/".parse()?, stream, options(&job)).await?;
    match job.task {
        Task::Send => streams::send(ws, job.form, Frame::binary(job.message()), job.message_size).await,
        _ => streams::receive(ws.map(Result::Ok)).await,
    }
}

fn is_deflate(job: &Job) -> bool {
    matches!(job.task, Task::Deflate { .. })
}

/// Its limit is exclusive, and 1 MiB by default.
fn options(job: &Job) -> Options {
    let options =
        Options::default().with_max_payload_read(job.message_size.max(1 << 20) + 1).with_no_delay().with_utf8();
    let options = if is_deflate(job) { options.with_balanced_compression() } else { options };
    match job.form {
        Form::Tuned if is_deflate(job) => options.with_deflate_pool(POOL.clone()),
        Form::Tuned => options
            .with_read_buffer_capacity(128 * 1024)
            .with_write_buffer_capacity(64 * 1024)
            .with_backpressure_boundary(64 * 1024),
        _ => options,
    }
}
