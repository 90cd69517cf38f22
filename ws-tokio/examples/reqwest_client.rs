//! A client whose connection is reqwest's: its proxies, its TLS, its cookies.
//!
//! Run: `cargo run -p ws-tokio --features axum --example reqwest_client`

use std::error::Error;

use axum::Router;
use axum::routing::any;
use tokio::net::TcpListener;
use ws_tokio::axum::WebSocketUpgrade;
use ws_tokio::hyper::confirm;
use ws_tokio::{Client, WebSocket, http};

/// Opens a WebSocket with reqwest.
async fn connect(reqwest: &reqwest::Client, client: Client) -> Result<WebSocket, Box<dyn Error>> {
    let handshake = client.upgrade()?;
    // reqwest dials itself, so it needs an absolute URI. Its `http1_only` keeps it from HTTP/2.
    let request = reqwest::Request::try_from(handshake.absolute_request().map(|()| reqwest::Body::default()))?;
    let mut response = http::Response::from(reqwest.execute(request).await?);
    Ok(confirm(handshake, &mut response)?.await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A server for this example, with axum.
    let chat = async |ws: WebSocketUpgrade| {
        ws.protocols(["chat"]).on_upgrade(|mut ws| async move {
            while let Ok(Some(message)) = ws.recv().await {
                let _ = ws.send(message).await;
            }
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/chat", listener.local_addr()?);
    let app = Router::new().route("/chat", any(chat));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let reqwest = reqwest::Client::builder().http1_only().no_proxy().build()?;
    let mut ws = connect(&reqwest, Client::new(&url).subprotocols(["chat"])).await?;
    assert_eq!(ws.subprotocol(), Some("chat"));
    ws.send("Hello").await?;
    let answer = ws.recv().await?.ok_or("no answer")?;
    println!("{answer}");
    assert_eq!(answer, "Hello");
    println!("{}", ws.close(1000, "").await?);

    // A refusal is an error with the server's response.
    let error = connect(&reqwest, Client::new(url.replace("/chat", "/elsewhere"))).await.map(drop).unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains("404"));
    Ok(())
}
