//! A folder of pages, scripts and images on the port of the WebSockets, which are at `/echo`.
//!
//! Run: `cargo run -p ws-tokio --features files --example static_folder [ADDRESS] [FOLDER]`, by default at `127.0.0.1:8765` with
//! the current folder. Everybody who can connect can read it.

use std::error::Error;

use tokio::signal::ctrl_c;
use ws_tokio::{Files, HandlerResult, Server, WebSocket};

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let folder = arguments.next().unwrap_or_else(|| ".".to_owned());
    let listening = Server::new().on_request_async(Files::new("/", folder).hook()).bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(echo, ctrl_c()).await?;
    Ok(())
}
