//! A chat room: every message goes to every member, and members that are too slow are dropped.
//!
//! Run: `cargo run -p ws-tokio --example broadcast [ADDRESS]`, by default at `127.0.0.1:8765`. Then run
//! `cargo run -p ws-tokio --example chat_client` twice.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::ctrl_c;
use ws_tokio::{CloseCode, HandlerResult, Message, SendError, Sender, Server, WebSocket};

/// The members, by connection ID. A `Sender` only sends, can be cloned, and does not keep its connection open.
#[derive(Clone, Default)]
struct Room {
    guests: Arc<Mutex<HashMap<u64, Sender>>>,
}

impl Room {
    fn with_guests<R>(&self, change: impl FnOnce(&mut HashMap<u64, Sender>) -> R) -> R {
        change(&mut self.guests.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn say(&self, text: String) {
        // Cloning a message shares its payload.
        let message = Message::from(text);
        self.with_guests(|guests| {
            guests.retain(|_, guest| match guest.try_send(message.clone()) {
                // The member's queue is full. It is dropped, so that it does not delay the others.
                Err(SendError::Full(_)) => {
                    drop(guest.close(CloseCode::POLICY_VIOLATION, "too slow")); // begins with the call
                    false
                }
                _ => true,
            });
        });
    }
}

async fn chat(room: Room, mut ws: WebSocket) -> HandlerResult {
    let id = ws.id();
    room.with_guests(|guests| guests.insert(id, ws.sender()));
    room.say(format!("guest {id} came in"));
    let end = loop {
        match ws.recv().await {
            Ok(Some(Message::Text(text))) => room.say(format!("guest {id}: {text}")),
            Ok(Some(Message::Binary(_))) => break ws.close(CloseCode::UNSUPPORTED_DATA, "text only").await.map(drop),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    room.with_guests(|guests| guests.remove(&id));
    room.say(format!("guest {id} left"));
    Ok(end?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let room = Room::default();
    let listening = Server::new().bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(move |ws| chat(room.clone(), ws), ctrl_c()).await?;
    Ok(())
}
