//! The opening handshake as a server does it: what it accepts, what it answers otherwise (rows H of the table of bad
//! input), over loopback sockets; its deadline over pipes and virtual time.

mod common;

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::Duration;

use common::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};
use ws_tokio::http::{Method, Request, Response, StatusCode, header};
use ws_tokio::{AcceptError, Addresses, Bytes, Client, Rejection, Server, TokioIo};

/// What the server answers to these bytes; after it, the connection has to end.
async fn answer(server: &Running, bytes: impl AsRef<[u8]>) -> Reply {
    let mut raw = server.raw().await;
    raw.write(bytes).await;
    raw.reply().await
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let server = start(Server::new(), echo).await;
    let good = request("/", &[]);
    let many_headers: Vec<String> = (0..100).map(|n| format!("X-{n}: y")).collect();
    let many_headers: Vec<&str> = many_headers.iter().map(String::as_str).collect();
    for (row, bytes, status, text) in [
        ("H1", good.replace("GET", "POST"), 405, "GET"),
        ("H2", good.replace("HTTP/1.1", "HTTP/1.0"), 505, "HTTP/1.1"),
        ("H2", good.replace("HTTP/1.1", "HTTP/2.0"), 505, "HTTP/1.1"),
        ("H3", good.replace("Host: test\r\n", ""), 400, "Host"),
        ("H3", request("/", &["Host: test"]), 400, "Host"),
        ("H4", good.replace("Upgrade: websocket\r\n", ""), 426, "Upgrade"),
        ("H4", good.replace("Upgrade: websocket", "Upgrade: h2c"), 426, "Upgrade"),
        ("H4", good.replace("Connection: Upgrade", "Connection: keep-alive"), 426, "Upgrade"),
        ("H7", good.replace(KEY, "c2hvcnQ="), 400, "Sec-WebSocket-Key"),
        ("H8", good.replace("Sec-WebSocket-Version: 13\r\n", ""), 400, "Sec-WebSocket-Version"),
        ("H9", good.replace("Version: 13", "Version: 8"), 426, "13"),
        ("H10", request("/", &["Sec-WebSocket-Protocol: a,,b"]), 400, "Sec-WebSocket-Protocol"),
        ("H11", request("/", &["Sec-WebSocket-Extensions: ;"]), 400, "Sec-WebSocket-Extensions"),
        ("H15", request("/", &["X : y"]), 400, "colon"),
        ("H15", good.replace("\r\n", "\n"), 400, "line feed"),
        ("H16", request("/", &["Content-Length: 5"]) + "GET /", 400, "body"),
        ("H16", request("/", &["Transfer-Encoding: chunked"]) + "0\r\n\r\n", 400, "body"),
        ("H17", request("/", &many_headers), 431, "100"),
        ("H17", request("/", &[&format!("X: {}", "y".repeat(16 * KIB))]), 431, "16384"),
        ("H18", request(&format!("/{}", "y".repeat(8 * KIB)), &[]), 414, "8192"),
        ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03".to_owned(), 400, "0x16"),
    ] {
        let reply = answer(&server, &bytes).await;
        assert_eq!(reply.status, status, "{row}: {bytes:.300}\n{reply:?}");
        assert!(reply.text().contains(text), "{row}: {}", reply.text());
        assert!(reply.header("connection").is_some_and(|value| value.starts_with("close")), "{row}: {}", reply.head);
        assert!(reply.header("date").is_some_and(|date| date.ends_with(" GMT")), "{row}: {}", reply.head);
        assert_eq!(reply.header("content-length"), Some(reply.body.len().to_string().as_str()), "{row}");
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"), "{row}");
        match status {
            405 => assert_eq!(reply.header("allow"), Some("GET")),
            426 if row == "H4" => assert_eq!(reply.header("upgrade"), Some("websocket")),
            426 => assert_eq!(reply.header("sec-websocket-version"), Some("13")),
            _ => {}
        }
    }
    assert_eq!(server.handle.connections(), 0);
    server.stop().await;
}

#[tokio::test]
async fn requests_that_are_unusual_and_fine() {
    let server = start(Server::new(), echo).await;
    let good = request("/", &[]);
    for request in [
        good.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
        good.replace("Upgrade: websocket", "upgrade: WebSocket"),
        request("/", &["Sec-WebSocket-Extensions: x-unknown; a=1, x-webkit-deflate-frame"]),
        request("/", &["X: caf\u{E9}"]),
        "\r\n".to_owned() + &good,
        request("ws://test/absolute", &[]),
    ] {
        let mut raw = server.raw().await;
        // With a frame right behind the head (H20).
        raw.write([request.as_bytes(), &masked(0x81, "pipelined"), &masked(0x82, pattern(100_000))].concat()).await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{request}{head}");
        assert!(!head.to_ascii_lowercase().contains("sec-websocket-extensions"), "{head}");
        assert_eq!(raw.frame().await, (0x81, b"pipelined".to_vec()));
        assert!(raw.frame().await == (0x82, pattern(100_000)));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_head_may_come_byte_by_byte() {
    let server = start(Server::new(), echo).await;
    let mut raw = server.raw().await;
    for byte in request("/", &[]).bytes() {
        raw.write([byte]).await;
    }
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
    for byte in masked(0x81, "slow") {
        raw.write([byte]).await;
    }
    assert_eq!(raw.frame().await, (0x81, b"slow".to_vec()));
    drop(raw);
    server.stop().await;
}

#[tokio::test]
async fn an_answer_reaches_a_client_that_still_sends() {
    let server = start(Server::new(), echo).await;
    let mut raw = server.raw().await;
    let head = format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", MIB - 1);
    raw.write(head).await;
    // The answer is on its way, and the rest is not wanted any more: it is read all the same, or the answer is lost.
    raw.write(vec![b'x'; MIB - 1]).await;
    raw.finish().await;
    let reply = raw.reply().await;
    assert_eq!(reply.status, 400, "{reply:?}");
    server.stop().await;
}

#[tokio::test]
async fn origins() {
    let origins = ["https://example.com", "http://localhost:3000"];
    let strict = start(Server::new().origins(origins), echo).await;
    let lenient = start(Server::new().origins_or_none(origins), echo).await;
    for server in [&strict, &lenient] {
        for origin in origins {
            close(in_time(Client::new(&server.url("/")).origin(origin).connect()).await.unwrap()).await;
        }
        for origin in ["https://evil.example", "https://example.com.evil.example", "http://example.com", "null"] {
            let error = in_time(Client::new(&server.url("/")).origin(origin).connect()).await.unwrap_err();
            let response = error.response().unwrap();
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{origin}");
            assert!(response.body().starts_with(b"The Origin of this request"), "{response:?}");
        }
    }
    let error = in_time(ws_tokio::connect(&strict.url("/"))).await.unwrap_err();
    assert_eq!(error.response().unwrap().status(), StatusCode::FORBIDDEN);
    close(lenient.connect().await).await;
    strict.stop().await;
    lenient.stop().await;
}

#[tokio::test]
async fn settings_that_cannot_be_are_told_when_the_server_is_to_start() {
    for server in [
        Server::new().origins(["https://example.com/"]),
        Server::new().origins_or_none(["example.com"]),
        Server::new().header("X Y", "z"),
        Server::new().header("X", "a\r\nb"),
        // These would make every connection fail.
        Server::new().header("Sec-WebSocket-Accept", "x"),
        Server::new().header("Content-Length", "0"),
    ] {
        let shown = format!("{server:?}");
        let (near, far) = duplex(KIB);
        drop(near);
        let error = server.accept(TokioIo::new(far), Addresses::default()).await.unwrap_err();
        assert!(matches!(&error, AcceptError::Io(io) if io.kind() == ErrorKind::InvalidInput), "{shown}: {error:?}");
        assert_eq!(server.bind("127.0.0.1:0").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn subprotocols_in_the_servers_order() {
    let server = start(Server::new().subprotocols(["v2", "v1"]), |ws| async move {
        ws.send(ws.subprotocol().unwrap_or("(none)")).await?;
        drain(ws).await
    })
    .await;
    for (offered, chosen) in [
        (&["v1", "v2"][..], Some("v2")),
        (&["v1"], Some("v1")),
        (&["v0", "v1", "V2"], Some("v1")),
        (&["v0"], None),
        (&[], None),
    ] {
        let client = Client::new(&server.url("/")).subprotocols(offered.iter().copied());
        let mut ws = in_time(client.connect()).await.unwrap();
        assert_eq!(ws.subprotocol(), chosen, "{offered:?}");
        assert_eq!(text(&mut ws).await, chosen.unwrap_or("(none)"), "both ends know it");
        close(ws).await;
    }
    server.stop().await;
}

fn answer_http(request: &Request<()>) -> Option<Response<Bytes>> {
    let response = Response::builder();
    let response = match request.uri().path() {
        "/ws" => return None,
        "/page" => response.header(header::CONTENT_TYPE, "text/html").body("<p>Hello\n".into()),
        "/large" => response.body(pattern(4 * MIB).into()),
        "/health" => response.status(StatusCode::NO_CONTENT).body("never sent".into()),
        "/keep" => response.header(header::CONNECTION, "keep-alive").body("".into()),
        "/token" => response
            .status(StatusCode::UNAUTHORIZED)
            .header(header::WWW_AUTHENTICATE, "Bearer")
            .header("X-Method", request.method().as_str())
            .body("who are you?\n".into()),
        "/panic" => panic!("the hook panics on purpose"),
        _ => response.status(StatusCode::NOT_FOUND).body("no such page\n".into()),
    };
    Some(response.unwrap())
}

#[tokio::test]
async fn the_request_hook_answers_plain_http() {
    let server = start(Server::new().on_request(answer_http), echo).await;
    let get = |method: Method, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n");

    let page = answer(&server, get(Method::GET, "/page")).await;
    assert_eq!((page.status, page.text()), (200, "<p>Hello\n"));
    assert_eq!(page.header("content-type"), Some("text/html"));
    assert_eq!(page.header("content-length"), Some("9"));
    assert_eq!(page.header("connection"), Some("close"));
    assert!(page.header("date").is_some());

    let head = answer(&server, get(Method::HEAD, "/page")).await;
    assert_eq!((head.status, head.text()), (200, ""), "a HEAD gets no body");
    assert_eq!(head.header("content-type"), Some("text/html"));

    let health = answer(&server, get(Method::GET, "/health")).await;
    assert_eq!((health.status, health.text(), health.header("content-length")), (204, "", None));

    let keep = answer(&server, get(Method::GET, "/keep")).await;
    assert_eq!((keep.status, keep.header("connection")), (200, Some("close")), "it is closed, and says so");

    let missing = answer(&server, get(Method::POST, "/elsewhere")).await;
    assert_eq!((missing.status, missing.text()), (404, "no such page\n"));

    let token = answer(&server, request("/token", &[])).await;
    assert_eq!((token.status, token.text()), (401, "who are you?\n"));
    assert_eq!((token.header("www-authenticate"), token.header("x-method")), (Some("Bearer"), Some("GET")));

    let panicked = answer(&server, get(Method::GET, "/panic")).await;
    assert_eq!(panicked.status, 500);
    assert!(!panicked.text().contains("on purpose"), "what went wrong is not the client's business");

    let upgrade = answer(&server, get(Method::GET, "/ws")).await;
    assert_eq!(upgrade.status, 426, "no answer of the hook's, and no WebSocket request");

    let large = answer(&server, get(Method::GET, "/large")).await;
    assert!(large.body == pattern(4 * MIB));

    assert_eq!(server.handle.connections(), 0);
    close(in_time(ws_tokio::connect(&server.url("/ws"))).await.unwrap()).await;
    server.stop().await;
}

#[tokio::test]
async fn a_head_request_is_told_how_long_the_page_is() {
    let server = start(Server::new().on_request(answer_http), echo).await;
    let head = answer(&server, "HEAD /page HTTP/1.1\r\nHost: test\r\n\r\n").await;
    // RFC 9110 §9.3.2: the fields that a GET would get.
    assert_eq!(head.header("content-length"), Some("9"), "{}", head.head);
    let refused = answer(&server, "HEAD /ws HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!((refused.status, refused.text()), (405, ""));
    server.stop().await;
}

#[tokio::test]
async fn a_listening_socket_from_elsewhere() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let listening = Server::new().listen_on(listener).unwrap();
    assert_eq!(listening.local_addr().unwrap(), address);
    let handle = listening.handle();
    let task = tokio::spawn(listening.serve(echo));
    close(in_time(ws_tokio::connect(&format!("ws://{address}"))).await.unwrap()).await;
    handle.shutdown();
    in_time(task).await.unwrap().unwrap();
    assert_eq!(Server::new().bind("203.0.113.1:1").await.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
}

/// A server's handshake over a pipe, and its other end.
fn handshake(server: Server) -> (JoinHandle<Result<(), AcceptError>>, Raw<DuplexStream>) {
    let (near, far) = duplex(64 * KIB);
    let task = tokio::spawn(async move {
        let (ws, driver) = server.accept(TokioIo::new(far), Addresses::default()).await?;
        drop(ws);
        driver.await;
        Ok(())
    });
    (task, Raw::new(near))
}

async fn refusal(task: JoinHandle<Result<(), AcceptError>>) -> AcceptError {
    in_time(task).await.unwrap().expect_err("no connection")
}

#[tokio::test]
async fn accept_tells_why_there_is_no_connection() {
    let (task, mut raw) = handshake(Server::new().on_request(answer_http));
    raw.write(request("/token", &[])).await;
    assert_eq!(raw.reply().await.status, 401);
    drop(raw);
    assert!(matches!(refusal(task).await, AcceptError::Answered(StatusCode::UNAUTHORIZED)));

    let (task, mut raw) = handshake(Server::new().origins(["https://example.com"]));
    raw.write(request("/", &[])).await;
    assert_eq!(raw.reply().await.status, 403);
    drop(raw);
    assert!(matches!(refusal(task).await, AcceptError::Rejected(rejection)
        if rejection.status() == 403 && rejection.message() != Rejection::request_timeout().message()));

    let (task, mut raw) = handshake(Server::new());
    raw.write("GET / HT").await;
    drop(raw);
    assert!(matches!(refusal(task).await, AcceptError::Eof));
}

#[tokio::test(start_paused = true)]
async fn a_head_at_one_byte_a_second_gets_408_at_ten_seconds() {
    let started = Instant::now();
    let (task, mut raw) = handshake(Server::new());
    let mut second = interval(Duration::from_secs(1));
    let request = request("/", &[]);
    let mut bytes = request.bytes();
    let mut reply = [0; 4096];
    let n = loop {
        tokio::select! {
            biased;
            read = raw.stream.read(&mut reply) => break read.unwrap(),
            _ = second.tick() => raw.stream.write_u8(bytes.next().expect("an answer before the head ends")).await.unwrap(),
        }
    };
    assert_eq!(started.elapsed().as_secs(), 10);
    assert!(reply[..n].starts_with(b"HTTP/1.1 408 Request Timeout\r\n"));
    assert_eq!(raw.stream.read(&mut reply).await.unwrap(), 0);
    drop(raw);
    assert!(matches!(refusal(task).await, AcceptError::Timeout));
    assert_eq!(started.elapsed().as_secs(), 10, "nothing else to wait for once the client has left");
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_and_stays_is_left_two_seconds_after_the_408() {
    let started = Instant::now();
    let (task, raw) = handshake(Server::new().handshake_timeout(Duration::from_secs(3)));
    assert!(matches!(refusal(task).await, AcceptError::Timeout));
    assert_eq!(started.elapsed().as_secs(), 5);
    drop(raw);
}

#[tokio::test(start_paused = true)]
async fn who_sends_without_end_after_a_refusal_is_left() {
    let (task, mut raw) = handshake(Server::new());
    raw.write("POST / HTTP/1.0\r\n").await;
    let chunk = vec![b'x'; 64 * KIB];
    let mut sent = 0;
    while raw.stream.write_all(&chunk).await.is_ok() {
        sent += chunk.len();
        assert!(sent < 2 * MIB, "more is read than anybody needs");
    }
    assert!(matches!(refusal(task).await, AcceptError::Rejected(rejection) if rejection.status() == 505));
}
