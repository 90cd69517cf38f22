//! A chat that puts the time before each text, `[12:34:56] Hi`, and sends it to all clients, its sender included.
//!
//! Run: `cargo run -p ws-tokio --example chat_timestamps [ADDRESS]`, by default at `127.0.0.1:8765`. Then run
//! `cargo run -p ws-tokio --example chat_client` twice.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Zoned;
use tokio::signal::ctrl_c;
use ws_tokio::{HandlerResult, Message, Sender, Server, WebSocket};

type Clients = Mutex<HashMap<u64, Sender>>;

fn lock(clients: &Clients) -> MutexGuard<'_, HashMap<u64, Sender>> {
    clients.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn chat(mut ws: WebSocket, clients: Arc<Clients>) -> HandlerResult {
    lock(&clients).insert(ws.id(), ws.sender());
    // `Ok(None)` and an error are both an end, which the log tells apart.
    while let Ok(Some(text)) = ws.recv().await {
        // The time is taken under the lock, so all clients get the same lines in the same order.
        let clients = lock(&clients);
        let line = Message::from(format!("[{}] {text}", Zoned::now().strftime("%H:%M:%S")));
        for client in clients.values() {
            let _ = client.try_send(&line); // Waits for nobody.
        }
    }
    lock(&clients).remove(&ws.id());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let clients = Arc::<Clients>::default();
    let listening = Server::new().bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(move |ws| chat(ws, Arc::clone(&clients)), ctrl_c()).await?;
    Ok(())
}
