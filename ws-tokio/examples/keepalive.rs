//! Keepalive pings find dead peers: those whose machine is off or unreachable, or whose program hangs. No Close arrives from
//! them, and without pings their connections would stay open for hours.
//!
//! Pings are on by default: one every 20 s, with 20 s for the answer. This server asks more often.
//!
//! Run: `cargo run -p ws-tokio --example keepalive [ADDRESS] [SECONDS]`, by default at `127.0.0.1:8765` with 5 s. Then run
//! `cargo run -p ws-tokio --example chat_client`, and stop that process with Ctrl-Z.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::signal::ctrl_c;
use ws_tokio::{Cause, HandlerResult, Server, WebSocket};

async fn watch(mut ws: WebSocket, open: Arc<AtomicUsize>) -> HandlerResult {
    let peer = ws.peer_addr().ok_or("a TCP connection has an address")?;
    println!("{peer} connected, {} open", open.fetch_add(1, Ordering::Relaxed) + 1);
    let end = loop {
        match ws.recv().await {
            // The round-trip time of the last answered ping, if there was one.
            Ok(Some(_)) => drop(ws.try_send(format!("latency: {:?}", ws.latency()))),
            Ok(None) => break "has left".to_owned(),
            Err(error) => match error.closed().map(|closed| &closed.outcome().cause) {
                Some(Cause::KeepaliveTimeout) => break "is dead: no pong in time".to_owned(),
                _ => break format!("was lost: {error}"),
            },
        }
    };
    println!("{peer} {end}; removed, {} open", open.fetch_sub(1, Ordering::Relaxed) - 1);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let seconds =
        arguments.next().map_or(Ok(5), |seconds| seconds.parse()).map_err(|_| "SECONDS must be a whole number")?;

    let open = Arc::new(AtomicUsize::new(0));
    let interval = Duration::from_secs(seconds);
    let listening = Server::new().ping_interval(interval).pong_timeout(interval).bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(move |ws| watch(ws, Arc::clone(&open)), ctrl_c()).await?;
    Ok(())
}
