//! Connections that are opened, refused and ended; and what a peer says in those lines.

use crate::common::*;
#[cfg(feature = "tls")]
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tracing::Level;
use ws_tokio::http::{Response, StatusCode};
use ws_tokio::{Client, Escaped, Server, WebSocket, handler};

use super::*;

#[tokio::test]
async fn a_connection_is_traced_from_its_opening_to_its_end() {
    capture();
    let server = start(Server::new().subprotocols(["chat"]), |ws| async move {
        tracing::info!("said by the handler");
        let subscription = ws.subprotocol() == Some("chat");
        drain(ws).await?;
        assert!(subscription);
        Ok(())
    })
    .await;
    let client = Client::new(server.url("/room/7?token=secret")).subprotocols(["chat"]);
    let ws = in_time(client.connect()).await.unwrap();
    let port = ws.local_addr().unwrap().port().to_string();
    in_time(ws.close(4000, "kicked")).await.unwrap();
    server.stop().await;

    // The client's end is traced as well; only the server's has this peer.
    let open = line(Level::INFO, &format!("peer=127.0.0.1:{port} "));
    assert!(open.starts_with("connection open id="), "{open}");
    assert!(
        open.contains(&port) && open.contains(" path=\"/room/7\"") && open.contains("subprotocol=\"chat\""),
        "{open}"
    );
    let closed = wait_for(Level::INFO, "connection closed: closed by the peer").await;
    assert!(closed.contains("received 4000 (private use) kicked; sent 4000") && closed.contains(&port), "{closed}");
    let handler = TRACED.with_borrow(|all| all.iter().find(|event| event.line == "said by the handler").cloned());
    assert_eq!(handler.unwrap().spans, ["websocket"], "what a handler traces is in its connection's span");
    let spans =
        |line: &str| TRACED.with_borrow(|all| all.iter().find(|event| event.line == line).unwrap().spans.clone());
    for line in [&open, &closed] {
        assert_eq!(spans(line), ["websocket"], "so is what its driver traces: {line}");
    }
    assert_eq!(traced(Level::ERROR), [""; 0]);
    assert_eq!(traced(Level::WARN), [""; 0]);
    assert!(!traced(Level::INFO).concat().contains("secret"), "queries can hold secrets");
}

#[tokio::test]
async fn a_client_traces_opening_and_end_too() {
    capture();
    let server = fake_server(|mut raw| async move {
        raw.accept(b"\x88\x05\x03\xE9bye").await;
        raw.finish().await;
        raw.rest().await;
    })
    .await;
    let mut ws = in_time(ws_tokio::connect(&server.url)).await.unwrap();
    assert_eq!(ending(&mut ws).await.0, 1001);
    server.done().await;
    line(Level::INFO, "connection open");
    let closed = line(Level::INFO, "connection closed");
    assert!(closed.contains("1001 (going away) bye"), "{closed}");
    let event = TRACED.with_borrow(|all| all.iter().find(|event| event.line == closed).cloned());
    assert_eq!(event.unwrap().spans, ["websocket"], "a driver in a task of its own has a span, too");
}

#[tokio::test]
async fn a_connection_of_accept_is_traced_too() {
    capture();
    let (ws, client) = piped(Server::new(), Client::new("ws://test/")).await;
    drop(client);
    in_time(ws.closed()).await;
    assert_eq!(traced(Level::INFO).iter().filter(|line| line.starts_with("connection open")).count(), 2, "both ends");
    assert_eq!(traced(Level::INFO).iter().filter(|line| line.starts_with("connection closed")).count(), 2, "both ends");
}

#[tokio::test]
async fn refusals_are_traced_with_their_reason() {
    capture();
    let hook = |request: &ws_tokio::http::Request<()>| match request.uri().path() {
        "/health" => Some(Response::builder().status(StatusCode::NO_CONTENT).body("".into()).unwrap()),
        "/panic" => panic!("the hook panics on purpose"),
        _ => None,
    };
    let server = start(Server::new().origins(["https://example.com"]).on_request(hook), echo).await;
    for (bytes, level, part, says) in [
        (
            request("/", &[]),
            Level::INFO,
            "status=403",
            "connection rejected: 403 Forbidden: The request has no Origin header",
        ),
        (request("/health", &[]), Level::INFO, "status=204", "request answered"),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), Level::INFO, "status=505", "connection rejected: 505"),
        (request("/panic", &[]), Level::ERROR, "hook", "the request hook panicked"),
    ] {
        let mut raw = server.raw().await;
        raw.write(bytes).await;
        raw.rest().await;
        drop(raw);
        let line = wait_for(level, part).await;
        assert!(line.starts_with(says), "{line}");
        assert!(level == Level::ERROR || line.contains("peer=127.0.0.1:"), "{line}");
    }
    let mut raw = server.raw().await;
    raw.write("GET /").await;
    drop(raw);
    wait_for(Level::INFO, "opening handshake failed: the client left before its request was complete").await;
    server.stop().await;
}

#[cfg(feature = "proxies")]
#[tokio::test]
async fn behind_a_proxy_lines_tell_of_the_client_too() {
    capture();
    let server = start(Server::new().trusted_proxies(["127.0.0.1"]).on_request(|_| None), echo).await;
    let mut raw = server.raw().await;
    raw.write(request("/", &["X-Forwarded-For: 203.0.113.9"])).await;
    raw.finish().await;
    raw.rest().await;
    for part in ["connection open", "connection closed"] {
        let line = wait_for(Level::INFO, part).await;
        assert!(line.contains(" peer=127.0.0.1:") && line.contains(" client=203.0.113.9"), "{line}");
    }
    let mut raw = server.raw().await;
    raw.write("GET / HTTP/1.1\r\nHost: test\r\nX-Real-IP: 2001:db8::9\r\n\r\n").await;
    raw.rest().await;
    let line = wait_for(Level::INFO, "connection rejected").await;
    assert!(line.contains(" peer=127.0.0.1:") && line.contains(" client=2001:db8::9"), "{line}");
    // Where there is no proxy, there is nothing else to tell.
    let mut raw = server.raw().await;
    raw.write("GET /").await;
    drop(raw);
    let line = wait_for(Level::INFO, "opening handshake failed").await;
    assert!(line.contains(" peer=127.0.0.1:") && !line.contains("client="), "{line}");
    server.stop().await;
}

#[tokio::test]
async fn clients_that_say_nothing_are_traced_at_debug() {
    capture();
    let server = start(Server::new(), echo).await;
    // By an end, and by a reset, as health checks do.
    drop(server.raw().await);
    until(|| traced(Level::DEBUG).iter().any(|line| line.starts_with("the client connected and left"))).await;
    let raw = server.raw().await;
    raw.stream.set_zero_linger().unwrap();
    drop(raw);
    until(|| traced(Level::DEBUG).iter().filter(|line| line.starts_with("the client connected and")).count() == 2)
        .await;
    server.stop().await;
    assert_eq!(traced(Level::INFO), [""; 0]);
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_client_without_tls_is_logged_in_one_line() {
    capture();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let secure = Server::new().tls(cert.pem(), signing_key.serialize_pem());
    let server = start(secure, echo).await;
    let mut raw = server.raw().await;
    raw.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n").await;
    raw.rest().await;
    drop(raw);
    let line = wait_for(Level::INFO, "opening handshake failed").await;
    assert!(line.contains("the peer does not speak TLS; it may speak plain HTTP (ws://)"), "{line}");
    server.stop().await;
}

#[tokio::test]
async fn failures_are_traced_with_their_causes() {
    capture();
    async fn fails(_: WebSocket) -> anyhow::Result<()> {
        let missing = std::io::Error::other("no such file: users.txt");
        Err(anyhow::Error::new(missing).context("reading the users").context("greeting"))
    }
    async fn boxed(ws: WebSocket) -> Result<(), Box<dyn std::error::Error>> {
        Ok(fails(ws).await?)
    }
    for way in 0..3 {
        let server = start(Server::new(), move |ws| async move {
            match way {
                0 => Ok(fails(ws).await?),
                1 => handler(fails)(ws).await,
                _ => handler(boxed)(ws).await,
            }
        })
        .await;
        let mut ws = server.connect().await;
        assert_eq!(ending(&mut ws).await.0, 1011);
        server.stop().await;
    }
    let errors = traced(Level::ERROR);
    assert_eq!(errors.len(), 3);
    for error in errors {
        let expected = "connection handler failed: greeting: reading the users: no such file: users.txt id=";
        assert!(error.starts_with(expected), "{error}");
    }
}

#[tokio::test]
async fn text_from_a_peer_forges_no_log_line() {
    capture();
    const NASTY: &str = "bye\n2026-11-30 INFO all is well\r\u{1b}[2K\u{9b}31m\u{202e}\u{2028}";
    let server = start(Server::new(), |mut ws| async move {
        let path = ws.request().uri().path().to_owned();
        let said = ws.recv().await?.unwrap();
        match path.as_str() {
            "/error" => Err(said.as_text().unwrap().into()),
            "/panic" => panic!("{}", said.as_text().unwrap()),
            // Its own end is no failure, the message that quotes it is one.
            _ => Err(ws.recv().await.unwrap_err().to_string().into()),
        }
    })
    .await;
    for path in ["/error", "/panic", "/close"] {
        let ws = in_time(ws_tokio::connect(&server.url(path))).await.unwrap();
        in_time(ws.send(NASTY)).await.unwrap();
        if path == "/close" {
            in_time(ws.close(4000, NASTY)).await.unwrap();
        }
        in_time(ws.closed()).await;
    }
    let mut raw = server.raw().await;
    raw.write("GET /\u{9b}31m\u{202e} HTTP/1.1\r\n\r\n").await;
    raw.rest().await;
    server.stop().await;
    assert_eq!(traced(Level::ERROR).len(), 3, "{:#?}", traced(Level::ERROR));
    wait_for(Level::INFO, "connection rejected: 400").await;
    for event in TRACED.with_borrow(Clone::clone) {
        assert!(!event.line.contains(|c| Escaped(c).is_unsafe()), "{:?}", event.line);
    }
    assert!(traced(Level::DEBUG).iter().any(|line| line.contains("bye\\n2026")), "{:#?}", traced(Level::DEBUG));
}

#[cfg(feature = "proxies")]
#[tokio::test]
async fn the_credentials_of_a_proxy_are_not_logged() {
    capture();
    let proxy = fake_server(|mut raw| async move {
        raw.head().await;
        raw.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").await;
        raw.rest().await;
    })
    .await;
    let address = proxy.url.trim_start_matches("ws://").trim_end_matches('/').to_owned();
    let client = Client::new("ws://server.test/").proxy(format!("http://me:hunter2@{address}"));
    let error = in_time(client.connect()).await.unwrap_err();
    proxy.done().await;
    line(Level::DEBUG, "> Proxy-Authorization: …");
    let asked = line(Level::DEBUG, "asking a proxy for a tunnel");
    assert!(asked.contains(&address) && asked.contains("server.test:80"), "{asked}");
    // The password, and the password in base64.
    for secret in ["hunter2", "aHVudGVyMg", "h1bnRlcjI", "odW50ZXIy"] {
        assert!(!error.to_string().contains(secret) && !format!("{error:?}").contains(secret), "{error}");
        assert!(TRACED.with_borrow(|all| all.iter().all(|event| !event.line.contains(secret))));
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn certificates_that_cannot_be_renewed_are_named_and_plain_http_on_their_port_is() {
    capture();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = ["cert", "key"].map(|name| std::env::temp_dir().join(format!("ws-log-{}-{name}", std::process::id())));
    std::fs::write(&files[0], cert.pem()).unwrap();
    std::fs::write(&files[1], signing_key.serialize_pem()).unwrap();
    let tls =
        ws_tokio::ServerTls::new().certificate_files(&files[0], &files[1]).reload_every(std::time::Duration::ZERO);
    let server = start(Server::new().tls_with(tls), echo).await;
    let connect = || Client::new(server.url("/").replace("ws://127.0.0.1", "wss://localhost")).ca(cert.pem()).connect();
    drop(in_time(connect()).await.unwrap());
    assert_eq!(traced(Level::ERROR), [""; 0]);
    std::fs::write(&files[0], &cert.pem()[..100]).unwrap();
    drop(in_time(connect()).await.unwrap());
    let told = line(Level::ERROR, "the TLS certificates were not renewed, and the old ones stay in use: ");
    assert!(told.contains(&files[0].display().to_string()) && told.contains("invalid PEM"), "{told}");
    std::fs::write(&files[0], cert.pem()).unwrap();
    let error = in_time(Client::new(server.url("/")).connect()).await.unwrap_err();
    assert_eq!(error.response().unwrap().status(), 400);
    server.stop().await;
    wait_for(Level::INFO, "opening handshake failed: the peer does not speak TLS").await;
    files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
}
