//! HTTP/2 and HTTP/1.1 on one port: a page and WebSockets for browsers, which use one connection of HTTP/2 for both.
//!
//! `http2 CERT KEY` serves `https://localhost:8443/` with a certificate and a key in PEM. Without arguments it serves without
//! TLS, asks itself over HTTP/2 and over HTTP/1.1, and ends.
//!
//! Run: `cargo run -p ws-tokio --features http2 --example http2`

use std::error::Error;

use ws_tokio::http::{Response, header::CONTENT_TYPE};
use ws_tokio::{Bytes, Client, HandlerResult, Http2, Http2Connections, Server, WebSocket};

const PAGE: &str = "<!doctype html><title>HTTP/2</title><pre></pre><script>\
    const ws = new WebSocket('wss://' + location.host);\
    ws.onopen = () => ws.send('Hello');\
    ws.onmessage = event => document.querySelector('pre').append(event.data);\
    </script>";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::new().http2(Http2::default()).on_request(|request| {
        // A page is asked for with GET, and a WebSocket with CONNECT over HTTP/2, or with an Upgrade over HTTP/1.1.
        let is_page = request.method() == "GET" && !request.headers().contains_key("upgrade");
        is_page.then(|| {
            let mut response = Response::new(Bytes::from_static(PAGE.as_bytes()));
            response.headers_mut().insert(CONTENT_TYPE, "text/html".parse().expect("a valid value"));
            response
        })
    });
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [certificate, key] = &arguments[..] {
        let server = server.tls(std::fs::read(certificate)?, std::fs::read(key)?);
        println!("https://localhost:8443/");
        return Ok(server.bind("localhost:8443").await?.serve(greet).await?);
    }
    let listening = server.bind("127.0.0.1:0").await?;
    let (address, handle) = (listening.local_addr()?, listening.handle());
    let serving = tokio::spawn(listening.serve(greet));

    // One connection, three streams.
    let connections = Http2Connections::new().prior_knowledge(true);
    for number in 1..=3 {
        let client = Client::new(format!("ws://{address}/{number}")).http2(&connections);
        let mut ws = client.connect().await?;
        println!("{:?}: {:?}", ws.response().version(), ws.recv().await?);
        ws.close(1000, "").await?;
    }
    // Without the setting, a client speaks HTTP/1.1.
    let mut ws = ws_tokio::connect(format!("ws://{address}/4")).await?;
    println!("{:?}: {:?}", ws.response().version(), ws.recv().await?);
    ws.close(1000, "").await?;

    handle.shutdown();
    serving.await??;
    Ok(())
}

async fn greet(ws: WebSocket) -> HandlerResult {
    ws.send(format!("Hello, {}", ws.request().uri().path())).await?;
    ws.closed().await;
    Ok(())
}
