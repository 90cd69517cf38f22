//! A client that sends a message to an echo server, measures the round-trip time, and closes.
//!
//! Run: `cargo run -p ws-async-std --example async_std_echo_client [URL]`. The default URL is `ws://127.0.0.1:8765`.

use std::error::Error;
use std::time::Duration;

use ws_async_std::{Client, ConnectError};

async fn greet(url: &str) -> Result<(), Box<dyn Error>> {
    // `ws_async_std::connect(url)` connects with the default settings.
    let client = Client::new(url).ping_interval(Duration::from_secs(5)).connect_timeout(Duration::from_secs(3));
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
    if let Some(message) = ws.recv().await? {
        println!("{message}");
    }
    println!("there and back in {:?}", ws.ping().await?.time);

    // Waits for the server's Close. Dropping the handle also closes, with 1001 and without waiting.
    println!("{}", ws.close(1000, "that was all").await?);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:8765".to_owned());
    async_std::task::block_on(greet(&url))
}
