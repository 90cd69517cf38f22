//! An application with axum: a page, a JSON API and a WebSocket chat on one port, with shared state, a check of origins, and a
//! shutdown that tells every client.
//!
//! Run it as a server: `cargo run -p ws-tokio --features axum,json --example axum_app -- 127.0.0.1:3000`, and open
//! <http://127.0.0.1:3000>. Without an address it talks to itself, and ends.

use std::collections::HashSet;
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::{any, get};
use axum::{Extension, Json, Router};
use tokio::net::TcpListener;
use ws_tokio::axum::WebSocketUpgrade;
use ws_tokio::{Client, HandlerResult, Prepared, Sender, Server, ServerHandle, WebSocket};

const PAGE: &str = r#"<!doctype html>
<title>Chat</title>
<form><input autofocus><button>Send</button></form><pre></pre>
<script>
  const ws = new WebSocket(location.href.replace(/^http/, "ws") + "chat");
  const input = document.querySelector("input");
  const show = text => document.querySelector("pre").append(text + "\n");
  ws.onmessage = event => show(event.data);
  ws.onclose = event => show(`closed: ${event.code} ${event.reason}`);
  document.querySelector("form").onsubmit = event => {
    event.preventDefault();
    ws.send(input.value);
    input.value = "";
  };
</script>
"#;

/// The members of the chat.
#[derive(Clone, Default)]
struct Room {
    members: Arc<Mutex<HashSet<Sender>>>,
}

impl Room {
    fn members(&self) -> MutexGuard<'_, HashSet<Sender>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends to everybody. A member who is too slow to take it is left out.
    fn say(&self, text: &str) {
        let message = Prepared::new(text);
        self.members().retain(|member| member.try_send_prepared(&message).is_ok());
    }
}

async fn chat(ws: WebSocketUpgrade, State(room): State<Room>) -> Response {
    ws.max_message_size(4096).on_upgrade(move |ws| converse(ws, room))
}

async fn converse(mut ws: WebSocket, room: Room) -> HandlerResult {
    let me = ws.sender();
    room.members().insert(me.clone());
    let result = async {
        while let Some(message) = ws.recv().await? {
            if let Some(text) = message.as_text() {
                room.say(text);
            }
        }
        Ok(())
    };
    let result = result.await;
    room.members().remove(&me);
    result
}

/// The JSON API: the number of members.
async fn status(State(room): State<Room>) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "members": room.members().len() }))
}

/// Serves until `shutdown` is ready. Returns the handle of the WebSockets at once.
fn serve(listener: TcpListener, shutdown: impl Future + Send + 'static) -> (ServerHandle, impl Future<Output = ()>) {
    let origin = listener.local_addr().map(|address| format!("http://{address}")).unwrap_or_default();
    // The page's own origin, and programs, which send none.
    let websockets = Server::new().origins_or_none([origin]);
    let handle = websockets.handle();
    let app = Router::new()
        .route("/", get(Html(PAGE)))
        .route("/api/status", get(status))
        .route("/chat", any(chat))
        .layer(Extension(websockets))
        .with_state(Room::default());
    let ending = handle.clone();
    let serving = async move {
        let stopped = async move {
            shutdown.await;
        };
        if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stopped).await {
            eprintln!("{error}");
        }
        // axum does not wait for WebSockets.
        ending.shutdown();
        ending.closed().await;
    };
    (handle, serving)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if let Some(address) = std::env::args().nth(1).filter(|argument| argument.contains(':')) {
        let listener = TcpListener::bind(address).await?;
        println!("http://{}", listener.local_addr()?);
        let (_, serving) = serve(listener, tokio::signal::ctrl_c());
        serving.await;
        return Ok(());
    }

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (handle, serving) = serve(listener, stopped);
    let serving = tokio::spawn(serving);

    let page = reqwest::get(format!("http://{address}/")).await?.text().await?;
    assert_eq!(page, PAGE);

    let url = format!("ws://{address}/chat");
    let (mut anna, mut ben) = (ws_tokio::connect(&url).await?, ws_tokio::connect(&url).await?);
    let api = format!("http://{address}/api/status");
    while reqwest::get(&api).await?.text().await? != r#"{"members":2}"# {
        tokio::task::yield_now().await;
    }
    anna.send("Hello").await?;
    for member in [&mut anna, &mut ben] {
        assert_eq!(member.recv().await?.ok_or("no message")?, "Hello");
    }
    let elsewhere = Client::new(&url).origin("https://elsewhere.example").connect().await;
    println!("from another site: {}", elsewhere.map(drop).unwrap_err());

    assert_eq!(handle.connections(), 2);
    let _ = stop.send(());
    for member in [&mut anna, &mut ben] {
        assert_eq!(member.recv().await?, None);
        println!("{}", member.closed().await);
    }
    serving.await?;
    assert_eq!(handle.connections(), 0);
    Ok(())
}
