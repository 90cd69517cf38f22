//! A client that sends a message to an echo server, measures the round-trip time, and closes.
//!
//! Run: `cargo run -p ws-tokio --example echo_client [URL]`. The default URL is `ws://127.0.0.1:8765`.

use std::error::Error;
use std::time::Duration;

use ws_tokio::{Client, ConnectError, Message};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:8765".to_owned());

    // `ws_tokio::connect(&url)` connects with the default settings.
    let client = Client::new(url)
        .header("X-Example", "echo")
        .max_message(64 << 10)
        .ping_interval(Duration::from_secs(5))
        .connect_timeout(Duration::from_secs(3));
    let mut ws = match client.connect().await {
        Ok(ws) => ws,
        // The server refused the handshake. Its response has a status, headers and the beginning of the body.
        Err(ConnectError::Rejected(response)) => {
            let page = String::from_utf8_lossy(response.body());
            return Err(format!("HTTP {}: {page}", response.status()).into());
        }
        Err(error) => return Err(error.into()),
    };

    ws.send("Hello").await?;
    ws.send(vec![0xCA, 0xFE]).await?;
    for _ in 0..2 {
        match ws.recv().await? {
            Some(Message::Text(text)) => println!("text: {text}"),
            Some(Message::Binary(bytes)) => println!("{} bytes: {bytes:?}", bytes.len()),
            None => break,
        }
    }
    println!("there and back in {:?}", ws.ping().await?.time);

    // Waits for the server's Close. Dropping the handle also closes, with 1001 and without waiting.
    let outcome = ws.close(1000, "that was all").await?;
    println!("{outcome}");
    Ok(())
}
