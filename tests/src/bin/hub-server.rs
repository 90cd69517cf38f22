//! The server of the hub's client protocol that `tests/interop/run hub` starts, one process for each instance.
//!
//! usage: `hub-server [listen=ADDRESS] [redis=URL] [max_message=BYTES]`: without Redis, the topics are those of the process
//!
//! Prints `ready main=URL`. `/` is a page that loads the client, `/ws-hub.js` the client; every other path is a socket. On
//! `/close/CODE` it is closed with this code at once, on `/mute` nothing is answered.

use std::error::Error;
use std::time::Duration;

use ws_hub::protocol::{JAVASCRIPT, Protocol, SUBPROTOCOL};
use ws_hub::{Hub, Redis, SlowPolicy, TopicOptions};
use ws_tokio::http::{Request, Response, header};
use ws_tokio::{Bytes, HandlerResult, Server, Tokio, WebSocket};

const PAGE: &str = r#"<!doctype html><title>hub</title><link rel="icon" href="data:,">
<script type="module">import { Hub } from "./ws-hub.js"; window.Hub = Hub;</script>"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |name: &str| args.iter().find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='));
    let kept = || TopicOptions::new().history(100_000, Duration::from_secs(3600));
    let mut builder = Hub::builder()
        .topics("kept/", kept())
        .topics("few/", TopicOptions::new().history(2, Duration::from_secs(3600)))
        .topics("closing/", kept().slow(SlowPolicy::Close))
        .presence_grace(Duration::from_millis(100))
        .authorize(|access| async move { access.topic.as_str() != "secret" });
    if let Some(url) = arg("redis") {
        builder = builder.backplane(Redis::new(url)?);
    }
    let hub = builder.start::<Tokio>();
    let mut server = Server::new().subprotocols([SUBPROTOCOL]).on_request(answer);
    if let Some(bytes) = arg("max_message") {
        server = server.max_message(bytes.parse::<usize>()?);
    }
    let listening = server.bind(arg("listen").unwrap_or("127.0.0.1:0")).await?;
    println!("ready main=ws://{}", listening.local_addr()?);
    listening.serve(move |ws| serve(hub.clone(), ws)).await?;
    Ok(())
}

async fn serve(hub: Hub, mut ws: WebSocket) -> HandlerResult {
    if let Some(code) = ws.path().strip_prefix("/close/") {
        ws.close(code.parse::<u16>()?, "as asked for").await?;
        return Ok(());
    }
    if ws.path() == "/mute" {
        while ws.recv().await?.is_some() {}
        return Ok(());
    }
    Protocol::new().serve(&hub, ws).await
}

fn answer(request: &Request<()>) -> Option<Response<Bytes>> {
    let (kind, body) = match request.uri().path() {
        "/" => ("text/html; charset=utf-8", PAGE),
        "/ws-hub.js" => ("text/javascript; charset=utf-8", JAVASCRIPT),
        _ => return None,
    };
    let mut response = Response::new(Bytes::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    Some(response)
}
