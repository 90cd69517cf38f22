//! A handler with more arguments than the connection: the closure that calls it captures them.
//!
//! Run: `cargo run -p ws-tokio --example handler_arguments [ADDRESS] [GREETING]`, by default at `127.0.0.1:8765`. Then run
//! `cargo run -p ws-tokio --example chat_client`.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::signal::ctrl_c;
use ws_tokio::{HandlerResult, Server, WebSocket};

/// The arguments that all connections share.
struct Shared {
    greeting: String,
    visits: AtomicU64,
}

async fn greet(ws: WebSocket, shared: Arc<Shared>, version: u32) -> HandlerResult {
    let visit = shared.visits.fetch_add(1, Ordering::Relaxed) + 1;
    ws.send(format!("{}, visitor {visit} of version {version}", shared.greeting)).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let greeting = arguments.next().unwrap_or_else(|| "Welcome".to_owned());

    let listening = Server::new().bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    let shared = Arc::new(Shared { greeting, visits: AtomicU64::new(0) });
    // Called for each connection. An `Arc` is cloned for each, and a `Copy` type is copied.
    let handler = move |ws| greet(ws, Arc::clone(&shared), 2);
    listening.serve_until(handler, ctrl_c()).await?;
    Ok(())
}
