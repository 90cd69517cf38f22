//! A server that reads a name and answers with a greeting: one message each way.
//!
//! Run: `cargo run -p ws-async-std --example async_std_hello_server [ADDRESS]`, by default at `127.0.0.1:8765`. Then run the
//! client: `cargo run -p ws-async-std --example async_std_hello_client`.

use std::error::Error;

use async_signal::{Signal, Signals};
use async_std::prelude::*;
use async_std::task;
use ws_async_std::{HandlerResult, Server, WebSocket};

async fn hello(mut ws: WebSocket) -> HandlerResult {
    if let Some(name) = ws.recv().await? {
        println!("< {name}");
        let greeting = format!("Hello {name}!");
        println!("> {greeting}");
        ws.send(greeting).await?;
    }
    Ok(()) // The connection is closed with 1000.
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    task::block_on(async {
        let mut ctrl_c = Signals::new([Signal::Int])?;
        let listening = Server::new().bind(address).await?;
        println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
        listening.serve_until(hello, ctrl_c.next()).await?;
        Ok(())
    })
}
