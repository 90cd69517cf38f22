//! A server that sends back each message.
//!
//! Run: `cargo run -p ws-async-std --example async_std_echo_server [ADDRESS]`, by default at `127.0.0.1:8765`. Then run the
//! client: `cargo run -p ws-async-std --example async_std_echo_client`.

use std::error::Error;

use async_signal::{Signal, Signals};
use async_std::prelude::*;
use async_std::task;
use ws_async_std::{HandlerResult, Server, WebSocket};

async fn echo(mut ws: WebSocket) -> HandlerResult {
    // `None` is a normal end. Any other end is an error, which `?` returns. After an error of the handler's own, the
    // server logs it and closes the connection with 1011; otherwise it closes with 1000.
    while let Some(message) = ws.recv().await? {
        // Waits while the outgoing queue is full, so a peer that does not read cannot fill our memory.
        ws.send(message).await?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    task::block_on(async {
        let mut ctrl_c = Signals::new([Signal::Int])?;
        let listening = Server::new().bind(address).await?;
        println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
        // Ctrl-C closes every connection with 1001. `serve(echo)` would serve until the process ends.
        listening.serve_until(echo, ctrl_c.next()).await?;
        Ok(())
    })
}
