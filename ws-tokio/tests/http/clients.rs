//! A client over a connection that hyper has made.

use axum::Router;
use axum::routing::{any, get};
use http_body_util::Empty;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo as HyperUtilIo;
use tokio::net::TcpStream;
use ws_proto::Role;
use ws_test_support::frames::{TEXT, from};
use ws_tokio::axum::WebSocketUpgrade;
use ws_tokio::hyper::{Upgrade, confirm};
use ws_tokio::{Bytes, Client, ConnectError, HandshakeError};

use crate::common::{echo, fake_server, in_time};
use crate::setup::*;

async fn dial(address: &str) -> SendRequest<Empty<Bytes>> {
    let stream = HyperUtilIo::new(TcpStream::connect(address).await.unwrap());
    let (requests, connection) = handshake(stream).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    requests
}

async fn open(client: Client, address: &str) -> Result<Upgrade, ConnectError> {
    let handshake = client.upgrade()?;
    let request = ws_tokio::hyper::request(&handshake);
    let mut response = in_time(dial(address).await.send_request(request)).await.unwrap();
    confirm(handshake, &mut response)
}

async fn site() -> Site {
    let handler = async |ws: WebSocketUpgrade| ws.protocols(["chat"]).on_upgrade(echo);
    Site::new(Router::new().route("/", any(handler)).route("/page", get(async || "a page"))).await
}

#[tokio::test]
async fn a_connection_of_hypers_client_becomes_a_websocket() {
    let site = site().await;
    let client = site.client().subprotocols(["chat"]);
    let mut ws = in_time(open(client, &site.address.to_string()).await.unwrap().into_future()).await.unwrap();
    assert_eq!((ws.subprotocol(), ws.peer_addr()), (Some("chat"), Some(site.address)));
    ws.send("Hello").await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), "Hello");
    in_time(ws.close(1000, "")).await.unwrap();
}

#[tokio::test]
async fn it_becomes_a_stream_or_runs_beside_a_handler() {
    let site = site().await;
    let upgrade = open(site.client(), &site.address.to_string()).await.unwrap();
    assert_eq!(upgrade.handshake().response().status(), 101);
    let mut stream = in_time(upgrade.into_stream()).await.unwrap();
    assert!(stream.get_ref().is_tcp());
    in_time(stream.send("Hello")).await.unwrap();
    assert_eq!(in_time(stream.recv()).await.unwrap().unwrap(), "Hello");
    in_time(stream.close(1000, "")).await.unwrap();

    let upgrade = open(site.client(), &site.address.to_string()).await.unwrap();
    let (tell, told) = tokio::sync::oneshot::channel();
    let handler = async move |mut ws: ws_tokio::WebSocket| {
        ws.send("Hello").await?;
        tell.send(ws.recv().await?).unwrap();
        ws_tokio::HandlerResult::Ok(())
    };
    in_time(upgrade.run(handler, |error| panic!("{error}"))).await;
    assert_eq!(told.await.unwrap().unwrap(), "Hello");
}

#[tokio::test]
async fn frames_behind_the_response_are_not_lost() {
    let server = fake_server(async |mut raw| {
        raw.accept(&from(Role::Server, TEXT, "behind")).await;
        raw.rest().await
    })
    .await;
    let client = Client::new(&server.url);
    let address = server.url.trim_start_matches("ws://").trim_end_matches('/');
    let mut ws = in_time(open(client, address).await.unwrap().into_future()).await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), "behind");
    drop(ws);
    server.done().await;
}

#[tokio::test]
async fn a_refusal_is_an_error() {
    let site = site().await;
    let error = open(Client::new(site.url("/page")), &site.address.to_string()).await.unwrap_err();
    assert_eq!(error.response().unwrap().status(), 200, "{error}");
    let server = fake_server(async |mut raw| {
        raw.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        raw.rest().await
    })
    .await;
    let address = server.url.trim_start_matches("ws://").trim_end_matches('/').to_owned();
    let error = open(Client::new(&server.url), &address).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(HandshakeError::MissingHeader(_))), "{error}");
}

#[tokio::test]
async fn settings_of_the_client_hold() {
    let site = site().await;
    let client = site.client().max_message(3);
    let mut ws = in_time(open(client, &site.address.to_string()).await.unwrap().into_future()).await.unwrap();
    ws.send("1234").await.unwrap();
    let error = in_time(ws.recv()).await.unwrap_err().to_string();
    assert!(error.contains("limit of 3 bytes"), "{error}");
}
