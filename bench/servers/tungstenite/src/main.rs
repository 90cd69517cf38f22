//! tokio-tungstenite, in the form named by the first argument; the second is the size of the messages to come.

use std::io;

use futures_util::{FutureExt, SinkExt, StreamExt, TryStreamExt, future};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Result;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{accept_async, accept_async_with_config};

/// The longest header of a frame, RFC 6455 §5.2.
const MAX_HEADER: usize = 14;

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let form = args.next();
    let message_size = args.next().and_then(|size| size.parse::<usize>().ok()).unwrap_or(0);
    host::run(async {
        match form.as_deref() {
            Some("loop") => host::serve(plain_loop).await,
            Some("forward") => host::serve(forward).await,
            Some("tuned") => {
                let read_buffer = (message_size + MAX_HEADER).clamp(4 * 1024, 256 * 1024);
                host::serve(move |stream| tuned(stream, read_buffer)).await
            }
            _ => Err(io::Error::other("usage: echo-tungstenite loop|forward|tuned [MESSAGE_SIZE]")),
        }
    })
}

/// Its examples/autobahn-server.rs, and what most programs write.
async fn plain_loop(stream: TcpStream) -> Result<()> {
    let mut ws = accept_async(stream).await?;
    while let Some(message) = ws.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            ws.send(message).await?;
        }
    }
    Ok(())
}

/// Its examples/echo-server.rs.
async fn forward(stream: TcpStream) -> Result<()> {
    let (write, read) = accept_async(stream).await?.split();
    read.try_filter(|message| future::ready(message.is_text() || message.is_binary())).forward(write).await
}

/// One flush when the input that has arrived is exhausted, no lock between the halves, and a read buffer that
/// fits a message: all of it is zeroed before each read, and the default of 128 KiB costs more than sixteen
/// small messages do.
async fn tuned(stream: TcpStream, read_buffer: usize) -> Result<()> {
    let config = WebSocketConfig::default().read_buffer_size(read_buffer);
    let mut ws = accept_async_with_config(stream, Some(config)).await?;
    while let Some(first) = ws.next().await {
        let mut next = Some(first);
        while let Some(message) = next {
            let message = message?;
            if message.is_text() || message.is_binary() {
                ws.feed(message).await?;
            }
            next = ws.next().now_or_never().flatten();
        }
        ws.flush().await?;
    }
    Ok(())
}
