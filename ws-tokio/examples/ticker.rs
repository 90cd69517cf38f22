//! Prices for many clients. A client that reads too slowly skips prices, and gets the next one instead: the server never waits
//! for it, and holds little for it.
//!
//! Run: `cargo run -p ws-tokio --example ticker`, then connect clients: `ws connect ws://127.0.0.1:8765`

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
    let mut price = 100.0;
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        price += if price as u64 % 2 == 0 { 0.7 } else { -0.4 };
        // Encoded, and compressed, once for all clients.
        let message = Prepared::new(format!("{price:.2}"));
        let outcomes = broadcast(&*clients.lock().unwrap(), &message, SlowConsumer::Skip);
        let slow = outcomes.iter().filter(|(_, outcome)| *outcome == BroadcastOutcome::Skipped).count();
        println!("{price:.2} to {} clients, {slow} of them too slow for it", outcomes.len());
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let clients = Clients::default();
    tokio::spawn(publish(Arc::clone(&clients)));
    let server = Server::new().bind("127.0.0.1:8765").await?;
    println!("listening on ws://{}", server.local_addr()?);
    server.serve(move |ws| subscribe(Arc::clone(&clients), ws)).await
}
