//! Our clients against axum's own extractor, over connections of ours and of hyper's client.

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use http_body_util::Empty;
use hyper_util::rt::TokioIo as HyperUtilIo;
use ws_tokio::Bytes;

use crate::common::{ending, in_time};
use crate::setup::*;

async fn site() -> Site {
    let handler = async |ws: WebSocketUpgrade| ws.protocols(["chat"]).on_upgrade(converse);
    Site::new(Router::new().route("/", any(handler))).await
}

/// Sends back what comes, and closes at "bye".
async fn converse(mut ws: WebSocket) {
    while let Some(Ok(message)) = ws.recv().await {
        match message {
            Message::Text(text) if text == "bye" => {
                let frame = CloseFrame { code: 4000, reason: "as you wish".into() };
                let _ = ws.send(Message::Close(Some(frame))).await;
            }
            Message::Text(_) | Message::Binary(_) => {
                let _ = ws.send(message).await;
            }
            _ => {}
        }
    }
}

async fn is_all_right(mut ws: ws_tokio::WebSocket) {
    assert_eq!(ws.subprotocol(), Some("chat"));
    assert!(!ws.response().headers().contains_key("sec-websocket-extensions"), "it has no compression");
    for message in ["Hello".to_owned(), "over and over, ".repeat(10_000)] {
        ws.send(message.clone()).await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), message);
    }
    ws.send(vec![0, 255]).await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), ws_tokio::Message::from(vec![0, 255]));
    in_time(ws.ping()).await.unwrap();
    ws.send("bye").await.unwrap();
    assert_eq!(ending(&mut ws).await, (4000, "as you wish".to_owned()));
}

#[tokio::test]
async fn a_client_of_ours_talks_to_it() {
    let site = site().await;
    is_all_right(in_time(site.client().subprotocols(["chat"]).connect()).await.unwrap()).await;
}

#[tokio::test]
async fn a_client_on_hyper_talks_to_it() {
    let site = site().await;
    let stream = HyperUtilIo::new(tokio::net::TcpStream::connect(site.address).await.unwrap());
    let (mut requests, connection) = hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(stream).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    let handshake = site.client().subprotocols(["chat"]).upgrade().unwrap();
    let mut response = in_time(requests.send_request(ws_tokio::hyper::request(&handshake))).await.unwrap();
    let upgrade = ws_tokio::hyper::confirm(handshake, &mut response).unwrap();
    is_all_right(in_time(upgrade.into_future()).await.unwrap()).await;
}
