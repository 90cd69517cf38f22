//! Answers to requests, and the request that a handler sees.

use std::sync::{Arc, Mutex};

use ws_session::http::{HeaderValue, Request, Response, StatusCode, Version};
use ws_session::{Bytes, Cause, Config, WebSocket};

use super::*;
use crate::sim::*;

#[test]
fn a_connection_is_served_until_its_end() {
    let site = Site::echo(Server::new());
    let mut peer = site.open();
    assert_eq!(site.handle.connections(), 1);
    peer.send_text("Hello");
    site.world.run();
    assert_eq!(peer.frames(), [text("Hello")]);
    peer.send_close(1000, "");
    site.world.run();
    assert_eq!(peer.frames(), [close(1000, "")]);
    assert!(peer.from.is_ended());
    peer.leave();
    site.world.run();
    assert_eq!(site.handle.connections(), 0);
}

#[test]
fn every_answer_has_a_date() {
    let site = Site::echo(Server::new());
    let (_peer, accepted) = site.ask(REQUEST);
    let (_peer, refused) = site.ask(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 426 "), "{refused}");
    for head in [accepted, refused] {
        let date = header(&head, "Date").expect("a date");
        assert!(date.ends_with(" GMT") && date.len() == "Sun, 06 Nov 1994 08:49:37 GMT".len(), "{date}");
    }
}

#[test]
fn a_head_at_one_byte_a_second_gets_408_after_10_s() {
    let site = Site::echo(Server::new());
    let mut peer = site.connect();
    for byte in &REQUEST[..10] {
        assert_eq!(peer.head(), "");
        peer.to.push(&[*byte]);
        site.world.advance(secs(1));
    }
    let head = peer.head();
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert_eq!(header(&head, "Connection"), Some("close"));
    assert!(peer.from.is_ended(), "the answer is complete");
    site.world.advance(secs(2));
    assert!(peer.from.is_writer_gone());
    assert_eq!(site.handle.connections(), 0);
}

#[test]
fn a_client_that_takes_no_answer_is_let_go() {
    let site = Site::echo(Server::new());
    for request in [REQUEST, b"nonsense\r\n\r\n"] {
        let peer = site.connect_over(LinkOptions { capacity: 10, ..LinkOptions::default() });
        peer.to.push(request);
        site.world.advance(secs(10) - millis(1));
        assert!(!peer.from.is_writer_gone());
        site.world.advance(secs(2));
        assert!(peer.from.is_writer_gone());
    }
}

#[test]
fn after_a_refusal_input_is_read_so_that_the_answer_arrives() {
    let site = Site::echo(Server::new());
    let mut peer = site.connect_over(LinkOptions { resets: true, ..LinkOptions::default() });
    peer.to.push(b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 500000\r\n\r\n");
    site.world.run();
    for _ in 0..5 {
        peer.to.push(&[b'x'; 100_000]);
        site.world.advance(millis(100));
    }
    let head = peer.head();
    assert!(head.starts_with("HTTP/1.1 4"), "{head}");
    assert!(!peer.from.is_writer_gone());
    peer.leave();
    site.world.run();
    assert!(peer.from.is_writer_gone());
}

#[test]
fn the_hook_answers_with_a_page_a_refusal_or_not_at_all() {
    let server = Server::new().on_request(|request| match request.uri().path() {
        "/health" => Some(Response::new(Bytes::from_static(b"fine\n"))),
        "/secret" => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response.headers_mut().insert("WWW-Authenticate", HeaderValue::from_static("Basic"));
            response.headers_mut().insert("Date", HeaderValue::from_static("yesterday"));
            Some(response)
        }
        "/panic" => panic!("in the hook"),
        _ => None,
    });
    let site = Site::echo(server);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n\r\n").into_bytes();

    let (mut peer, head) = site.ask(&get("/health"));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(header(&head, "Content-Length"), Some("5"));
    assert_eq!(header(&head, "Connection"), Some("close"));
    assert_eq!(peer.bytes(), b"fine\n");
    assert!(peer.from.is_ended());

    let (_peer, head) = site.ask(&get("/secret"));
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    assert_eq!(header(&head, "WWW-Authenticate"), Some("Basic"));
    assert_eq!(header(&head, "Date"), Some("yesterday"), "its own headers stay");

    let (mut peer, head) = site.ask(&get("/panic"));
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    assert!(!String::from_utf8(peer.bytes()).unwrap().contains("in the hook"));

    site.open();
}

/// Health checks and proxies that know nothing of WebSockets speak HTTP/1.0.
#[test]
fn the_hook_is_asked_before_http_1_0_is_refused() {
    let server = Server::new().on_request(|request| {
        assert_eq!(request.version(), Version::HTTP_10);
        (request.uri().path() == "/health").then(|| Response::new(Bytes::from_static(b"fine\n")))
    });
    let site = Site::echo(server);
    for request in
        ["OPTIONS /health HTTP/1.0\r\n\r\n", "GET /health HTTP/1.0\r\nHost: backend\r\nConnection: close\r\n\r\n"]
    {
        let (mut peer, head) = site.ask(request.as_bytes());
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(header(&head, "Connection"), Some("close"));
        assert_eq!(peer.bytes(), b"fine\n");
        assert!(peer.from.is_ended());
    }
    let request = String::from_utf8(REQUEST.into()).unwrap().replace("HTTP/1.1", "HTTP/1.0");
    let (mut peer, head) = site.ask(request.as_bytes());
    assert!(head.starts_with("HTTP/1.1 505 "), "{head}");
    assert!(String::from_utf8(peer.bytes()).unwrap().contains("proxy_http_version 1.1"));
    assert_eq!(site.handle.connections(), 0);
}

#[test]
fn the_host_of_a_target_in_absolute_form_counts_everywhere() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (in_hook, in_handler) = (Arc::clone(&seen), Arc::clone(&seen));
    let host = |request: &Request<()>| request.headers()["host"].to_str().unwrap().to_owned();
    let server = Server::new().on_request(move |request| {
        in_hook.lock().unwrap().push(host(request));
        None
    });
    let site = Site::new(World::new(1), server, move |socket: WebSocket| {
        in_handler.lock().unwrap().push(host(socket.request()));
        async { Ok(()) }
    });
    let request = String::from_utf8(REQUEST.into()).unwrap().replace("/chat", "ws://inner.example:81/chat");
    let (_peer, head) = site.ask(request.as_bytes());
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(*seen.lock().unwrap(), ["inner.example:81"; 2]);
}

#[test]
fn head_gets_the_head_of_what_get_would() {
    let site = Site::echo(Server::new().on_request(|_| Some(Response::new(Bytes::from_static(b"a page\n")))));
    let (mut peer, head) = site.ask(b"HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(peer.bytes(), b"");
    assert!(peer.from.is_ended());
    let (mut peer, head) = site.ask(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "));
    assert_eq!(peer.bytes(), b"a page\n");
}

#[test]
fn a_refused_head_request_gets_no_body_either() {
    let site = Site::echo(Server::new());
    let (mut peer, head) = site.ask(b"HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
    assert_eq!(peer.bytes(), b"");
}

#[test]
fn a_handler_that_panics_in_any_way_closes_its_connection_with_1011() {
    let world = World::new(1);
    let site = Site::new(world, Server::new(), |socket: WebSocket| {
        let path = socket.request().uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
        assert_ne!(path, "/at-once", "before there is a future");
        async move {
            let _socket = socket;
            yield_now().await;
            panic!("later");
        }
    });
    for path in ["/at-once", "/later"] {
        let request = String::from_utf8(REQUEST.into()).unwrap().replace("/chat", path);
        let (mut peer, head) = site.ask(request.as_bytes());
        assert!(head.starts_with("HTTP/1.1 101 "));
        assert_eq!(peer.frames(), [close(1011, "internal error")], "{path}");
        says_goodbye(&mut peer);
        site.world.run();
        assert!(peer.from.is_writer_gone());
    }
    assert_eq!(site.handle.connections(), 0);
    assert!(!site.serving.is_finished(), "the others are served on");
}

#[test]
fn the_outcome_is_the_handlers_to_see() {
    let world = World::new(1);
    let causes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&causes);
    let mut config = Config::default();
    config.deadlines.close = secs(4);
    let site = Site::new(world, Server::new().config(config), move |mut socket| {
        let seen = Arc::clone(&seen);
        async move {
            let ended = socket.recv().await;
            let outcome = socket.closed().await;
            seen.lock().unwrap().push((ended.is_ok(), outcome.cause));
            ended.map(drop).map_err(Into::into)
        }
    });
    let mut polite = site.open();
    let silent = site.open();
    site.handle.shutdown();
    site.world.run();
    polite.send_close(1001, "");
    polite.leave();
    site.world.advance(secs(4));
    assert!(silent.from.is_writer_gone());
    assert_eq!(*causes.lock().unwrap(), [(true, Cause::Local), (false, Cause::CloseTimeout)]);
    assert!(site.serving.is_finished());
}
