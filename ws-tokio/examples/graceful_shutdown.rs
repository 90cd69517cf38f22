//! Graceful shutdown at Ctrl-C: the server accepts no more connections, closes the open ones with 1001, and waits for their
//! handlers.
//!
//! Run: `cargo run -p ws-tokio --example graceful_shutdown [ADDRESS]`, by default at `127.0.0.1:8765`.

use std::error::Error;
use std::time::Duration;

use ws_tokio::{HandlerResult, Server, WebSocket};

async fn count(mut ws: WebSocket) -> HandlerResult {
    let mut bytes = 0;
    // A shutdown ends this loop as any normal close does, with `None`.
    while let Some(message) = ws.recv().await? {
        bytes += message.len();
    }
    // The connection is closed. The server waits for the handler, up to its drain timeout.
    println!("{bytes} bytes from {:?}", ws.peer_addr());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let listening = Server::new().drain_timeout(Duration::from_secs(5)).bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);

    let handle = listening.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            println!("Stopping; {} connections are open.", handle.connections());
            handle.shutdown();
        }
    });

    listening.serve(count).await?;
    println!("Stopped.");
    Ok(())
}
