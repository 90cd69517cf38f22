//! The opening handshake over streams that block or do not.

use std::net::{TcpListener, TcpStream};
use std::thread;

use ws_test_support::opening;
use ws_tungstenite::client::{IntoClientRequest, client, connect, connect_with_config};
use ws_tungstenite::error::{ProtocolError, SubProtocolError, UrlError};
use ws_tungstenite::handshake::derive_accept_key;
use ws_tungstenite::handshake::server::{ErrorResponse, Request, Response};
use ws_tungstenite::http::{HeaderMap, HeaderValue, StatusCode};
use ws_tungstenite::{
    ClientRequestBuilder, Error, HandshakeError, Message, ServerHandshake, accept, accept_hdr, handshake,
};

use crate::common::*;

/// Accepts over a script whose reads come one by one, and blocks between them.
fn accept_in_steps(input: &[u8], step: usize) -> Result<Script, Error> {
    let mut pieces = input.chunks(step);
    let mut mid = ServerHandshake::start(Script::new([]), handshake::server::NoCallback, None);
    loop {
        match mid.handshake() {
            Ok(ws) => return Ok(ws.into_inner()),
            Err(HandshakeError::Failure(error)) => return Err(error),
            Err(HandshakeError::Interrupted(interrupted)) => mid = interrupted,
        }
        let script = mid.get_mut().get_mut();
        script.reads.extend(pieces.next().map(<[u8]>::to_vec));
        // The response goes out byte by byte.
        script.room = 1;
    }
}

#[test]
fn a_server_accepts_however_the_request_arrives() {
    for step in [1, 5, 100, 1000] {
        let script = accept_in_steps(opening::REQUEST, step).unwrap();
        assert_eq!(
            str::from_utf8(&script.written).unwrap(),
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        );
    }
}

#[test]
fn a_server_refuses_with_the_error_of_the_fault() {
    let request = str::from_utf8(opening::REQUEST).unwrap();
    let error = |request: &str| accept_in_steps(request.as_bytes(), 1000).unwrap_err();
    for (from, to, fault) in [
        ("GET", "POST", ProtocolError::WrongHttpMethod),
        ("HTTP/1.1", "HTTP/1.0", ProtocolError::WrongHttpVersion),
        ("Connection: Upgrade", "Connection: close", ProtocolError::MissingConnectionUpgradeHeader),
        ("Upgrade: websocket", "Upgrade: h2c", ProtocolError::MissingUpgradeWebSocketHeader),
        ("Version: 13", "Version: 8", ProtocolError::MissingSecWebSocketVersionHeader),
        ("Sec-WebSocket-Key: ", "X-Key: ", ProtocolError::MissingSecWebSocketKey),
        ("Key: dGhl", "Key: ", ProtocolError::InvalidSecWebSocketKey),
        ("\r\n\r\n", "\r\n\r\njunk", ProtocolError::JunkAfterRequest),
    ] {
        let error = error(&request.replacen(from, to, 1));
        assert!(matches!(&error, Error::Protocol(found) if *found == fault), "{error:?}, not {fault:?}");
    }
    assert!(matches!(error("what is this\r\n\r\n"), Error::Protocol(ProtocolError::HttparseError(_))));
    assert!(matches!(error(&format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(70_000))), Error::AttackAttempt));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(125));
    assert!(matches!(error(&many), Error::Capacity(ws_tungstenite::error::CapacityError::TooManyHeaders)));
    let mut cut = Script::new([opening::REQUEST[..50].to_vec()]);
    cut.ends = true;
    let error = accept(cut).unwrap_err();
    assert!(matches!(error, HandshakeError::Failure(Error::Protocol(ProtocolError::HandshakeIncomplete))), "{error:?}");
}

#[test]
fn a_callback_adds_headers_or_refuses() {
    let accepted = accept_hdr(Script::new([opening::REQUEST.to_vec()]), |request: &Request, mut response: Response| {
        assert_eq!(request.uri().path(), "/chat");
        response.headers_mut().insert("x-own", HeaderValue::from_static("1"));
        Ok(response)
    });
    assert!(str::from_utf8(&accepted.unwrap().get_ref().written).unwrap().contains("\r\nx-own: 1\r\n"));

    let mut script = Script::new([opening::REQUEST.to_vec()]);
    let refuse = |status: StatusCode| {
        move |_: &Request, _: Response| -> Result<Response, ErrorResponse> {
            let mut refusal = ErrorResponse::new(Some("not today".to_owned()));
            *refusal.status_mut() = status;
            Err(refusal)
        }
    };
    match accept_hdr(&mut script, refuse(StatusCode::FORBIDDEN)) {
        Err(HandshakeError::Failure(Error::Http(response))) => {
            assert_eq!(response.status(), 403);
            assert_eq!(response.body().as_deref(), Some(&b"not today"[..]));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(script.written, b"HTTP/1.1 403 Forbidden\r\n\r\nnot today");

    match accept_hdr(Script::new([opening::REQUEST.to_vec()]), refuse(StatusCode::OK)) {
        Err(HandshakeError::Failure(Error::Protocol(ProtocolError::CustomResponseSuccessful))) => {}
        other => panic!("{other:?}"),
    }
}

/// A stream whose peer answers the request with `answer`. Its `{accept}` is that of the request's key, and its `{hello}` a
/// message.
#[derive(Debug)]
struct Answering {
    script: Script,
    answer: &'static str,
}

impl std::io::Read for Answering {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if let Some(request) = Some(&self.script.written).filter(|written| written.ends_with(b"\r\n\r\n")) {
            let request = str::from_utf8(request).unwrap();
            let key = request.split("Sec-WebSocket-Key: ").nth(1).unwrap().split("\r\n").next().unwrap();
            let answer = std::mem::take(&mut self.answer).replace("{accept}", &derive_accept_key(key.as_bytes()));
            let mut bytes = answer.replace("{hello}", "").into_bytes();
            if answer.ends_with("{hello}") {
                bytes.extend(b"\x81\x05Hello");
            }
            self.script.reads.extend((!bytes.is_empty()).then_some(bytes));
        }
        self.script.read(buf)
    }
}

impl std::io::Write for Answering {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.script.write(buf)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.script.flush()
    }
}

type Opened = Result<(ws_tungstenite::WebSocket<Answering>, handshake::client::Response), Error>;

fn open(request: impl IntoClientRequest, answer: &'static str) -> Opened {
    client(request, Answering { script: Script::new([]), answer }).map_err(|error| match error {
        HandshakeError::Failure(error) => error,
        HandshakeError::Interrupted(_) => Error::Io(std::io::ErrorKind::WouldBlock.into()),
    })
}

const ACCEPTS: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n\
    Sec-WebSocket-Accept: {accept}\r\n\r\n{hello}";

#[test]
fn a_client_takes_what_follows_the_response() {
    let (mut ws, response) = open("ws://localhost/path", ACCEPTS).unwrap();
    assert_eq!((response.status(), response.body()), (StatusCode::SWITCHING_PROTOCOLS, &None));
    assert_eq!(ws.read().unwrap(), Message::text("Hello"));
}

#[test]
fn a_client_refuses_with_the_error_of_the_fault() {
    let refused = open("ws://localhost/", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
    match refused {
        Err(Error::Http(response)) => {
            assert_eq!((response.status(), &response.body().as_deref()), (StatusCode::NOT_FOUND, &Some(&b"gone"[..])));
        }
        other => panic!("{other:?}"),
    }
    for (answer, fault) in [
        (
            "HTTP/1.1 101 .\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n",
            ProtocolError::MissingUpgradeWebSocketHeader,
        ),
        (
            "HTTP/1.1 101 .\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n",
            ProtocolError::MissingConnectionUpgradeHeader,
        ),
        (
            "HTTP/1.1 101 .\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
            ProtocolError::SecWebSocketAcceptKeyMismatch,
        ),
        (
            "HTTP/1.1 101 .\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
             Sec-WebSocket-Protocol: any\r\n\r\n",
            ProtocolError::SecWebSocketSubProtocolError(SubProtocolError::ServerSentSubProtocolNoneRequested),
        ),
        ("HTTP/1.0 101 .\r\n\r\n", ProtocolError::WrongHttpVersion),
    ] {
        let error = open("ws://localhost/", answer).unwrap_err();
        assert!(matches!(&error, Error::Protocol(found) if *found == fault), "{error:?}, not {fault:?}");
    }
    let unasked = "HTTP/1.1 101 .\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let error = open("ws://localhost/", unasked).unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::InvalidHeader(_))), "{error:?}");
}

#[test]
fn subprotocols_are_checked() {
    let request = || ClientRequestBuilder::new("ws://localhost/".parse().unwrap()).with_sub_protocol("chat.v2");
    const NAMED: &str = "HTTP/1.1 101 .\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
        Sec-WebSocket-Protocol: chat.v2\r\n\r\n";
    open(request().with_sub_protocol("chat.v1"), NAMED).unwrap();
    for (request, answer, fault) in [
        (request(), ACCEPTS, SubProtocolError::NoSubProtocol),
        (
            ClientRequestBuilder::new("ws://h/".parse().unwrap()).with_sub_protocol("x"),
            NAMED,
            SubProtocolError::InvalidSubProtocol,
        ),
    ] {
        let error = open(request, answer).unwrap_err();
        let fault = ProtocolError::SecWebSocketSubProtocolError(fault);
        assert!(matches!(&error, Error::Protocol(found) if *found == fault), "{error:?}");
    }
}

#[test]
fn urls_become_requests_or_errors() {
    let request = "ws://user:password@[::1]:81/a?b".into_client_request().unwrap();
    let expected: HeaderMap = [("host", "[::1]:81"), ("connection", "Upgrade"), ("upgrade", "websocket")]
        .into_iter()
        .chain([
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", request.headers()["sec-websocket-key"].to_str().unwrap()),
        ])
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    assert_eq!(*request.headers(), expected);
    assert!(matches!("/only/a/path".into_client_request(), Err(Error::Url(UrlError::NoHostName))));
    assert!(matches!("not a url".into_client_request(), Err(Error::HttpFormat(_))));
    assert!(matches!(open("http://localhost/", ACCEPTS), Err(Error::Url(UrlError::UnsupportedUrlScheme))));
    assert!(matches!(connect("http://localhost/"), Err(Error::Url(UrlError::UnsupportedUrlScheme))));
    #[cfg(not(feature = "__rustls-tls"))]
    assert!(matches!(connect("wss://localhost/"), Err(Error::Url(UrlError::TlsFeatureNotEnabled))));
    #[cfg(feature = "url")]
    assert_eq!(url::Url::parse("ws://localhost/a").unwrap().into_client_request().unwrap().uri().path(), "/a");
}

#[test]
fn both_roles_talk_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut ws = accept(stream).unwrap();
        loop {
            match ws.read() {
                Ok(message) if message.is_text() || message.is_binary() => ws.send(message).unwrap(),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    });
    let (mut ws, _) = connect(format!("ws://{address}/")).unwrap();
    for message in [Message::text("Hello"), Message::binary(letters(300_000))] {
        ws.send(message.clone()).unwrap();
        assert!(ws.read().unwrap() == message);
    }
    ws.close(None).unwrap();
    assert_eq!(ws.read().unwrap(), Message::Close(None));
    assert!(matches!(server.join().unwrap(), Error::ConnectionClosed));
    assert!(matches!(ws.read(), Err(Error::ConnectionClosed)));
}

#[test]
fn redirects_are_followed_as_often_as_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let redirect = |stream: &TcpStream| {
            let refuse = |_: &Request, _: Response| -> Result<Response, ErrorResponse> {
                let mut redirect = ErrorResponse::new(None);
                *redirect.status_mut() = StatusCode::TEMPORARY_REDIRECT;
                redirect.headers_mut().insert("location", format!("ws://{address}/next").parse().unwrap());
                Err(redirect)
            };
            assert!(accept_hdr(stream, refuse).is_err());
        };
        for _ in 0..2 {
            redirect(&listener.accept().unwrap().0);
        }
        let (stream, _) = listener.accept().unwrap();
        let mut path = String::new();
        let seen = |request: &Request, response: Response| {
            path = request.uri().path().to_owned();
            Ok(response)
        };
        accept_hdr(&stream, seen).unwrap();
        redirect(&listener.accept().unwrap().0);
        path
    });
    connect_with_config(format!("ws://{address}/first"), None, 2).unwrap();
    let error = connect_with_config(format!("ws://{address}/first"), None, 0).unwrap_err();
    assert!(matches!(error, Error::Http(response) if response.status() == StatusCode::TEMPORARY_REDIRECT));
    assert_eq!(server.join().unwrap(), "/next");
}
