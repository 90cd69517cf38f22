//! Requests that cannot become a connection: what the client gets, and what the application learns.

use axum::body::Body;
use axum::extract::FromRequestParts as _;
use axum::response::IntoResponse as _;
use ws_tokio::axum::{WebSocketUpgrade, WebSocketUpgradeRejection as Rejection};
use ws_tokio::http::{Request, Version, request};

use crate::common::{Raw, in_time};
use crate::setup::*;

/// A valid request, except that nobody can hand its connection over.
fn valid() -> request::Builder {
    let request = Request::get("/").header("host", "a").header("connection", "Upgrade").header("upgrade", "websocket");
    request.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

async fn reject(request: Request<()>) -> Rejection {
    let (mut parts, ()) = request.into_parts();
    WebSocketUpgrade::from_request_parts(&mut parts, &()).await.unwrap_err()
}

/// A request without one header, or with another value.
async fn reject_with(name: &'static str, value: Option<&str>) -> Rejection {
    let mut request = valid().body(()).unwrap();
    request.headers_mut().remove(name);
    value.map(|value| request.headers_mut().insert(name, value.parse().unwrap()));
    reject(request).await
}

#[tokio::test]
async fn each_mistake_has_its_variant_status_and_headers() {
    type Row = (Rejection, fn(&Rejection) -> bool, u16, &'static [(&'static str, &'static str)], &'static str);
    let rows: Vec<Row> = vec![
        (
            reject(valid().method("POST").body(()).unwrap()).await,
            |r| matches!(r, Rejection::MethodNotAllowed(_)),
            405,
            &[("allow", "GET")],
            "opened with GET",
        ),
        (
            reject_with("upgrade", None).await,
            |r| matches!(r, Rejection::UpgradeRequired(_)),
            426,
            &[("upgrade", "websocket"), ("connection", "close, Upgrade")],
            "A proxy before this server",
        ),
        (
            reject_with("connection", Some("keep-alive")).await,
            |r| matches!(r, Rejection::UpgradeRequired(_)),
            426,
            &[("upgrade", "websocket")],
            "A proxy before this server",
        ),
        (
            reject(Request::get("/").header("host", "a").body(()).unwrap()).await,
            |r| matches!(r, Rejection::UpgradeRequired(_)),
            426,
            &[("upgrade", "websocket")],
            "not as a page",
        ),
        (
            reject_with("sec-websocket-version", Some("8")).await,
            |r| matches!(r, Rejection::UnsupportedVersion(_)),
            426,
            &[("sec-websocket-version", "13"), ("upgrade", "websocket")],
            "version 13",
        ),
        (
            reject_with("sec-websocket-version", None).await,
            |r| matches!(r, Rejection::Malformed(_)),
            400,
            &[],
            "no Sec-WebSocket-Version",
        ),
        (
            reject_with("sec-websocket-key", None).await,
            |r| matches!(r, Rejection::Malformed(_)),
            400,
            &[],
            "no Sec-WebSocket-Key",
        ),
        (
            reject_with("sec-websocket-key", Some("short")).await,
            |r| matches!(r, Rejection::Malformed(_)),
            400,
            &[],
            "16 bytes in Base64",
        ),
        (
            reject_with("sec-websocket-protocol", Some("a b")).await,
            |r| matches!(r, Rejection::Malformed(_)),
            400,
            &[],
            "not a token",
        ),
        (
            reject_with("sec-websocket-extensions", Some(";")).await,
            |r| matches!(r, Rejection::Malformed(_)),
            400,
            &[],
            "Extensions header is malformed",
        ),
        (
            reject(valid().version(Version::HTTP_10).body(()).unwrap()).await,
            |r| matches!(r, Rejection::HttpVersionNotSupported(_)),
            505,
            &[],
            "speaks HTTP/1.1",
        ),
        (
            reject(valid().body(()).unwrap()).await,
            |r| matches!(r, Rejection::NotUpgradable(_)),
            500,
            &[],
            "cannot hand this connection over",
        ),
    ];
    for (rejection, is_expected, status, headers, text) in rows {
        assert!(is_expected(&rejection), "{rejection:?}");
        assert_eq!(rejection.status().as_u16(), status, "{rejection}");
        assert!(rejection.to_string().contains(text), "{rejection}");
        let response = rejection.into_response();
        assert_eq!(response.status().as_u16(), status);
        for (name, value) in headers {
            assert_eq!(response.headers()[*name], value, "{name}");
        }
        let body = axum::body::to_bytes(Body::new(response.into_body()), 1 << 16).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains(text), "{body:?}");
    }
}

/// The same over a socket: the response arrives, and the connection ends.
#[tokio::test]
async fn a_client_reads_the_reason() {
    let axum = Site::echo(|ws| ws).await.address;
    let hyper = hyper_echo(ws_tokio::Server::new()).await;
    for address in [axum, hyper] {
        let rows = [
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "405 ", "allow: GET\r\n"),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "426 ", "upgrade: websocket\r\n"),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n\r\n",
                "426 ",
                "sec-websocket-version: 13\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
                "400 ",
                "no Sec-WebSocket-Key",
            ),
        ];
        for (request, status, text) in rows {
            let mut raw = Raw::new(in_time(tokio::net::TcpStream::connect(address)).await.unwrap());
            raw.write(request).await;
            let response = String::from_utf8(raw.rest().await).unwrap();
            assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{response}");
            assert!(response.contains(text), "{response}");
        }
    }
}
