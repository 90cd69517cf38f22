//! A number that all visitors of a page see and change, and the number of visitors. The messages are JSON:
//! `{"action":"plus"}` and `{"action":"minus"}` from the page, `{"type":"value","value":1}` and
//! `{"type":"users","count":2}` to all pages.
//!
//! Run: `cargo run -p ws-tokio --example counter [ADDRESS]`, then open <http://127.0.0.1:8765/> in two windows. The page is
//! `counter.html`.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::signal::ctrl_c;
use ws_tokio::http::{Request, Response, header::CONTENT_TYPE};
use ws_tokio::{Bytes, HandlerResult, Sender, Server, WebSocket};

#[derive(Default)]
struct State {
    value: i64,
    users: HashMap<u64, Sender>,
}

impl State {
    fn tell_all(&self, news: Value) {
        for user in self.users.values() {
            let _ = user.try_send(news.to_string()); // Waits for nobody.
        }
    }

    fn tell_value(&self) {
        self.tell_all(json!({ "type": "value", "value": self.value }));
    }

    fn tell_users(&self) {
        self.tell_all(json!({ "type": "users", "count": self.users.len() }));
    }
}

/// Each change and the messages about it happen under one lock, so all pages see the same values in the same order.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn count(mut ws: WebSocket, state: Arc<Mutex<State>>) -> HandlerResult {
    {
        let mut state = lock(&state);
        state.users.insert(ws.id(), ws.sender());
        state.tell_users();
        let _ = ws.try_send(json!({ "type": "value", "value": state.value }).to_string());
    }
    while let Ok(Some(message)) = ws.recv().await {
        let request: Value = serde_json::from_slice(message.as_bytes()).unwrap_or_default();
        let step = match request["action"].as_str() {
            Some("plus") => 1,
            Some("minus") => -1,
            _ => {
                ws.send(json!({ "type": "error", "message": format!("unknown request: {message}") }).to_string())
                    .await?;
                continue;
            }
        };
        let mut state = lock(&state);
        state.value += step;
        state.tell_value();
    }
    let mut state = lock(&state);
    state.users.remove(&ws.id());
    state.tell_users();
    Ok(())
}

/// Answers requests of browsers for the page. All others are for a WebSocket.
fn page(request: &Request<()>) -> Option<Response<Bytes>> {
    let is_socket = request.headers().contains_key("upgrade");
    let response = Response::builder().header(CONTENT_TYPE, "text/html; charset=utf-8");
    (!is_socket).then(|| response.body(Bytes::from_static(include_bytes!("counter.html"))).expect("valid headers"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let state = Arc::default();
    let listening = Server::new().on_request(page).bind(address).await?;
    println!("Open http://{}/ in a browser; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(move |ws| count(ws, Arc::clone(&state)), ctrl_c()).await?;
    Ok(())
}
