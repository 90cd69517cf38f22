//! RFC 9112: the lines, fields and body of a response.

use super::*;

/// The error comes with the last byte of `input`, and not before.
#[track_caller]
fn head_error(input: &[u8]) -> HeadError {
    let (_, before) = input.split_last().unwrap();
    assert!(handshake().receive(before).unwrap().is_none());
    match receive(input) {
        Err(HandshakeError::Head(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn section_2_2_line_ends() {
    assert_eq!(head_error(b"HTTP/1.1 101 X\n"), HeadError::BareLineFeed);
    assert_eq!(head_error(b"HTTP/1.1 101 X\rY"), HeadError::BareCarriageReturn);
    assert_eq!(head_error(b"HTTP/1.1 101 X\r\nA: b\r\n\n"), HeadError::BareLineFeed);
    assert_eq!(head_error(b"\r"), HeadError::StartLine);
}

#[test]
fn section_4_status_lines() {
    // The banner of another protocol.
    assert_eq!(head_error(b"S"), HeadError::Byte(b'S'));
    assert_eq!(head_error(b"HELO\r\n"), HeadError::Version);
    assert_eq!(head_error(b"HTTP/1.1 abc\r\n"), HeadError::StartLine);
    assert_eq!(head_error(b"HTTP/1.1 099 X\r\n"), HeadError::StartLine);
    assert_eq!(head_error(b"HTTP/1.1 101 X\0"), HeadError::Byte(0));
}

#[test]
fn section_5_header_lines() {
    assert_eq!(head_error(b"HTTP/1.1 101 X\r\nA "), HeadError::SpaceBeforeColon);
    assert_eq!(head_error(b"HTTP/1.1 101 X\r\nA: b\r\n "), HeadError::LineFolding);
    assert_eq!(head_error(b"HTTP/1.1 101 X\r\nA\r"), HeadError::HeaderLine);
    assert_eq!(head_error(b"HTTP/1.1 101 X\r\nA: \0"), HeadError::Byte(0));
    assert_eq!(head_error(b"HTTP/1.1 101 X\r\nA\xFF"), HeadError::Byte(0xFF));
}

#[test]
fn limits() {
    let many = format!("HTTP/1.1 101 X\r\n{}A", "A: b\r\n".repeat(100));
    assert_eq!(head_error(many.as_bytes()), HeadError::TooManyHeaders { limit: 100 });
    let long = format!("HTTP/1.1 101 {}", "X".repeat(16 * 1024 - 12));
    assert_eq!(head_error(long.as_bytes()), HeadError::TooLarge { limit: 16 * 1024 });
}

#[test]
fn limits_can_be_set() {
    let mut limits = HeadLimits::default();
    (limits.head, limits.headers) = (200, 3);
    let receive = |input: &[u8]| builder().limits(limits).build(NONCE).unwrap().receive(input);
    assert!(receive(&response(&[], "")).unwrap().is_some(), "three headers");
    let four = receive(&response(&[], "A: b\r\n")).unwrap_err();
    assert!(matches!(four, HandshakeError::Head(HeadError::TooManyHeaders { limit: 3 })), "{four}");
    let long = receive(format!("HTTP/1.1 101 {}", "X".repeat(200)).as_bytes()).unwrap_err();
    assert!(matches!(long, HandshakeError::Head(HeadError::TooLarge { limit: 200 })), "{long}");
}

#[test]
fn any_byte_anywhere_never_panics() {
    let input = response(&[], "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: a; b=\"c\"\r\n");
    for at in 0..input.len() {
        for byte in [0x00, 0x09, 0x0A, 0x0D, 0x20, 0x22, 0x2C, 0x3B, 0x7F, 0x80, 0xC3, 0xFF] {
            let mut input = input.clone();
            input[at] = byte;
            let _ = handshake().receive(&input);
        }
    }
}
