//! The four forms of a handler. The path of the URL chooses one:
//!
//! - `/consumer` receives until the client closes.
//! - `/producer` sends, and the client only listens.
//! - `/both` does both at once. The first to finish ends the other.
//! - `/registration` keeps a set of clients, and tells all of them when one has come.
//!
//! Run: `cargo run -p ws-tokio --example patterns [ADDRESS]`, by default at `127.0.0.1:8765`. Then run
//! `cargo run -p ws-tokio --example chat_client ws://127.0.0.1:8765/both`.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::ctrl_c;
use tokio::time::sleep;
use ws_tokio::{HandlerResult, Sender, Server, WebSocket};

async fn consume(ws: &mut WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        println!("consumed {message}");
    }
    Ok(())
}

/// Sends five messages. It fails when the client has closed.
async fn produce(ws: &Sender) -> HandlerResult {
    for number in 1..=5 {
        ws.send(format!("product {number}")).await?;
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

async fn consume_and_produce(mut ws: WebSocket) -> HandlerResult {
    let sender = ws.sender();
    // `select!` drops the future that has not finished.
    tokio::select! {
        result = consume(&mut ws) => {
            println!("the consumer has finished first");
            result
        }
        result = produce(&sender) => {
            println!("the producer has finished first");
            result
        }
    }
}

#[derive(Clone, Default)]
struct Clients(Arc<Mutex<HashMap<u64, Sender>>>);

impl Clients {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Sender>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn register(&self, ws: WebSocket) -> HandlerResult {
        {
            let mut clients = self.lock();
            clients.insert(ws.id(), ws.sender());
            for client in clients.values() {
                let _ = client.try_send(format!("{} registered", clients.len()));
            }
        }
        // Waits for the end, and discards messages.
        let outcome = ws.closed().await;
        let mut clients = self.lock();
        clients.remove(&ws.id());
        println!("unregistered, {} left: {outcome}", clients.len());
        Ok(())
    }
}

async fn handle(mut ws: WebSocket, clients: Clients) -> HandlerResult {
    match ws.request().uri().path() {
        "/consumer" => consume(&mut ws).await,
        "/producer" => produce(&ws.send_only()).await,
        "/both" => consume_and_produce(ws).await,
        "/registration" => clients.register(ws).await,
        _ => {
            ws.close(1008, "the paths are /consumer, /producer, /both, /registration").await?;
            Ok(())
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let clients = Clients::default();
    let listening = Server::new().bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(move |ws| handle(ws, clients.clone()), ctrl_c()).await?;
    Ok(())
}
