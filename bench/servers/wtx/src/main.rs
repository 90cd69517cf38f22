//! wtx: `loop` is the server of its own benchmarks; tuned, with buffers that fit the messages beforehand. It cannot
//! hold frames back: each is written at once.

use std::io;

use host::{Form, Job, Task, Topic};
use tokio::net::TcpStream;
use wtx::collection::Vector;
use wtx::misc::UriRef;
use wtx::rng::Xorshift64;
use wtx::web_socket::compression::{Flate2, NegotiatedCompression};
use wtx::web_socket::{
    Frame, OpCode, WebSocketAcceptor, WebSocketBuffer, WebSocketConnector, WebSocketOwned, WebSocketPayloadOrigin,
};

type Server = WebSocketOwned<(), Xorshift64, TcpStream, false>;

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo => host::serve(move |stream| async move { echo(accept(stream, &job).await?).await }).await,
        Task::Deflate { .. } => {
            host::serve(move |stream| async move {
                let acceptor = WebSocketAcceptor::default().no_masking(false).compression(Flate2::default());
                echo(acceptor.wsb(buffer(&job)?).accept(stream).await?).await
            })
            .await
        }
        Task::FanOut => {
            let topic = host::topic(&job).await?;
            host::serve(move |stream| deliver(stream, job, topic.subscribe())).await
        }
        Task::Receive | Task::Send => client(job).await.map_err(|error| io::Error::other(format!("{error:?}"))),
        Task::Keepalive => job.unsupported(),
    })
}

async fn accept(stream: TcpStream, job: &Job) -> wtx::Result<Server> {
    WebSocketAcceptor::default().no_masking(false).wsb(buffer(job)?).accept(stream).await
}

/// Tuned, room for a batch of messages or for a whole one.
fn buffer(job: &Job) -> wtx::Result<WebSocketBuffer> {
    match job.form {
        Form::Tuned => {
            let size = (job.message_size + 14).max(64 * 1024);
            WebSocketBuffer::with_capacity(size, size, size)
        }
        _ => Ok(WebSocketBuffer::new()),
    }
}

async fn echo<NC: NegotiatedCompression>(mut ws: WebSocketOwned<NC, Xorshift64, TcpStream, false>) -> wtx::Result<()> {
    let (mut common, mut reader, mut writer) = ws.split_mut();
    let mut buffer = Vector::new();
    loop {
        let mut frame = reader.read_frame(&mut buffer, &mut common, WebSocketPayloadOrigin::Adaptive).await?;
        match frame.op_code() {
            OpCode::Binary | OpCode::Text => writer.write_frame(&mut common, &mut frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}

async fn deliver(stream: TcpStream, job: Job, mut topic: Topic) -> wtx::Result<()> {
    let mut ws = accept(stream, &job).await?;
    while let Ok(publication) = topic.recv().await {
        ws.write_frame(&mut Frame::new_fin(OpCode::Binary, publication.to_vec())).await?;
    }
    Ok(())
}

async fn client(job: Job) -> wtx::Result<()> {
    let stream = host::connect(&job).await?;
    let connector = WebSocketConnector::default().no_masking(false).wsb(buffer(&job)?);
    let mut ws = connector.connect(stream, &UriRef::new("ws://localhost/")).await?;
    let (message, mut buffer) = (job.message(), Vector::new());
    loop {
        if job.task == Task::Send {
            // Masked in place: the message has to be copied first.
            ws.write_frame(&mut Frame::new_fin(OpCode::Binary, message.to_vec())).await?;
        } else {
            ws.read_frame(&mut buffer, WebSocketPayloadOrigin::Adaptive).await?;
        }
    }
}
