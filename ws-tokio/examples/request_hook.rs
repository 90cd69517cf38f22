//! One port for a page, a health check and WebSockets that need a token.
//!
//! Run: `cargo run -p ws-tokio --example request_hook [ADDRESS]`, by default at `127.0.0.1:8765`, then open
//! http://127.0.0.1:8765/ in a browser.

use std::error::Error;

use tokio::signal::ctrl_c;
use ws_tokio::http::{Request, Response, StatusCode, header};
use ws_tokio::{Bytes, Server, WebSocket};

const PAGE: &str = "<!doctype html><meta charset=utf-8><title>Time</title><p id=out>connecting…<script>
const ws = new WebSocket(`ws://${location.host}/feed?token=let-me-in`);
ws.onmessage = event => out.textContent = event.data;
ws.onclose = event => out.textContent = `closed: ${event.code}`;
</script>
";

/// Gets every request before the handshake. Returns a response, or `None` to continue with the WebSocket handshake.
fn route(request: &Request<()>) -> Option<Response<Bytes>> {
    let (status, kind, body) = match request.uri().path() {
        "/" => (StatusCode::OK, "html", PAGE),
        "/health" => (StatusCode::OK, "plain", "fine\n"),
        // A page cannot add headers to a WebSocket request, so a browser sends a token in the query or in a cookie.
        "/feed" if request.uri().query() == Some("token=let-me-in") => return None,
        "/feed" => (StatusCode::UNAUTHORIZED, "plain", "A token is needed: /feed?token=…\n"),
        _ => (StatusCode::NOT_FOUND, "plain", "There is / and /health and /feed.\n"),
    };
    let content_type = format!("text/{kind}; charset=utf-8");
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
    response.body(Bytes::from_static(body.as_bytes())).ok()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let server = Server::new()
        .on_request(route)
        // Pages of other sites must not connect with the cookies of a visitor's browser.
        .origins_or_none([format!("http://{address}").as_str(), "http://localhost:8765"])
        .max_connections(1000);
    let listening = server.bind(address).await?;
    println!("Open http://{}/ in a browser; Ctrl-C stops it.", listening.local_addr()?);
    let feed = |ws: WebSocket| async move {
        let mut second = tokio::time::interval(std::time::Duration::from_secs(1));
        for n in 0.. {
            tokio::select! {
                _ = second.tick() => ws.send(format!("here for {n} s")).await?,
                _ = ws.closed() => break,
            }
        }
        Ok(())
    };
    listening.serve_until(feed, ctrl_c()).await?;
    Ok(())
}
