//! The log of an echo server, at a level of your choice. The message `fail` lets the handler fail.
//!
//! | level | what is logged |
//! | --- | --- |
//! | `error` | handlers that fail or panic |
//! | `info` | also connections that open, end, or are refused |
//! | `debug` | also the heads of requests and responses, frames and messages |
//!
//! Run: `cargo run -p ws-tokio --example logging [ADDRESS] [LEVEL]`, by default at `127.0.0.1:8765` with `info`. Then run
//! `cargo run -p ws-tokio --example chat_client`.

use std::error::Error;

use tokio::signal::ctrl_c;
use tracing::{Level, info};
use ws_tokio::{HandlerResult, Server, WebSocket};

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        if message == "fail" {
            return Err("the client asked for a failure".into());
        }
        ws.send(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let level = arguments.next().unwrap_or_else(|| "info".to_owned());
    let level: Level =
        level.parse().map_err(|_| format!("{level} is not a level: error, warn, info, debug or trace"))?;

    // All events of the library have the target `ws_tokio`. Without a subscriber, failures of handlers are printed to
    // standard error.
    tracing_subscriber::fmt().with_max_level(level).init();

    let listening = Server::new().bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    info!("an event of the program");
    listening.serve_until(echo, ctrl_c()).await?;
    Ok(())
}
