//! The client's side of the opening handshake: bytes out, bytes in. Every response is read as a whole and byte by
//! byte, and both must give the same result.
#![cfg(feature = "handshake")]

mod rfc6455_section_4_1_request;
mod rfc6455_section_4_1_response;
mod rfc9110_section_15_2;
mod rfc9112;

use http::{HeaderMap, StatusCode};
use ws_proto::handshake::body::BodyReader;
use ws_proto::handshake::client::{BuildError, Builder, ClientHandshake, Established, HandshakeError};
use ws_proto::handshake::head::{HeadError, HeadLimits};

const NONCE: [u8; 16] = *b"the sample nonce";

fn builder() -> Builder {
    ClientHandshake::builder("server.example.com", "/chat")
}

fn handshake() -> ClientHandshake {
    builder().subprotocols(["chat", "superchat"]).build(NONCE).unwrap()
}

/// The headers of a valid response but for those in `without`, then those in `with`.
fn response(without: &[&str], with: &str) -> Vec<u8> {
    let lines =
        ["Upgrade: websocket\r\n", "Connection: Upgrade\r\n", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"];
    let kept = lines.iter().filter(|line| !without.iter().any(|name| line.starts_with(name)));
    let mut head = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    head.extend(kept.copied());
    head.push_str(with);
    head.push_str("\r\n");
    head.into_bytes()
}

/// Gives a handshake everything received so far, byte after byte.
fn receive_slowly(input: &[u8]) -> Result<Option<Established>, HandshakeError> {
    let mut handshake = handshake();
    for end in 0..=input.len() {
        if let Some(established) = handshake.receive(&input[..end])? {
            return Ok(Some(established));
        }
    }
    Ok(None)
}

#[track_caller]
fn receive(input: &[u8]) -> Result<Established, HandshakeError> {
    let whole = handshake().receive(input);
    let slow = receive_slowly(input);
    assert_eq!(format!("{slow:?}"), format!("{whole:?}"), "byte by byte differs from whole");
    whole.map(|established| established.expect("incomplete"))
}

/// The error's text, which tells each kind from the others.
#[track_caller]
fn error(input: &[u8]) -> String {
    receive(input).unwrap_err().to_string()
}
