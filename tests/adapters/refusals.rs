//! A server's answers to requests that it does not accept (rows H of the table of bad input), and its deadline for a
//! request.

use super::setup::*;
use http::{Method, Request, Response, StatusCode, header};

/// What the server answers to these bytes; after it, the connection has to end.
fn answer(server: &Running, bytes: impl AsRef<[u8]>) -> Reply {
    let mut peer = server.peer();
    peer.write(bytes);
    peer.reply()
}

#[test]
fn bad_requests_are_told_what_is_wrong() {
    let server = start(Server::new(), echo);
    let good = request("/", &[]);
    let many_headers: Vec<String> = (0..100).map(|n| format!("X-{n}: y")).collect();
    let many_headers: Vec<&str> = many_headers.iter().map(String::as_str).collect();
    for (row, bytes, status, text) in [
        ("H1", good.replace("GET", "POST"), 405, "GET"),
        ("H2", good.replace("HTTP/1.1", "HTTP/1.0"), 505, "proxy_http_version 1.1"),
        ("H2", good.replace("HTTP/1.1", "HTTP/2.0"), 505, "HTTP/1.1"),
        ("H3", good.replace("Host: test\r\n", ""), 400, "Host"),
        ("H3", request("/", &["Host: test"]), 400, "Host"),
        ("H4", good.replace("Upgrade: websocket\r\n", ""), 426, "Upgrade"),
        ("H4", good.replace("Upgrade: websocket", "Upgrade: h2c"), 426, "Upgrade"),
        ("H4", good.replace("Connection: Upgrade", "Connection: keep-alive"), 426, "Upgrade"),
        ("H7", good.replace(KEY, "c2hvcnQ="), 400, "Sec-WebSocket-Key"),
        ("H8", good.replace("Sec-WebSocket-Version: 13\r\n", ""), 400, "Sec-WebSocket-Version"),
        ("H9", good.replace("Version: 13", "Version: 8"), 426, "13"),
        ("H10", request("/", &["Sec-WebSocket-Protocol: a,,b/c"]), 400, "Sec-WebSocket-Protocol header offers \"b/c\""),
        ("H11", request("/", &["Sec-WebSocket-Extensions: ;"]), 400, "Sec-WebSocket-Extensions"),
        ("H15", request("/", &["X : y"]), 400, "colon"),
        ("H15", good.replace("\r\n", "\n"), 400, "line feed"),
        ("H16", request("/", &["Content-Length: 5"]) + "GET /", 400, "body"),
        ("H16", request("/", &["Transfer-Encoding: chunked"]) + "0\r\n\r\n", 400, "body"),
        ("H17", request("/", &many_headers), 431, "100"),
        ("H17", request("/", &[&format!("X: {}", "y".repeat(16 * KIB))]), 431, "16384"),
        ("H18", request(&format!("/{}", "y".repeat(8 * KIB)), &[]), 414, "8192"),
        ("PROXY", format!("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n{good}"), 400, "PROXY protocol, version 1"),
        ("PROXY", format!("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c{good}"), 400, "PROXY protocol, version 2"),
        ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03".to_owned(), 400, "this port has no TLS"),
    ] {
        let reply = answer(&server, &bytes);
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
    server.stop();
}

#[test]
fn an_answer_reaches_a_client_that_still_sends() {
    let server = start(Server::new(), echo);
    let mut peer = server.peer();
    peer.write(format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", MIB - 1));
    // The answer is on its way, and the rest is not wanted any more: it is read all the same, or the answer is lost.
    peer.write(vec![b'x'; MIB - 1]);
    peer.finish();
    assert_eq!(peer.reply().status, 400);
    server.stop();
}

#[test]
fn a_client_that_sends_on_after_a_refusal_is_dropped() {
    let server = start(Server::new(), echo);
    let mut peer = server.peer();
    peer.write("POST / HTTP/2.0\r\n");
    let chunk = vec![b'x'; 64 * KIB];
    let mut sent = 0;
    while peer.try_write(&chunk).is_ok() {
        sent += chunk.len();
        assert!(sent < 64 * MIB, "more is read than anybody needs");
    }
    server.stop();
}

// ---- the request hook ----

fn answer_http(request: &Request<()>) -> Option<Response<Bytes>> {
    let response = Response::builder();
    let response = match request.uri().path() {
        "/ws" => return None,
        "/page" => response.header(header::CONTENT_TYPE, "text/html").body("<p>Hello\n".into()),
        "/large" => response.body(pattern(4 * MIB).into()),
        "/health" => response.status(StatusCode::NO_CONTENT).body("never sent".into()),
        "/short" => response.header(header::CONTENT_LENGTH, "3").body("0123456789".into()),
        "/long" => {
            response.header(header::CONTENT_LENGTH, "30").header(header::CONTENT_LENGTH, "40").body("short".into())
        }
        "/omitted" => response.header(header::CONTENT_LENGTH, "1000").body("".into()),
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

/// What the hook above answers to a request that is no WebSocket request.
fn hooked(method: Method, path: &str) -> Reply {
    let server = start(Server::new().on_request(answer_http), echo);
    let reply = answer(&server, format!("{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
    server.stop();
    reply
}

#[test]
fn the_request_hook_answers_plain_http() {
    let page = hooked(Method::GET, "/page");
    assert_eq!((page.status, page.text()), (200, "<p>Hello\n"));
    assert_eq!(page.header("content-type"), Some("text/html"));
    assert_eq!(page.header("content-length"), Some("9"));
    assert_eq!(page.header("connection"), Some("close"));
    assert!(page.header("date").is_some());
    let missing = hooked(Method::POST, "/elsewhere");
    assert_eq!((missing.status, missing.text()), (404, "no such page\n"));
}

#[test]
fn a_large_answer_of_the_hook_comes_whole() {
    assert!(hooked(Method::GET, "/large").body == pattern(4 * MIB));
}

/// RFC 9110 §9.3.2: the fields that a GET would get.
#[test]
fn a_head_request_is_told_how_long_the_page_is_and_gets_no_body() {
    let head = hooked(Method::HEAD, "/page");
    assert_eq!((head.status, head.text()), (200, ""));
    assert_eq!(head.header("content-type"), Some("text/html"));
    assert_eq!(head.header("content-length"), Some("9"), "{}", head.head);
    let refused = hooked(Method::HEAD, "/ws");
    assert_eq!((refused.status, refused.text()), (405, ""));
}

#[test]
fn an_answer_without_content_has_neither_body_nor_length() {
    let health = hooked(Method::GET, "/health");
    assert_eq!((health.status, health.text(), health.header("content-length")), (204, "", None));
}

/// Another length than that of the body would leave a client waiting, or begin another response behind it.
#[test]
fn an_answer_has_the_length_of_its_body_whatever_the_hook_says() {
    for (method, path, length, body) in [
        (Method::GET, "/short", "10", "0123456789"),
        (Method::GET, "/long", "5", "short"),
        (Method::GET, "/omitted", "0", ""),
        (Method::HEAD, "/short", "10", ""),
        // The length of the page that a GET would get.
        (Method::HEAD, "/omitted", "1000", ""),
    ] {
        let reply = hooked(method, path);
        assert_eq!((reply.status, reply.text()), (200, body), "{path}");
        let lengths = reply.head.lines().filter_map(|line| line.strip_prefix("Content-Length: "));
        assert_eq!(lengths.collect::<Vec<_>>(), [length], "{path}");
    }
}

#[test]
fn the_connection_is_closed_after_an_answer_and_says_so() {
    let keep = hooked(Method::GET, "/keep");
    assert_eq!((keep.status, keep.header("connection")), (200, Some("close")));
}

#[test]
fn the_hook_may_refuse_a_websocket_request() {
    let server = start(Server::new().on_request(answer_http), echo);
    let error = block_on(connect(&server.url("/token"))).unwrap_err();
    let response = error.response().expect("a response");
    assert_eq!((response.status(), response.body().as_ref()), (StatusCode::UNAUTHORIZED, &b"who are you?\n"[..]));
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(response.headers()["x-method"], "GET");
    assert_eq!(server.handle.connections(), 0);
    server.stop();
}

#[test]
fn a_hook_that_panics_is_a_500_without_details() {
    let panicked = hooked(Method::GET, "/panic");
    assert_eq!(panicked.status, 500);
    assert!(!panicked.text().contains("on purpose"), "what went wrong is not the client's business");
}

#[test]
fn a_request_that_the_hook_does_not_answer_goes_on() {
    let server = start(Server::new().on_request(answer_http), echo);
    close(block_on(connect(&server.url("/ws"))).unwrap());
    assert_eq!(answer(&server, "GET /ws HTTP/1.1\r\nHost: test\r\n\r\n").status, 426);
    server.stop();
}

// ---- time, and why there is no connection ----

#[test]
fn a_head_that_takes_too_long_gets_408() {
    let server = start(Server::new().handshake_timeout(SOON), echo);
    let mut peer = server.peer();
    peer.write("GET / HT");
    let reply = peer.reply();
    assert_eq!(reply.status, 408);
    assert!(reply.head.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{}", reply.head);
    drop(peer);
    server.stop();
}

#[test]
fn bytes_that_trickle_in_do_not_put_the_deadline_off() {
    let server = start(Server::new().handshake_timeout(SOON), echo);
    let mut peer = server.peer();
    for byte in request("/", &[&format!("X: {}", "y".repeat(8 * KIB))]).bytes() {
        if peer.try_write([byte]).is_err() || !peer.hears_nothing() {
            break;
        }
    }
    assert!(peer.until_let_go().starts_with(b"HTTP/1.1 408 "));
    drop(peer);
    server.stop();
}

#[test]
fn a_silent_client_is_told_so_and_dropped() {
    let server = start(Server::new().handshake_timeout(SOON), echo);
    let mut peer = server.peer();
    assert_eq!(peer.reply().status, 408);
    drop(peer);
    server.stop();
}

/// What `Server::accept` makes of these bytes, and what it answers.
fn refusal(server: Server, bytes: &str) -> (AcceptError, Vec<u8>) {
    let (near, far) = tcp_pair();
    let stream = Io::new(stream(far));
    let accepting = spawn(async move { server.accept(stream, Addresses::default()).await.map(drop) });
    let mut peer = Peer::new(near);
    peer.write(bytes);
    peer.finish();
    let answer = peer.until_let_go();
    (block_on(accepting).expect_err("no connection"), answer)
}

#[test]
fn accept_tells_that_the_hook_answered() {
    let (error, answer) = refusal(Server::new().on_request(answer_http), &request("/token", &[]));
    assert!(matches!(error, AcceptError::Answered(StatusCode::UNAUTHORIZED)), "{error:?}");
    assert!(answer.starts_with(b"HTTP/1.1 401 "));
}

#[test]
fn accept_tells_why_it_refused() {
    let (error, answer) = refusal(Server::new().origins(["https://example.com"]), &request("/", &[]));
    assert!(matches!(&error, AcceptError::Rejected(rejection) if rejection.status() == 403), "{error:?}");
    assert!(error.to_string().contains("Origin"), "{error}");
    assert!(answer.starts_with(b"HTTP/1.1 403 "));
}

#[test]
fn accept_tells_that_the_client_left() {
    let (error, answer) = refusal(Server::new(), "GET / HT");
    assert!(matches!(error, AcceptError::Eof), "{error:?}");
    assert_eq!(answer, b"");
}

#[test]
fn accept_tells_that_the_client_took_too_long() {
    let (near, far) = tcp_pair();
    let stream = Io::new(stream(far));
    let server = Server::new().handshake_timeout(SOON);
    let accepting = spawn(async move { server.accept(stream, Addresses::default()).await.map(drop) });
    let mut peer = Peer::new(near);
    assert_eq!(peer.reply().status, 408);
    drop(peer);
    let error = block_on(accepting).expect_err("no connection");
    assert!(matches!(error, AcceptError::Timeout), "{error:?}");
}
