//! Over HTTP/2 (RFC 8441): axum's server, with hyper's client and with ours; with prior knowledge.

use axum::Router;
use axum::routing::any;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo as HyperUtilIo};
use tokio::net::TcpStream;
use ws_tokio::axum::WebSocketUpgrade;
use ws_tokio::http::{Method, Request};
use ws_tokio::hyper::{confirm, request};
use ws_tokio::{Bytes, Client, ConnectError, Http2Connections, Server, WebSocket};

use crate::common::{echo, ending, in_time, until};
use crate::setup::*;

async fn dial(site: &Site) -> SendRequest<Empty<Bytes>> {
    let stream = HyperUtilIo::new(TcpStream::connect(site.address).await.unwrap());
    let (requests, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    requests
}

async fn open(requests: &mut SendRequest<Empty<Bytes>>, client: Client) -> Result<WebSocket, ConnectError> {
    let handshake = client.extended_connect()?;
    let mut response = in_time(requests.send_request(request(&handshake))).await.unwrap();
    Ok(in_time(confirm(handshake, &mut response)?.into_future()).await.unwrap())
}

#[tokio::test]
async fn many_websockets_share_one_connection() {
    let server = Server::new();
    let handle = server.handle();
    let handler = async move |ws: WebSocketUpgrade| ws.server(&server).protocols(["chat"]).on_upgrade(echo);
    let site = Site::new(Router::new().route("/", any(handler))).await;
    let mut requests = dial(&site).await;
    let mut sockets = Vec::new();
    for _ in 0..10 {
        let client = Client::new(site.url("/")).subprotocols(["chat"]);
        sockets.push(open(&mut requests, client).await.unwrap());
    }
    for (n, ws) in sockets.iter_mut().enumerate() {
        let message = format!("{n}: {}", "over and over, ".repeat(1000));
        ws.send(message.clone()).await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), message);
        assert_eq!((ws.subprotocol(), ws.response().status().as_u16()), (Some("chat"), 200));
    }
    assert_eq!(handle.connections(), 10);
    in_time(sockets.pop().unwrap().close(1000, "")).await.unwrap();
    until(|| handle.connections() == 9).await;
    handle.shutdown();
    for ws in &mut sockets {
        assert_eq!(ending(ws).await, (1001, "server shutdown".to_owned()));
    }
    in_time(handle.closed()).await;
}

/// A client that dials, and keeps its connection.
#[tokio::test]
async fn a_client_of_hyper_util_opens_websockets_beside_its_requests() {
    let site = Site::echo(|ws| ws.protocols(["chat"])).await;
    let hyper = legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Empty<Bytes>>();
    for _ in 0..2 {
        let handshake = site.client().subprotocols(["chat"]).extended_connect().unwrap();
        let mut response = in_time(hyper.request(request(&handshake))).await.unwrap();
        let mut ws = in_time(confirm(handshake, &mut response).unwrap().into_future()).await.unwrap();
        ws.send("Hello").await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), "Hello");
        assert_eq!((ws.subprotocol(), ws.response().status().as_u16()), (Some("chat"), 200));
        let page = in_time(hyper.get(site.url("/").replace("ws:", "http:").parse().unwrap())).await.unwrap();
        assert_eq!(page.status(), 405);
    }
}

#[tokio::test]
async fn other_requests_are_rejected() {
    let site = Site::echo(|ws| ws).await;
    let mut requests = dial(&site).await;
    let uri = format!("http://{}/", site.address);
    let extended = |protocol: &'static str| {
        let request = Request::builder().method(Method::CONNECT).uri(&uri).header("sec-websocket-version", "13");
        request.extension(hyper::ext::Protocol::from_static(protocol))
    };
    let rows = [
        (Request::get(&uri), 405, Some(("allow", "CONNECT")), "RFC 8441"),
        (extended("connect-udp"), 501, None, "connect-udp"),
        (
            extended("websocket").header("sec-websocket-version", "8"),
            400,
            Some(("sec-websocket-version", "13")),
            "version 13",
        ),
    ];
    for (request, status, header, text) in rows {
        let response = in_time(requests.send_request(request.body(Empty::new()).unwrap())).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        if let Some((name, value)) = header {
            assert_eq!(response.headers()[name], value);
        }
        assert!(!response.headers().contains_key("connection"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(text), "{body:?}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_is_an_error() {
    let site = Site::echo(|ws| ws.server(&Server::new().origins(["https://example.com"]))).await;
    let mut requests = dial(&site).await;
    assert_eq!(status(open(&mut requests, site.client()).await), 403);
    assert!(open(&mut requests, site.client().origin("https://example.com")).await.is_ok());
}

#[tokio::test]
async fn our_client_shares_a_connection_to_axum() {
    let site = Site::echo(|ws| ws.protocols(["chat"])).await;
    let connections = Http2Connections::new().prior_knowledge(true);
    let mut sockets = Vec::new();
    for n in 0..10 {
        let client = site.client().subprotocols(["chat"]).http2(&connections);
        let mut ws = in_time(client.connect()).await.unwrap();
        let message = format!("{n}: {}", "over and over, ".repeat(10_000));
        ws.send(message.clone()).await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), message);
        assert_eq!((ws.subprotocol(), ws.response().status().as_u16()), (Some("chat"), 200));
        sockets.push(ws);
    }
    assert_eq!(connections.count(), 1);
    for ws in sockets {
        assert!(in_time(ws.close(1000, "")).await.unwrap().is_normal());
    }
    let missing = Client::new(site.url("/missing")).http2(&connections);
    assert_eq!(status(in_time(missing.connect()).await), 404);
}
