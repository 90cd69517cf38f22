//! fastwebsockets: `loop` is its examples/echo_server.rs, behind hyper; tuned, on the socket itself, in halves, the
//! writing one buffered and flushed when the input is exhausted.

use std::io;
use std::pin::pin;

use bytes::Bytes;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, Role, WebSocket, WebSocketError,
    after_handshake_split, handshake,
};
use futures_util::poll;
use host::{Form, Job, Publisher, Task, Topic};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::net::TcpStream;

/// How much a tuned sender gathers.
const BATCH: usize = 64 * 1024;

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo => host::serve(move |stream| connection(stream, job, None)).await,
        Task::FanOut => {
            let topic = host::topic(&job).await?;
            host::serve(move |stream| connection(stream, job, Some(topic.clone()))).await
        }
        Task::Receive | Task::Send => client(job).await.map_err(io::Error::other),
        Task::Keepalive | Task::Deflate { .. } => job.unsupported(),
    })
}

async fn connection(mut stream: TcpStream, job: Job, topic: Option<Publisher>) -> Result<(), WebSocketError> {
    if job.form == Form::Tuned {
        host::upgrade(&mut stream).await?;
        return match topic {
            None => echo_batched(stream).await,
            Some(topic) => {
                let stream = BufWriter::with_capacity(BATCH, stream);
                deliver(WebSocket::after_handshake(stream, Role::Server), topic.subscribe()).await
            }
        };
    }
    let service = service_fn(|mut request: Request<Incoming>| {
        let topic = topic.as_ref().map(Publisher::subscribe);
        async move {
            let (response, upgraded) = upgrade(&mut request)?;
            tokio::spawn(async move {
                match topic {
                    None => echo(upgraded).await,
                    Some(topic) => deliver(upgraded.await?, topic).await,
                }
            });
            Ok::<Response<Empty<Bytes>>, WebSocketError>(response)
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    Ok(connection.await?)
}

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut ws = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = ws.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => ws.write_frame(frame).await?,
            _ => {}
        }
    }
}

async fn echo_batched(stream: TcpStream) -> Result<(), WebSocketError> {
    let (read, write) = stream.into_split();
    let write = BufWriter::with_capacity(BATCH, write);
    let (read, mut write) = after_handshake_split(read, write, Role::Server);
    let mut read = FragmentCollectorRead::new(read);
    loop {
        // Nothing but echoes is sent: the generator neither pings nor closes.
        let mut reply = async |_: Frame<'_>| Ok::<(), WebSocketError>(());
        let frame = {
            let mut next = pin!(read.read_frame(&mut reply));
            match poll!(next.as_mut()) {
                std::task::Poll::Ready(frame) => frame?,
                std::task::Poll::Pending => {
                    write.flush().await?;
                    next.await?
                }
            }
        };
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => write.write_frame(frame).await?,
            _ => {}
        }
    }
}

/// Flushes, which only tuned means anything, when no publication is left.
async fn deliver<S>(mut ws: WebSocket<S>, mut topic: Topic) -> Result<(), WebSocketError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Ok(first) = topic.recv().await {
        let mut next = Some(first);
        while let Some(publication) = next {
            ws.write_frame(Frame::binary(Payload::Borrowed(&publication))).await?;
            next = topic.try_recv().ok();
        }
        ws.flush().await?;
    }
    Ok(())
}

async fn client(job: Job) -> Result<(), WebSocketError> {
    let stream = host::connect(&job).await?;
    let request = Request::get("http://localhost/")
        .header(HOST, "localhost")
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let (mut ws, _) = handshake::client(&TokioExecutor::new(), request, stream).await?;
    let message = job.message();
    match (job.task, job.form) {
        (Task::Receive, _) => {
            let mut ws = FragmentCollector::new(ws);
            while ws.read_frame().await?.opcode != OpCode::Close {}
            Ok(())
        }
        (_, Form::Tuned) => {
            let stream = BufWriter::with_capacity(BATCH, ws.into_inner());
            send(WebSocket::after_handshake(stream, Role::Client), &message).await
        }
        _ => {
            ws.set_writev(true);
            send(ws, &message).await
        }
    }
}

async fn send<S>(mut ws: WebSocket<S>, message: &[u8]) -> Result<(), WebSocketError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        // Masked in place: the message has to be copied first.
        ws.write_frame(Frame::binary(Payload::Owned(message.to_vec()))).await?;
    }
}
