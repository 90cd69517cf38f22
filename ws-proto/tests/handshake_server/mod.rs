//! The server's side of the opening handshake: bytes in, bytes out. Every input is read as a whole and byte by
//! byte, and both must give the same answer.
#![cfg(feature = "handshake")]

mod rfc6455_section_10_4;
mod rfc6455_section_1_3;
mod rfc6455_section_4_1;
mod rfc6455_section_4_2_1;
mod rfc6455_section_4_2_2;
mod rfc6455_section_9_1;
mod rfc7692_section_7_1;
mod rfc9110_section_9_3_2;
mod rfc9112_section_2_2;
mod rfc9112_section_3;
mod rfc9112_section_5;
mod rfc9112_section_6;

use http::{HeaderMap, HeaderValue};
use ws_proto::handshake::encode;
use ws_proto::handshake::head::HeadLimits;
use ws_proto::handshake::server::{self, Origins, Rejection, RequestHead, RequestReader, Upgrade};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The headers of a valid request but for those in `without`, then those in `with`.
fn request(without: &[&str], with: &str) -> Vec<u8> {
    let lines = [
        "Host: server.example.com\r\n",
        "Upgrade: websocket\r\n",
        "Connection: Upgrade\r\n",
        KEY,
        "Sec-WebSocket-Version: 13\r\n",
    ];
    let kept = lines.iter().filter(|line| !without.iter().any(|name| line.starts_with(name)));
    let mut head = String::from("GET /chat HTTP/1.1\r\n");
    head.extend(kept.copied());
    head.push_str(with);
    head.push_str("\r\n");
    head.into_bytes()
}

/// Feeds a reader everything received so far, byte after byte.
fn read_slowly(input: &[u8]) -> Result<Option<RequestHead>, Rejection> {
    let mut reader = RequestReader::new();
    for end in 0..=input.len() {
        if let Some(head) = reader.read(&input[..end])? {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

fn respond(head: RequestHead, consumed: &mut usize) -> Result<Vec<u8>, Rejection> {
    *consumed = head.consumed;
    let upgrade = Upgrade::new(head.request)?;
    let subprotocol = upgrade.select_subprotocol(["superchat", "chat"]);
    let accepted = upgrade.accept(subprotocol, HeaderMap::new())?;
    let mut response = Vec::new();
    encode::response_head(&accepted.response, &mut response);
    Ok(response)
}

/// The response to `input`, and how much of the input is not part of the request.
#[track_caller]
fn answer(input: &[u8]) -> (String, usize) {
    let run = |head: Result<Option<RequestHead>, Rejection>| {
        let mut consumed = input.len();
        let response = head.and_then(|head| respond(head.expect("incomplete"), &mut consumed));
        let response = response.unwrap_or_else(|rejection| {
            let mut response = Vec::new();
            encode::response(&rejection.into_response(), &mut response);
            response
        });
        (String::from_utf8(response).unwrap(), input.len() - consumed)
    };
    let whole = run(RequestReader::new().read(input));
    assert_eq!(run(read_slowly(input)), whole, "byte by byte differs from whole");
    whole
}

#[track_caller]
fn accepted(input: &[u8]) -> String {
    let (response, _) = answer(input);
    assert!(response.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{response}");
    response
}

/// The response, once it is checked to be of that status and to have what every rejection has.
#[track_caller]
fn rejected(status: &str, input: &[u8]) -> String {
    let (response, _) = answer(input);
    assert!(response.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{response}");
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nConnection: close"), "{response}");
    assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8"), "{response}");
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{response}");
    assert!(body.ends_with(".\n"), "{response}");
    response
}

/// As `rejected`, and the last byte of the input is the one that decides.
#[track_caller]
fn rejected_at_the_last_byte(status: &str, input: &[u8]) {
    rejected(status, input);
    let (_, before) = input.split_last().unwrap();
    assert!(RequestReader::new().read(before).unwrap().is_none());
}

const BAD_REQUEST: &str = "400 Bad Request";
