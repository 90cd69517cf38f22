//! A client's treatment of a server's answer (rows K1–K6 of the table of bad input).

use std::error::Error as _;
use std::io::ErrorKind;

use super::setup::*;
use http::header::{LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};

/// What a client makes of a server that answers with these bytes and leaves.
fn connect_to(answer: impl Into<Vec<u8>>) -> ConnectError {
    let answer = answer.into();
    let server = Script::new(|mut peer| {
        peer.head();
        peer.write(answer);
        peer.finish();
        peer.until_let_go();
    });
    let error = block_on(connect(&server.url())).unwrap_err();
    server.done();
    error
}

fn rejected(answer: impl Into<Vec<u8>>) -> Response<Bytes> {
    match connect_to(answer) {
        ConnectError::Rejected(response) => *response,
        other => panic!("expected a rejection, not {other:?}"),
    }
}

#[test]
fn a_rejection_has_status_headers_and_body() {
    let response = rejected(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 5\r\n\r\nlater, not this",
    );
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "30");
    assert_eq!(response.headers().get_all("x-a").iter().count(), 2);
    assert_eq!(response.body(), "later");
}

#[test]
fn a_rejections_body_ends_as_http_says() {
    let chunked = "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n\
                   4\r\nno s\r\n0A;x=y\r\nuch thing.\r\n0\r\nX-Trailer: z\r\n\r\n";
    assert_eq!(rejected(chunked).body(), "no such thing.");
    assert_eq!(rejected("HTTP/1.0 200 OK\r\n\r\n<p>until the end").body(), "<p>until the end");
    assert_eq!(rejected("HTTP/1.1 204 No Content\r\n\r\n").body(), "");
    assert_eq!(rejected("HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\ncut sho").body(), "cut sho");
}

#[test]
fn early_hints_come_before_the_answer() {
    let response = rejected("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 403 No\r\n\r\n");
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[test]
fn a_200_is_no_101() {
    let upgrade = "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno";
    assert_eq!(rejected(upgrade).status(), StatusCode::OK);
}

#[test]
fn a_redirect_that_is_not_followed_is_there_to_be_seen() {
    let redirect = "HTTP/1.1 307 Temporary Redirect\r\nLocation: ftp://elsewhere/\r\nContent-Length: 0\r\n\r\n";
    let error = connect_to(redirect);
    // Without the feature `redirects`, it is a refusal like others.
    assert_eq!(matches!(error, ConnectError::Redirect(_)), cfg!(feature = "redirects"), "{error:?}");
    let response = error.response().unwrap();
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(response.headers()[LOCATION], "ftp://elsewhere/");
}

#[test]
fn of_an_endless_body_the_first_64_kib_are_kept() {
    let head = "HTTP/1.1 500 Internal Server Error\r\n";
    for framing in ["\r\n", "Content-Length: 99999999999\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n"] {
        let server = Script::new(move |mut peer| {
            peer.head();
            peer.write(format!("{head}{framing}"));
            // Until the client has enough.
            while peer.try_write([b'x'; KIB]).is_ok() {}
        });
        let error = block_on(connect(&server.url())).unwrap_err();
        let response = error.response().expect("a response");
        assert_eq!((response.status().as_u16(), response.body().len()), (500, 64 * KIB), "{framing:?}");
        server.done();
    }
}

#[test]
fn answers_that_are_no_handshake() {
    for (change, to, says) in [
        ("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x", "accept"),
        ("Sec-WebSocket-Accept: ", "X: ", "accept"),
        ("Upgrade: websocket\r\n", "", "upgrade"),
        ("Upgrade: websocket\r\n", "Upgrade: h2c\r\n", "upgrade"),
        ("Connection: Upgrade\r\n", "", "connection"),
        ("Connection: Upgrade\r\n", "Connection: close\r\n", "connection"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n", "subprotocol"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x-other\r\n\r\n", "x-other"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: ;;\r\n\r\n", "extensions"),
        ("HTTP/1.1", "HTTP/1.0", "HTTP"),
        ("\r\n\r\n", "\r\nX : y\r\n\r\n", "colon"),
    ] {
        let server = Script::new(move |mut peer| {
            let good = String::from_utf8(response_to(peer.head().as_bytes())).unwrap();
            assert!(good.contains(change), "{good}");
            peer.write(good.replacen(change, to, 1));
            peer.rest()
        });
        let error = block_on(connect(&server.url())).unwrap_err();
        assert!(matches!(error, ConnectError::Handshake(_)), "{change:?} → {to:?}: {error:?}");
        assert!(error.to_string().contains(says), "{change:?} → {to:?}: {error}");
        assert!(error.response().is_none() && error.source().is_none());
        assert_eq!(server.done(), b"", "the client has nothing more to say");
    }
}

#[test]
fn a_server_that_does_not_speak_http_is_quoted() {
    let error = connect_to("220 mail.example.com ESMTP ready\r\n221 Bye\r\n");
    assert!(matches!(&error, ConnectError::NotHttp(line) if line == "220 mail.example.com ESMTP ready"), "{error}");
    assert_eq!(error.to_string(), "the server does not speak HTTP; it said \"220 mail.example.com ESMTP ready\"");
}

#[test]
fn a_page_is_not_a_websocket_endpoint() {
    let error = connect_to("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>");
    assert_eq!(error.to_string(), "this is not a WebSocket endpoint (HTTP 200 OK)");
    assert_eq!(error.response().unwrap().body(), "<html>");
}

#[test]
fn a_head_without_end_is_no_handshake() {
    let error = connect_to(format!("HTTP/1.1 101 Switching Protocols\r\nX: {}", "y".repeat(16 * KIB)));
    assert!(matches!(error, ConnectError::Handshake(HandshakeError::Head(_))), "{error:?}");
}

#[test]
fn a_rejection_can_be_read() {
    let error = connect_to("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    assert!(error.to_string().contains("403 Forbidden"), "{error}");
}

#[test]
fn the_server_leaves_without_an_answer() {
    for answer in ["", "HTTP/1.1 101 Switching"] {
        let error = connect_to(answer);
        assert!(matches!(error, ConnectError::Eof), "{error:?}");
    }
}

#[test]
fn the_server_resets_the_connection() {
    let server = Script::new(|mut peer| {
        peer.head();
        peer.reset();
    });
    let error = block_on(connect(&server.url())).unwrap_err();
    assert!(matches!(&error, ConnectError::Io(io) if io.kind() == ErrorKind::ConnectionReset), "{error:?}");
    server.done();
}

#[test]
fn frames_in_the_same_segment_as_the_101_are_delivered() {
    let server = Script::new(|mut peer| {
        let farewell = frame(0x88, close_body(1001, "bye"), None);
        peer.accept(&[frame(0x81, "early", None), frame(0x82, [7; 300], None), farewell].concat());
        peer.close_frame()
    });
    let mut ws = block_on(connect(&server.url())).unwrap();
    assert_eq!(text(&mut ws), "early");
    assert_eq!(recv(&mut ws), Message::from(&[7; 300]));
    assert_eq!(block_on(ws.recv()).unwrap(), None);
    assert_eq!(server.done().0, 1001);
    assert_eq!(ending(&mut ws), (1001, "bye".to_owned()));
}
