//! Settings hold: those of the extractor, and those of a server in the request's extensions.

use std::time::Duration;

use axum::routing::any;
use axum::{Extension, Router};
use ws_test_support::frames::{CONTINUES, LAST, PING, TEXT_BEGINS, to};
use ws_tokio::axum::WebSocketUpgrade;
use ws_tokio::{Bytes, Client, Config, Server};

use crate::common::{echo, ending, in_time, until};
use crate::setup::*;

#[tokio::test]
async fn limits_hold() {
    let site = Site::echo(|ws| ws.max_message_size(10).max_frame_size(5)).await;
    let mut ws = site.connect().await;
    ws.send("12345").await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), "12345");
    ws.send("123456").await.unwrap();
    assert_eq!(ending(&mut ws).await.0, 1009, "the frame");
    let mut ws = site.connect().await;
    for (part, last) in [("12345", false), ("67890", false), ("1", true)] {
        ws.send_fragment(part, last).await.unwrap();
    }
    assert_eq!(ending(&mut ws).await.0, 1009, "the message");
}

#[tokio::test]
async fn limits_and_deadlines_are_replaced_or_changed() {
    let mut config = Config::default();
    config.limits.message = Some(3);
    let replaced = Site::echo(move |ws| ws.max_message_size(100).config(config.clone())).await;
    let changed = Site::echo(|ws| ws.configure(|config| config.limits.fragments = Some(1))).await;
    let mut ws = replaced.connect().await;
    ws.send("1234").await.unwrap();
    assert_eq!(ending(&mut ws).await.0, 1009);
    let mut raw = changed.raw().await;
    raw.upgrade("/").await;
    let server = ws_proto::Role::Server;
    raw.write([to(server, TEXT_BEGINS, "a"), to(server, LAST | CONTINUES, "b")].concat()).await;
    assert!(raw.rest().await.windows(2).any(|code| code == 1009u16.to_be_bytes()));
}

#[tokio::test]
async fn the_outgoing_queue_has_the_sizes_of_the_extractor() {
    let handler = async |ws: WebSocketUpgrade| {
        ws.write_buffer_size(1000).max_write_buffer_size(5000).on_upgrade(async |ws| {
            // Nobody reads, so the system's buffers fill first.
            while tokio::time::timeout(Duration::from_millis(200), ws.send(vec![0; 900])).await.is_ok() {}
            let _ = TOLD.set((0..10).filter(|_| ws.try_send(vec![0; 900]).is_ok()).count());
            hang(ws).await
        })
    };
    static TOLD: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let site = Site::new(Router::new().route("/", any(handler))).await;
    let mut raw = site.raw().await;
    raw.upgrade("/").await;
    in_time(async {
        while TOLD.get().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // `send` waits from 1,000 bytes on, or from 1,903: then 5,000 are not reached before the third or fourth message.
    assert!(matches!(TOLD.get(), Some(3 | 4)), "{TOLD:?}");
}

#[tokio::test]
async fn keepalive_runs_beside_a_busy_handler() {
    let handler = async |ws: WebSocketUpgrade| {
        let ws = ws.configure(|config| config.deadlines.ping_interval = Some(Duration::from_millis(50)));
        ws.on_upgrade(hang)
    };
    let site = Site::new(Router::new().route("/", any(handler))).await;
    let mut raw = site.raw().await;
    raw.upgrade("/").await;
    let mut first = [0; 1];
    in_time(tokio::io::AsyncReadExt::read_exact(&mut raw.stream, &mut first)).await.unwrap();
    assert_eq!(first, [PING]);
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn compression_is_agreed_on_unless_it_is_off() {
    let on = Site::echo(|ws| ws).await;
    let off = Site::echo(|ws| ws.compression(None)).await;
    for (site, agreed) in [(on, true), (off, false)] {
        let mut ws = site.connect().await;
        assert_eq!(ws.response().headers().contains_key("sec-websocket-extensions"), agreed);
        ws.send("over and over, ".repeat(1000)).await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap().unwrap().len(), 15_000);
    }
}

#[tokio::test]
async fn a_server_in_the_extensions_decides() {
    let server =
        Server::new().origins(["https://example.com"]).max_connections(1).header("x-a", "1").on_request(|request| {
            (request.uri().path() == "/private").then(|| {
                let mut response = ws_tokio::http::Response::new(Bytes::from_static(b"not you"));
                *response.status_mut() = ws_tokio::http::StatusCode::UNAUTHORIZED;
                response
            })
        });
    let handle = server.handle();
    let handler = async |ws: WebSocketUpgrade| ws.on_upgrade(echo);
    let app = Router::new().route("/", any(handler)).route("/private", any(handler)).layer(Extension(server));
    let site = Site::new(app).await;
    let ours = |path: &str| Client::new(site.url(path)).origin("https://example.com");
    assert_eq!(status(in_time(site.client().origin("https://elsewhere.example").connect()).await), 403);
    assert_eq!(status(in_time(ours("/private").connect()).await), 401);
    let ws = in_time(ours("/").connect()).await.unwrap();
    assert_eq!(ws.response().headers()["x-a"], "1");
    assert_eq!(handle.connections(), 1);
    assert_eq!(status(in_time(ours("/").connect()).await), 503, "the limit of connections");
    drop(ws);
    until(|| handle.connections() == 0).await;
    assert!(in_time(ours("/").connect()).await.is_ok());
}

#[tokio::test]
async fn a_server_can_be_given_to_one_extractor() {
    let server = Server::new().origins(["https://example.com"]).subprotocols(["chat"]);
    let site = Site::echo(move |ws| ws.server(&server)).await;
    assert_eq!(status(in_time(site.client().connect()).await), 403);
    let client = site.client().origin("https://example.com").subprotocols(["chat"]);
    assert_eq!(in_time(client.connect()).await.unwrap().subprotocol(), Some("chat"));
}

/// The forms that wait, and those that do not.
#[cfg(feature = "auth")]
#[tokio::test]
async fn hooks_that_take_time_need_a_form_that_waits() {
    let server = Server::new().handshake_timeout(Duration::from_secs(1)).bearer_auth("chat", |token| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        match token.as_str() {
            "slow" => std::future::pending().await,
            _ => token.is("t0ken").then_some("ann"),
        }
    });
    let greet = async |ws: ws_tokio::WebSocket| {
        let _ = ws.send(ws.user().unwrap_or("nobody").to_owned()).await;
    };
    let waits = async move |ws: WebSocketUpgrade| ws.on_upgrade_async(greet).await;
    let does_not = async move |ws: WebSocketUpgrade| ws.on_upgrade(greet);
    let app = Router::new().route("/", any(waits)).route("/at-once", any(does_not)).layer(Extension(server.clone()));
    let site = Site::new(app).await;
    let client = |path: &str, token: &str| {
        let client = Client::new(site.url(path));
        client.header("Authorization", format!("Bearer {token}"))
    };
    let mut ws = in_time(client("/", "t0ken").connect()).await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), "ann");
    for (path, token, expected) in [("/", "guess", 401), ("/", "slow", 503), ("/at-once", "t0ken", 500)] {
        assert_eq!(status(in_time(client(path, token).connect()).await), expected, "{path} {token}");
    }
    drop(ws);
    until(|| server.handle().connections() == 0).await;
}
