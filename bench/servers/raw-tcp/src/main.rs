//! The base line: what tokio charges for moving the same bytes, whatever they mean.

use std::io;

use host::Task;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Larger than what arrives at once: tokio then knows from a short read that the socket is empty.
const BUFFER: usize = 64 * 1024;

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo | Task::Deflate { .. } => host::serve(echo).await,
        Task::Receive => receive(host::connect(&job).await?).await,
        Task::Send => send(host::connect(&job).await?, job.message_size).await,
        _ => job.unsupported(),
    })
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

async fn receive(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// What a client's frames would be, in writes of whole messages.
async fn send(mut stream: TcpStream, message_size: usize) -> io::Result<()> {
    let frame = message_size
        + 6
        + if message_size < 126 {
            0
        } else if message_size < 1 << 16 {
            2
        } else {
            8
        };
    let batch = vec![0; frame * (BUFFER / frame).max(1)];
    loop {
        stream.write_all(&batch).await?;
    }
}
