//! A server that accepts pages of one site only. A browser sends the origin of the page with each WebSocket request, and the
//! cookies of this server, too. So without a check, a page of any other site can act for its visitor.
//!
//! Other origins, and clients that are no browsers and send none, get 403.
//!
//! Run: `cargo run -p ws-tokio --example origin_check [ADDRESS] [ORIGIN]...`, by default at `127.0.0.1:8765` for
//! `http://localhost:8000`. In a browser's console, on any page: `new WebSocket("ws://127.0.0.1:8765")`.

use std::error::Error;

use tokio::signal::ctrl_c;
use ws_tokio::{HandlerResult, Server, WebSocket};

async fn welcome(ws: WebSocket) -> HandlerResult {
    let origin = ws.request().headers().get("origin").and_then(|origin| origin.to_str().ok()).unwrap_or("nowhere");
    println!("a page of {origin} has connected");
    ws.send(format!("Welcome from {origin}")).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let mut origins: Vec<String> = arguments.collect();
    if origins.is_empty() {
        origins.push("http://localhost:8000".to_owned());
    }

    println!("Accepting pages of {}.", origins.join(", "));
    // `origins_or_none` also accepts requests without an origin, for clients that are no browsers.
    let listening = Server::new().origins(origins).bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(welcome, ctrl_c()).await?;
    Ok(())
}
