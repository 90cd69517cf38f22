//! What is traced: opened, closed and rejected connections at INFO, messages at DEBUG, failures of handlers at ERROR.

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::sync::Once;
use std::time::Duration;

use crate::common::*;
use anyhow::Context as _;
#[cfg(feature = "tls")]
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};
use ws_test_support::frames::{KEY, frame};
use ws_tokio::http::{Response, StatusCode};
use ws_tokio::{Client, CloseCode, Escaped, Message, Server, WebSocket, handler};

thread_local! {
    /// What this test traced: with a runtime of one thread, all its tasks run where the test does.
    static TRACED: RefCell<Vec<Traced>> = const { RefCell::new(Vec::new()) };
}

#[derive(Clone, Debug)]
struct Traced {
    level: Level,
    /// The message, then ` name=value` for each field.
    line: String,
    /// The names of the spans it was in.
    spans: Vec<&'static str>,
}

/// Writes what this thread traces into `TRACED`.
struct Capture;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, context: LayerContext<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let spans = context.event_scope(event).into_iter().flatten().map(|span| span.name()).collect();
        let traced = Traced { level: *event.metadata().level(), line: line.message + &line.fields, spans };
        let target = event.metadata().target();
        assert!(!target.starts_with("ws_") || target == "ws_tokio", "every event has the same target, not {target}");
        if target == "ws_tokio" || target == module_path!() {
            TRACED.with_borrow_mut(|all| all.push(traced));
        }
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Registry::default().with(Capture)).unwrap());
}

fn traced(level: Level) -> Vec<String> {
    TRACED.with_borrow(|all| all.iter().filter(|event| event.level == level).map(|event| event.line.clone()).collect())
}

/// The one line of that level that holds `part`.
fn line(level: Level, part: &str) -> String {
    let lines: Vec<_> = traced(level).into_iter().filter(|line| line.contains(part)).collect();
    assert_eq!(lines.len(), 1, "lines with {part:?} at {level} among {:#?}", TRACED.with_borrow(Clone::clone));
    lines.into_iter().next().unwrap()
}

async fn wait_for(level: Level, part: &str) -> String {
    until(|| traced(level).iter().any(|line| line.contains(part))).await;
    line(level, part)
}

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
async fn failures_of_handlers_are_errors_and_ends_of_connections_are_not() {
    capture();
    let server = start(Server::new(), |mut ws| async move {
        match ws.request().uri().path() {
            "/error" => Err("it failed on purpose".into()),
            "/panic" => panic!("it panics on purpose"),
            "/sends" => loop {
                ws.send("until this fails").await?;
                tokio::task::yield_now().await;
            },
            _ => loop {
                ws.recv().await?;
            },
        }
    })
    .await;
    for path in ["/error", "/panic"] {
        let mut ws = in_time(ws_tokio::connect(&server.url(path))).await.unwrap();
        assert_eq!(ending(&mut ws).await, (1011, "internal error".to_owned()));
    }
    wait_for(Level::ERROR, "connection handler failed: it failed on purpose id=").await;
    wait_for(Level::ERROR, "connection handler failed: the handler panicked: it panics on purpose id=").await;

    for path in ["/", "/sends"] {
        let raw = {
            let mut raw = server.raw().await;
            raw.upgrade(path).await;
            raw
        };
        raw.stream.set_zero_linger().unwrap();
        drop(raw);
    }
    until(|| server.handle.connections() == 0).await;
    server.stop().await;
    assert_eq!(traced(Level::ERROR).len(), 2, "{:#?}", traced(Level::ERROR));
}

#[tokio::test]
async fn what_a_peer_says_forges_no_line() {
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

#[tokio::test]
async fn a_handler_that_fails_because_of_another_connection_has_failed() {
    capture();
    // A gateway: the handler's own connection is fine, the one behind it is not.
    let backend = fake_server(|mut raw| async move {
        raw.accept(b"").await;
    })
    .await;
    let url = backend.url.clone();
    let server = start(Server::new(), move |_ws| {
        let url = url.clone();
        async move {
            let mut behind = ws_tokio::connect(&url).await?;
            behind.recv().await?;
            Ok(())
        }
    })
    .await;
    let mut ws = server.connect().await;
    assert_eq!(ending(&mut ws).await.0, 1011);
    server.stop().await;
    line(Level::ERROR, "connection handler failed");
}

#[tokio::test]
async fn messages_are_traced_at_debug_and_elided() {
    capture();
    let (mut server, client) = piped(Server::new(), Client::new("ws://test/")).await;
    client.send("short\n").await.unwrap();
    client.send("é".repeat(1000)).await.unwrap();
    client.send(vec![0xAB; 1000]).await.unwrap();
    client.ping().await.unwrap();
    for _ in 0..3 {
        server.recv().await.unwrap();
    }
    for direction in ["<", ">"] {
        line(Level::DEBUG, &format!("{direction} text 'short\\n' [6 bytes]"));
        let long = line(Level::DEBUG, &format!("{direction} text 'éé"));
        assert!(long.contains(&format!("'{}…' [2000 bytes]", "é".repeat(75))), "{long}");
        let binary = line(Level::DEBUG, &format!("{direction} binary ab"));
        assert!(binary.contains("…") && binary.contains("[1000 bytes]") && binary.len() < 120, "{binary}");
    }
    in_time(async { tokio::join!(client.close(4000, "why"), server.closed()) }).await.0.unwrap();
    assert!(traced(Level::DEBUG).iter().all(|line| line.len() < 300), "{:#?}", traced(Level::DEBUG));
    assert_eq!(traced(Level::DEBUG).iter().filter(|line| line.contains("4000 (private use) why")).count(), 2);
}

#[tokio::test]
async fn a_handler_that_has_never_received_is_named_once_when_reading_stops() {
    capture();
    let server = start(Server::new(), |mut ws| async move {
        ws.send(ws.id().to_string()).await?;
        if ws.request().uri() == "/receives" {
            ws.recv().await?;
        }
        loop {
            ws.send("tick").await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let mut sockets = Vec::new();
    for path in ["/receives", "/"] {
        let mut ws = Client::new(format!("ws://{}{path}", server.address)).connect().await.unwrap();
        let id = ws.recv().await.unwrap().unwrap();
        for _ in 0..100 {
            ws.send("heartbeat").await.unwrap();
        }
        ws.flush().await.unwrap();
        sockets.push((ws, id));
    }
    wait_for(Level::WARN, "should call WebSocket::send_only").await;
    let warned = line(Level::WARN, "16 messages wait, and the application has never received one");
    assert!(warned.ends_with(&format!("id={}", sockets[1].1)), "{warned}");
}

/// A frame as a client sends it.
fn masked(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(first, payload, Some(KEY))
}

#[tokio::test]
async fn every_frame_is_traced_at_debug() {
    capture();
    let (server, mut raw) = piped_server(Server::new()).await;
    raw.write([&masked(0x89, "are you there?")[..], &masked(0x01, "Hel")].concat()).await;
    raw.write(&masked(0x80, "lo\n")[..3]).await;
    raw.write(&masked(0x80, "lo\n")[3..]).await;
    raw.write(masked(0x82, vec![0xAB; 1000])).await;
    raw.write(masked(0x88, b"\x0F\xA0why")).await;
    server.send("é".repeat(100)).await.unwrap();
    in_time(server.closed()).await;
    let frames: Vec<_> = traced(Level::DEBUG).into_iter().filter(|line| line.contains(" frame ")).collect();
    let id = server.id();
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for expected in [
        format!("< frame PING FIN {} [14 bytes] id={id}", hex("are you there?")),
        format!("> frame PONG FIN {} [14 bytes] id={id}", hex("are you there?")),
        format!("< frame TEXT 'Hel' [3 bytes] id={id}"),
        format!("< frame CONTINUATION FIN 'lo\\n' [3 bytes] id={id}"),
        format!("< frame BINARY FIN {}… [1000 bytes] id={id}", "ab".repeat(37)),
        format!("> frame TEXT FIN '{}…' [200 bytes] id={id}", "é".repeat(75)),
        format!("< frame CLOSE FIN 4000 (private use) why [5 bytes] id={id}"),
        format!("> frame CLOSE FIN 4000 (private use) [2 bytes] id={id}"),
    ] {
        assert_eq!(frames.iter().filter(|frame| **frame == expected).count(), 1, "{expected:?} among {frames:#?}");
    }
    assert_eq!(frames.len(), 8);
}

#[tokio::test]
async fn frames_are_traced_as_they_travel_compressed_or_against_the_rules() {
    capture();
    let (server, client) = piped(Server::new(), Client::new("ws://test/")).await;
    client.send("text, ".repeat(100)).await.unwrap();
    client.close(1000, "").await.unwrap();
    drop(server);
    let compressed = line(Level::DEBUG, "< frame TEXT");
    assert_eq!(cfg!(feature = "deflate"), compressed.starts_with("< frame TEXT FIN RSV1 "), "{compressed}");
    line(Level::DEBUG, "> frame TEXT");
    let (server, mut raw) = piped_server(Server::new()).await;
    raw.write(b"\x83\x80\0\0\0\0").await;
    in_time(server.closed()).await;
    line(Level::DEBUG, "< frame 83 is none: reserved opcode");
    line(Level::DEBUG, "> frame CLOSE FIN 1002 (protocol error)");
}

#[tokio::test]
async fn heads_are_traced_at_debug_without_what_lets_others_in() {
    capture();
    let server = start(Server::new().header("Set-Cookie", "session=our-secret"), echo).await;
    let url = server.url("/room?n=1").replace("ws://", "ws://user:url-secret@");
    let client = Client::new(url).header("Cookie", "session=their-secret").header("X-Example", "shown");
    let ws = in_time(client.connect()).await.unwrap();
    ws.close(1000, "").await.unwrap();
    server.stop().await;
    for direction in ["<", ">"] {
        line(Level::DEBUG, &format!("{direction} GET /room?n=1 HTTP/1.1"));
        line(Level::DEBUG, &format!("{direction} X-Example: shown"));
        line(Level::DEBUG, &format!("{direction} HTTP/1.1 101"));
    }
    let lines = traced(Level::DEBUG);
    let hidden = |name: &str| lines.iter().filter(|line| line.to_lowercase().contains(&format!(" {name}: …"))).count();
    assert_eq!((hidden("authorization"), hidden("cookie"), hidden("set-cookie")), (2, 2, 2), "{lines:#?}");
    assert!(!lines.concat().contains("secret"), "{lines:#?}");
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

#[tokio::test]
async fn an_end_that_a_handler_has_wrapped_is_no_failure() {
    capture();
    async fn wrapped(mut ws: WebSocket) -> anyhow::Result<()> {
        match ws.request().uri().path() {
            "/bare" => while ws.recv().await?.is_some() {},
            "/context" => while ws.recv().await.context("receiving").context("serving")?.is_some() {},
            "/io" => while ws.recv().await.map_err(std::io::Error::other)?.is_some() {},
            "/sends" => loop {
                ws.send("until this fails").await?;
                tokio::task::yield_now().await;
            },
            _ => anyhow::bail!("its own failure"),
        }
        Ok(())
    }
    async fn boxed(ws: WebSocket) -> Result<(), Box<dyn std::error::Error>> {
        Ok(wrapped(ws).await?)
    }
    for way in 0..3 {
        let server = start(Server::new(), move |ws| async move {
            match way {
                0 => Ok(wrapped(ws).await?),
                1 => handler(wrapped)(ws).await,
                _ => handler(boxed)(ws).await,
            }
        })
        .await;
        for path in ["/bare", "/context", "/io", "/sends"] {
            let raw = {
                let mut raw = server.raw().await;
                raw.upgrade(path).await;
                raw
            };
            raw.stream.set_zero_linger().unwrap();
            drop(raw);
        }
        until(|| server.handle.connections() == 0).await;
        server.stop().await;
    }
    assert_eq!(traced(Level::ERROR), [""; 0]);
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
async fn handlers_that_are_dropped_are_named() {
    capture();
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new().drain_timeout(Duration::from_millis(20)), move |ws| {
        let tell = tell.clone();
        async move {
            tell.send(ws.id())?;
            ws.send(Message::from("busy")).await?;
            std::future::pending().await
        }
    })
    .await;
    let ws = server.connect().await;
    let id = in_time(told.recv()).await.unwrap();
    let closed = tokio::spawn(async move { ws.close(CloseCode::NORMAL, "").await });
    server.handle.shutdown();
    in_time(server.task).await.unwrap().unwrap();
    let _ = in_time(closed).await;
    wait_for(Level::WARN, "1 connections were still open when the drain deadline passed").await;
    let error = wait_for(Level::ERROR, "the handler was still running when the server stopped").await;
    assert!(error.contains(&format!("id={id}")), "{error}");
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn what_does_not_speak_tls_is_told_of_in_a_line() {
    capture();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let secure = Server::new().tls(cert.pem(), signing_key.serialize_pem());
    let server = start(secure, echo).await;
    let mut raw = server.raw().await;
    raw.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n").await;
    raw.rest().await;
    drop(raw);
    let line = wait_for(Level::INFO, "opening handshake failed").await;
    assert!(line.contains("the peer does not speak TLS: is this plain HTTP on one side?"), "{line}");
    server.stop().await;
}
