//! Text from a peer is escaped, so that it forges no log line and controls no terminal. Every type that shows such text.
#![cfg(feature = "handshake")]

use std::error::Error;
use std::fmt::{Debug, Display};

use http::header::{COOKIE, HeaderName, HeaderValue, LOCATION, SEC_WEBSOCKET_PROTOCOL};
use http::{Request, Response, StatusCode};
use ws_proto::handshake::client::{BuildError, ClientHandshake, HandshakeError};
use ws_proto::handshake::extensions::{Extension, Param};
use ws_proto::handshake::server::{InvalidOrigin, Origins, Rejection, RequestReader, Upgrade, UpgradeError};
use ws_proto::{Cause, CloseCode, CloseFrame, Escaped, Incoming, Message, Outcome, SendError};

/// A forged line, commands for a terminal, text that runs backwards.
const NASTY: [&str; 6] = [
    "bye\n2026-11-30T00:00:00Z INFO all is well",
    "\r\u{1b}[2K\u{1b}]0;title\u{7}",
    "\u{9b}31m\u{85}",
    "abc\u{202e}fed\u{2066}",
    "\u{2028}\u{2029}",
    "\0\u{8}\u{7f}\"quoted\" \\ \t",
];

#[track_caller]
fn is_safe(what: &str, shown: &str) {
    let unsafe_ones: Vec<_> = shown.chars().filter(|&c| Escaped(c).is_unsafe()).collect();
    assert!(unsafe_ones.is_empty(), "{what} shows {unsafe_ones:?} in {shown:?}");
}

#[track_caller]
fn both(what: &str, shown: &(impl Debug + Display)) {
    is_safe(&format!("Display of {what}"), &shown.to_string());
    debug(what, shown);
}

/// A tab is left as it is by `Debug` of a header's value; it steers nothing.
#[track_caller]
fn debug(what: &str, shown: &impl Debug) {
    is_safe(&format!("Debug of {what}"), &format!("{shown:?}").replace('\t', " "));
}

#[track_caller]
fn error(what: &str, error: &impl Error) {
    both(what, error);
    let mut source = error.source();
    while let Some(error) = source {
        is_safe(&format!("a source of {what}"), &error.to_string());
        source = error.source();
    }
}

/// The text as a header can carry it: without C0 controls other than the tab.
fn header(text: &str) -> HeaderValue {
    let bytes: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_control() || *byte == b'\t').collect();
    HeaderValue::from_bytes(&[&bytes[..], b"\xFF\t\xE2\x80\xAE"].concat()).unwrap()
}

#[test]
fn close_frames_and_outcomes() {
    for reason in NASTY {
        let frame = CloseFrame::new(CloseCode::NORMAL, reason);
        both("CloseFrame", &frame);
        let outcome = Outcome::new(Some(frame.clone()), Some(frame.clone()), Cause::Peer);
        both("Outcome", &outcome);
        // Whoever wants it as it came has it.
        assert_eq!(outcome.reason(), reason);
    }
    assert_eq!(CloseFrame::new(4001.into(), "a\nb \"c\" é").to_string(), "4001 (private use) a\\nb \"c\" é");
}

#[test]
fn messages() {
    for text in NASTY {
        debug("Message", &Message::from(text));
        debug("Message", &Message::from(text.as_bytes()));
        debug("Incoming", &Incoming::Text(text.into()));
        error("SendError", &SendError::Full(Message::from(text)));
    }
}

#[test]
fn texts_of_a_client_about_a_response() {
    for text in NASTY {
        let value = header(text);
        error("WrongHeader", &HandshakeError::WrongHeader(SEC_WEBSOCKET_PROTOCOL, value.clone()));
        error("SubprotocolNotOffered", &HandshakeError::SubprotocolNotOffered(value.clone()));
        error("ExtensionNotOffered", &HandshakeError::ExtensionNotOffered(text.into()));
        error("BuildError::Subprotocol", &BuildError::Subprotocol(text.into()));
        error("BuildError::DuplicateSubprotocol", &BuildError::DuplicateSubprotocol(text.into()));
        error("BuildError::Extension", &BuildError::Extension(text.into()));
        let response = Response::builder().status(302).header(LOCATION, value.clone()).header(COOKIE, value).body(());
        let rejected = HandshakeError::Rejected { response: response.unwrap().into(), consumed: 0 };
        error("Rejected", &rejected);
    }
}

#[test]
fn texts_of_a_client_about_bytes_from_the_wire() {
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    for lines in [
        "HTTP/1.1 200 \u{202e}\u{9b}31m\r\nX: \u{202e}\t\u{85}\r\n\r\n".to_owned(),
        "HTTP/1.1 101 \u{202e}\r\nUpgrade: \u{202e}\t\u{9b}2J\r\nConnection: Upgrade\r\n\r\n".to_owned(),
        format!("{head}Sec-WebSocket-Accept: \u{9b}31m\u{202e}\t\r\n\r\n"),
        format!(
            "{head}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: a\tb\u{202e}\u{85}\r\n\r\n"
        ),
        format!(
            "{head}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: \u{202e}\u{85}\r\n\r\n"
        ),
        "\u{1b}[2J".to_owned(),
        "SSH-2.0-\u{202e}\r\n".to_owned(),
        "HTTP/1.1 \u{1b}\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\n\u{1b}: x\r\n\r\n".to_owned(),
    ] {
        let builder = ClientHandshake::builder("example.com", "/").subprotocols(["chat"]);
        let mut handshake = builder.build(*b"the sample nonce").unwrap();
        error("a response", &handshake.receive(lines.as_bytes()).unwrap_err());
    }
}

#[test]
fn texts_of_a_server_about_a_request() {
    for text in NASTY {
        error("Rejection", &Rejection::new(StatusCode::FORBIDDEN, text).with_header(LOCATION, header(text)));
        error("UpgradeError::SubprotocolNotOffered", &UpgradeError::SubprotocolNotOffered(text.into()));
        error("UpgradeError::ExtensionNotOffered", &UpgradeError::ExtensionNotOffered(text.into()));
        error("InvalidOrigin", &InvalidOrigin(text.into()));
        error("Origins", &Origins::new([text]).unwrap_err());
        debug("HeaderName", &UpgradeError::ReservedHeader(HeaderName::from_static("a")));
        debug("Extension", &extension(text));
        let mut request = Request::get("/").body(()).unwrap();
        request.headers_mut().insert("x", header(text));
        error("a request that is no upgrade", &Upgrade::new(request).unwrap_err());
    }
}

#[test]
fn texts_of_a_server_about_bytes_from_the_wire() {
    let head = "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for lines in [
        "\u{1b}[2J".to_owned(),
        "GET /\u{202e} HTTP/1.1\r\n".to_owned(),
        "GET / HTTP/\u{1b}\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: \u{202e}\u{85}\t\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\u{1b}: a\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\n{head}Content-Length: \u{202e}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{head}Sec-WebSocket-Protocol: a, \u{202e}\u{85}\tb\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{head}Sec-WebSocket-Protocol: a, a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{head}Sec-WebSocket-Extensions: \u{202e}\u{85}\tb\r\n\r\n"),
    ] {
        let refused = RequestReader::new().read(lines.as_bytes()).and_then(|head| Upgrade::new(head.unwrap().request));
        let refused = refused.unwrap_err();
        error("a request", &refused);
        let body = refused.into_response().into_body();
        is_safe("the body of a refusal", str::from_utf8(&body).unwrap().strip_suffix('\n').unwrap());
    }
}

#[cfg(feature = "deflate")]
#[test]
fn texts_about_compression() {
    use ws_proto::permessage_deflate::InvalidAnswer;

    for text in NASTY {
        error("InvalidAnswer", &InvalidAnswer::NotOffered(text.into()));
        error("InvalidAnswer", &InvalidAnswer::Twice(text.into()));
        error("InvalidAnswer", &InvalidAnswer::Unknown(text.into()));
        error("InvalidAnswer", &InvalidAnswer::Duplicate(text.into()));
        error("InvalidAnswer", &InvalidAnswer::Value(text.into()));
    }
}

fn extension(text: &str) -> Extension {
    Extension { name: text.into(), params: vec![Param { name: text.into(), value: Some(text.into()) }] }
}
