//! A server that reads a name and answers with a greeting: one message each way.
//!
//! Run: `cargo run -p ws-tokio --example hello_server [ADDRESS]`, by default at `127.0.0.1:8765`. Then run the client:
//! `cargo run -p ws-tokio --example hello_client`.

use std::error::Error;

use tokio::signal::ctrl_c;
use ws_tokio::{HandlerResult, Server, WebSocket};

async fn hello(mut ws: WebSocket) -> HandlerResult {
    if let Some(name) = ws.recv().await? {
        println!("< {name}");
        let greeting = format!("Hello {name}!");
        println!("> {greeting}");
        ws.send(greeting).await?;
    }
    Ok(()) // The connection is closed with 1000.
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let listening = Server::new().bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(hello, ctrl_c()).await?;
    Ok(())
}
