//! The base line: what tokio charges for moving the same bytes, whatever they mean.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn main() -> io::Result<()> {
    host::run(host::serve(echo))
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    // Larger than what arrives at once: tokio then knows from a short read that the socket is empty.
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}
