//! The server's half of the opening handshake, as little of it as a well-behaved client needs.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

/// Where a request's head ends: behind the empty line.
pub fn head_len(received: &[u8]) -> Option<usize> {
    received.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// What a request's head says of this.
pub fn field<'h>(head: &'h [u8], wanted: &str) -> Option<&'h str> {
    std::str::from_utf8(head).ok()?.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}

/// The 101 that answers a request (RFC 6455 §4.2.2), unless it has no key; with these extensions, if any.
pub fn answer(head: &[u8], extensions: Option<&str>) -> Option<String> {
    let key = field(head, "Sec-WebSocket-Key")?;
    let extensions = extensions.map_or_else(String::new, |value| format!("Sec-WebSocket-Extensions: {value}\r\n"));
    let hash = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    Some(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{extensions}\r\n",
        BASE64_STANDARD.encode(hash)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_answered() {
        let head = b"GET / HTTP/1.1\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        assert_eq!(head_len(head), Some(head.len()));
        let accept = "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        assert!(answer(head, None).unwrap().ends_with(&format!("{accept}\r\n")));
        let extended = answer(head, Some("x; y=1")).unwrap();
        assert!(extended.ends_with(&format!("{accept}Sec-WebSocket-Extensions: x; y=1\r\n\r\n")));
        assert_eq!(answer(b"GET / HTTP/1.1\r\n\r\n", None), None);
    }
}
