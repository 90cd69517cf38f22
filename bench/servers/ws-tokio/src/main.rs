//! ws-tokio with its default settings, as its README shows it.

use std::io;

use ws_tokio::{HandlerResult, Server, WebSocket};

fn main() -> io::Result<()> {
    host::run(async {
        let listening = Server::new().bind(host::LOOPBACK).await?;
        host::announce(listening.local_addr()?)?;
        listening.serve(echo).await
    })
}

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}
