//! Sends a file as one message, and receives it piece by piece. Neither end holds more than a few hundred KiB of it.
//!
//! Run: `cargo run --release -p ws-tokio --example stream_file -- FILE`, or without FILE for 64 MiB that are made on the spot. A
//! number in place of FILE is a size in MiB: 10240 for 10 GiB.
//!
//! The ends can be two programs: `stream_file receive 127.0.0.1:8765` is a server, which answers each message with its length,
//! until Ctrl-C; `stream_file FILE ws://127.0.0.1:8765` sends to it, or to another server that answers.

use std::error::Error;
use std::time::Instant;

use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, repeat};
use ws_tokio::{Client, MessageKind, Server, WebSocket};

/// Receives messages of any length, and answers each with its number of bytes.
async fn count(mut ws: WebSocket) -> ws_tokio::HandlerResult {
    let sender = ws.sender();
    while let Some(mut message) = ws.recv_streaming().await? {
        let mut bytes = 0;
        while let Some(chunk) = message.chunk().await? {
            bytes += chunk.len() as u64; // or `tokio::io::copy(&mut message, &mut file)`
        }
        sender.send(bytes.to_string()).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let receiver = Server::new().max_streamed(None);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receive", address] => {
            let server = receiver.bind(address).await?;
            println!("Listening at ws://{}; Ctrl-C stops it.", server.local_addr()?);
            server.serve_until(count, tokio::signal::ctrl_c()).await?;
        }
        [source, url] => send(source, url).await?,
        _ => {
            let server = receiver.bind("127.0.0.1:0").await?;
            let (url, handle) = (format!("ws://{}", server.local_addr()?), server.handle());
            let serving = tokio::spawn(server.serve(count));
            send(arguments.first().map_or("64", String::as_str), &url).await?;
            handle.shutdown();
            serving.await??;
        }
    }
    Ok(())
}

/// Sends a file, or so many MiB.
async fn send(source: &str, url: &str) -> Result<(), Box<dyn Error>> {
    let mut ws = Client::new(url).connect().await?;
    let source: Box<dyn AsyncRead + Send + Unpin> = match source.parse::<u64>() {
        Ok(size) => Box::new(repeat(7).take(size << 20)),
        Err(_) => Box::new(File::open(source).await?),
    };
    let (before, started) = (peak_memory(), Instant::now());
    ws.send_reader(MessageKind::Binary, source).await?;
    let bytes = ws.recv().await?.ok_or("the server has closed the connection")?;
    println!("{bytes} bytes in {:.1?}", started.elapsed());
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        println!("peak memory: {} KiB more than before", after - before);
        assert!(after - before < 4 << 10, "the message was held");
    }
    ws.close(1000, "").await?;
    Ok(())
}

/// The peak of this process's memory in KiB, on Linux.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}
