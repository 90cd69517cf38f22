//! What the extractor takes from a request, and what a connection knows of it.

use axum::routing::any;
use axum::{Extension, Router};
use ws_tokio::axum::WebSocketUpgrade;
use ws_tokio::http::HeaderValue;
use ws_tokio::{Addresses, Client, Server};

use crate::common::{ending, in_time};
use crate::setup::*;

#[tokio::test]
async fn subprotocols_are_selected_in_the_servers_order() {
    let handler = async |ws: WebSocketUpgrade| {
        let requested: Vec<_> = ws.requested_protocols().map(|name| name.to_str().unwrap().to_owned()).collect();
        let ws = ws.protocols(["v3", "v2".to_owned().leak(), "v1"]);
        let selected = ws.selected_protocol().map(|name| name.to_str().unwrap().to_owned());
        ws.on_upgrade(async move |ws| {
            let _ = ws.send(format!("{requested:?} {selected:?} {:?}", ws.subprotocol())).await;
        })
    };
    let site = Site::new(Router::new().route("/", any(handler))).await;
    for (offered, told) in [
        (&["v1", "v2"][..], r#"["v1", "v2"] Some("v2") Some("v2")"#),
        (&["other"], r#"["other"] None None"#),
        (&[], "[] None None"),
    ] {
        let mut ws = in_time(site.client().subprotocols(offered.iter().copied()).connect()).await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), told);
        let negotiated = offered.contains(&"v2").then_some("v2");
        assert_eq!(ws.subprotocol(), negotiated, "the client agrees");
    }
}

#[tokio::test]
async fn a_subprotocol_can_be_selected_by_the_handler() {
    let handler = async |mut ws: WebSocketUpgrade| {
        let offered = ws.requested_protocols().last().cloned();
        ws.set_selected_protocol(HeaderValue::from_static("never offered"));
        assert_eq!(ws.selected_protocol(), None);
        if let Some(last) = offered {
            ws.set_selected_protocol(last);
        }
        ws.on_upgrade(hang)
    };
    let site = Site::new(Router::new().route("/", any(handler))).await;
    let ws = in_time(site.client().subprotocols(["a", "b"]).connect()).await.unwrap();
    assert_eq!(ws.subprotocol(), Some("b"));
    assert_eq!(site.connect().await.subprotocol(), None);
}

#[tokio::test]
async fn one_path_has_a_page_and_a_websocket() {
    let handler = async |ws: Option<WebSocketUpgrade>| match ws {
        Some(ws) => ws.on_upgrade(crate::common::echo),
        None => axum::response::IntoResponse::into_response("a page"),
    };
    let site = Site::new(Router::new().route("/", any(handler))).await;
    let ask = async |request: &str| {
        let mut raw = site.raw().await;
        raw.write(request).await;
        String::from_utf8(raw.rest().await).unwrap()
    };
    let page = ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.1 200 ") && page.ends_with("a page"), "{page}");
    let half = ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nSec-WebSocket-Key: x\r\n\r\n").await;
    assert!(half.starts_with("HTTP/1.1 426 "), "a proxy removed the rest: {half}");
    let mut ws = site.connect().await;
    ws.send("Hello").await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), "Hello");
}

#[cfg(feature = "proxies")]
#[tokio::test]
async fn the_addresses_are_those_of_the_socket_or_those_given() {
    let told = async |ws: WebSocketUpgrade| {
        ws.on_upgrade(async |ws| {
            let _ = ws.send(format!("{:?} {:?}", ws.peer_addr(), ws.client_ip())).await;
        })
    };
    let given = Addresses::new(None, Some("10.0.0.1:80".parse().unwrap()));
    let proxied = Server::new().trusted_proxies(["10.0.0.0/8"]);
    let app = Router::new().route("/given", any(told)).layer(Extension(given)).layer(Extension(proxied));
    let app = app.route("/socket", any(told));
    let app = app.route("/set", any(async move |ws: WebSocketUpgrade| told(ws.addresses(given)).await));
    let site = Site::new(app).await;
    let ask = async |path: &str| {
        let client = Client::new(site.url(path)).header("x-forwarded-for", "192.0.2.7");
        let mut ws = in_time(client.connect()).await.unwrap();
        (in_time(ws.recv()).await.unwrap().unwrap().to_string(), ws.local_addr().unwrap())
    };
    assert_eq!(ask("/given").await.0, "Some(10.0.0.1:80) Some(192.0.2.7)");
    let (told, address) = ask("/socket").await;
    assert_eq!(told, format!("Some({address}) Some({})", address.ip()));
    assert_eq!(ask("/set").await.0, "Some(10.0.0.1:80) Some(10.0.0.1)");
}

#[tokio::test]
async fn the_request_is_known() {
    let handler = async |ws: WebSocketUpgrade| {
        assert!(format!("{ws:?}").starts_with("WebSocketUpgrade {"), "{ws:?}");
        ws.on_upgrade(async |ws| {
            let cookie = ws.request().headers()["cookie"].to_str().unwrap();
            let _ = ws.send(format!("{} {cookie}", ws.request().uri())).await;
        })
    };
    let site = Site::new(Router::new().route("/room/{name}", any(handler))).await;
    let client = Client::new(site.url("/room/7?a=1")).header("cookie", "b=2");
    let mut ws = in_time(client.connect()).await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), "/room/7?a=1 b=2");
    assert_eq!(ending(&mut ws).await.0, 1000);
}
