//! A server that pushes the time to a web page at random intervals.
//!
//! Run: `cargo run -p ws-tokio --example time_push [ADDRESS]`, then open <http://127.0.0.1:8765/> in a browser. The page is
//! `time_push.html`, and comes from the same port.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::ctrl_c;
use tokio::time::sleep;
use ws_tokio::http::{Request, Response, header::CONTENT_TYPE};
use ws_tokio::{Bytes, HandlerResult, Server, WebSocket};

/// Answers requests of browsers for the page. All others are for a WebSocket.
fn page(request: &Request<()>) -> Option<Response<Bytes>> {
    let is_socket = request.headers().contains_key("upgrade");
    let response = Response::builder().header(CONTENT_TYPE, "text/html; charset=utf-8");
    (!is_socket).then(|| response.body(Bytes::from_static(include_bytes!("time_push.html"))).expect("valid headers"))
}

async fn push_time(ws: WebSocket) -> HandlerResult {
    let ws = ws.send_only(); // Messages from the page are discarded.
    loop {
        // Fails when the page has left, and that ends the handler.
        ws.send(format!("{:.3}", Timestamp::now())).await?;
        sleep(Duration::from_millis(rand::random_range(500..=2000))).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let listening = Server::new().on_request(page).bind(address).await?;
    println!("Open http://{}/ in a browser; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(push_time, ctrl_c()).await?;
    Ok(())
}
