//! RFC 6455 §1.3: the opening handshake, as the RFC shows it.

use super::*;

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

#[test]
fn the_example() {
    let (response, rest) = answer(REQUEST);
    assert_eq!(
        response,
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: superchat\r\n\r\n"
    );
    assert_eq!(rest, 0);
}

#[test]
fn cut_off_at_every_byte() {
    for end in 0..REQUEST.len() {
        assert!(RequestReader::new().read(&REQUEST[..end]).unwrap().is_none(), "after {end} bytes");
        assert!(read_slowly(&REQUEST[..end]).unwrap().is_none(), "after {end} bytes");
    }
}

#[test]
fn cut_in_two_anywhere() {
    for at in 0..REQUEST.len() {
        let mut reader = RequestReader::new();
        assert!(reader.read(&REQUEST[..at]).unwrap().is_none());
        assert_eq!(reader.read(REQUEST).unwrap().unwrap().consumed, REQUEST.len());
    }
}

#[test]
fn a_changed_byte_never_panics() {
    for at in 0..REQUEST.len() {
        for byte in [0x00, 0x09, 0x0A, 0x0D, 0x20, 0x2C, 0x3A, 0x7F, 0x80, 0xC3, 0xFF] {
            let mut input = REQUEST.to_vec();
            input[at] = byte;
            if let Ok(Some(_)) = RequestReader::new().read(&input) {
                answer(&input);
            }
        }
    }
}
