//! A chat whose messages are JSON. `{"type":"broadcast","content":"Hi"}` goes to all clients but its sender. Any other JSON is
//! answered with `{"type":"answer",…}`, and anything else with `{"type":"error",…}`.
//!
//! The server prints each new connection, its end and its removal, with the peer's address.
//!
//! Run: `cargo run -p ws-tokio --example chat_json [ADDRESS]`, by default at `127.0.0.1:8765`. Then run
//! `cargo run -p ws-tokio --example chat_client` twice, and paste the line above.

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::signal::ctrl_c;
use ws_tokio::{HandlerResult, Message, Sender, Server, WebSocket};

#[derive(Clone, Default)]
struct Room {
    clients: Arc<Mutex<HashMap<SocketAddr, Sender>>>,
}

impl Room {
    fn clients(&self) -> MutexGuard<'_, HashMap<SocketAddr, Sender>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn broadcast(&self, from: SocketAddr, content: &Value) {
        let message = Message::from(json!({ "type": "broadcast", "content": content }).to_string());
        for (_, client) in self.clients().iter().filter(|(peer, _)| **peer != from) {
            // Waits for nobody: a client whose queue is full misses this message.
            let _ = client.try_send(&message);
        }
    }
}

/// A client's place in the room. Dropping it removes the client, however the handler ends.
struct Member {
    room: Room,
    peer: SocketAddr,
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut clients = self.room.clients();
        clients.remove(&self.peer);
        println!("{} removed, {} left", self.peer, clients.len());
    }
}

async fn chat(mut ws: WebSocket, room: Room) -> HandlerResult {
    let peer = ws.peer_addr().ok_or("a TCP connection has an address")?;
    room.clients().insert(peer, ws.sender());
    let _member = Member { room: room.clone(), peer };
    println!("{peer} connected");
    loop {
        match ws.recv().await {
            Ok(Some(message)) => {
                if let Some(answer) = handle(&message, &room, peer) {
                    ws.send(answer.to_string()).await?;
                }
            }
            Ok(None) => {
                println!("{peer} closed normally: {}", ws.closed().await);
                return Ok(());
            }
            Err(error) => {
                println!("{peer} ended abnormally: {error}");
                return Ok(());
            }
        }
    }
}

fn handle(message: &Message, room: &Room, peer: SocketAddr) -> Option<Value> {
    let Ok(request) = serde_json::from_slice::<Value>(message.as_bytes()) else {
        return Some(json!({ "type": "error", "content": format!("not JSON: {message}") }));
    };
    match (request["type"].as_str(), request.get("content")) {
        (Some("broadcast"), Some(content)) => {
            room.broadcast(peer, content);
            None
        }
        _ => Some(json!({ "type": "answer", "content": format!("received: {message}") })),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let room = Room::default();
    let listening = Server::new().bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(move |ws| chat(ws, room.clone()), ctrl_c()).await?;
    Ok(())
}
