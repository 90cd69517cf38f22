//! Prices for many clients. A client that reads too slowly skips prices, and gets the next one instead: the server never waits
//! for it, and holds little for it.
//!
//! Run: `cargo run -p ws-tokio --example ticker [ADDRESS]`, by default at `127.0.0.1:8765`. Then run
//! `cargo run -p ws-tokio --example chat_client` in other terminals.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::signal::ctrl_c;
use ws_tokio::{BroadcastOutcome, Prepared, Sender, Server, SlowConsumer, WebSocket, broadcast};

type Clients = Arc<Mutex<HashSet<Sender>>>;

/// A client is there until its connection ends. Its messages are discarded.
async fn subscribe(clients: Clients, ws: WebSocket) -> ws_tokio::HandlerResult {
    let sender = ws.send_only();
    clients.lock().unwrap().insert(sender.clone());
    sender.closed().await;
    clients.lock().unwrap().remove(&sender);
    Ok(())
}

async fn publish(clients: Clients) {
    let (mut price, mut is_rising) = (100.0, true);
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        price += if is_rising { 0.7 } else { -0.4 };
        is_rising = !is_rising;
        // Encoded, and compressed, once for all clients.
        let message = Prepared::new(format!("{price:.2}"));
        let outcomes = broadcast(clients.lock().unwrap().iter().cloned(), &message, SlowConsumer::Skip);
        let slow = outcomes.iter().filter(|(_, outcome)| *outcome == BroadcastOutcome::Skipped).count();
        println!("{price:.2} to {} clients, {slow} of them too slow for it", outcomes.len());
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let clients = Clients::default();
    tokio::spawn(publish(Arc::clone(&clients)));
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let server = Server::new().bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", server.local_addr()?);
    server.serve_until(move |ws| subscribe(Arc::clone(&clients), ws), ctrl_c()).await
}
