//! A server whose counters Prometheus collects: open connections, messages, bytes, refusals and close codes, at `/metrics` on
//! the port of the WebSockets. No other crate is needed for that.
//!
//! Run: `cargo run -p ws-tokio --example prometheus [ADDRESS]`, by default at `127.0.0.1:8765`. Then look:
//! `curl http://127.0.0.1:8765/metrics`. In production, let a proxy or a firewall keep strangers from that page.

use std::error::Error;

use tokio::signal::ctrl_c;
use ws_tokio::http::{Request, Response};
use ws_tokio::{Bytes, HandlerResult, Server, WebSocket};

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let server = Server::new();
    let handle = server.handle();
    let page = move |request: &Request<()>| {
        let page = (request.uri().path() == "/metrics").then(|| handle.stats().to_prometheus())?;
        let response = Response::builder().header("content-type", "text/plain; version=0.0.4");
        Some(response.body(Bytes::from(page)).expect("a valid response"))
    };
    let listening = server.on_request(page).bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(echo, ctrl_c()).await?;
    Ok(())
}
