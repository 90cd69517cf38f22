//! RFC 9112 §5: header fields.

use super::*;

#[test]
fn h15_header_lines() {
    for wrong in [
        &b"Host "[..],
        b"Host\t",
        b" ",
        b"\t",
        b"Host: a\r\n ",
        b"Host: a\r\n\t",
        b"Host: a\0",
        b"Host: a\x08",
        b"Host: a\x7F",
        b"Ho\0",
        b"\0",
        b"H(",
        b":",
        b"Host\r",
    ] {
        rejected_at_the_last_byte(BAD_REQUEST, &[b"GET / HTTP/1.1\r\n", wrong].concat());
    }
}

#[test]
fn bytes_over_0x7f() {
    for byte in 0x80..=0xFF {
        let mut input = request(&[], "X-Any: caf?\r\n");
        let at = input.iter().rposition(|&byte| byte == b'?').unwrap();
        input[at] = byte;
        accepted(&input);
        input[at - 7] = byte;
        rejected(BAD_REQUEST, &input);
    }
    for name in ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Content-Length"] {
        let mut input = request(&[name], &format!("{name}: ?\r\n"));
        let at = input.iter().rposition(|&byte| byte == b'?').unwrap();
        input[at] = 0xFF;
        let (response, _) = answer(&input);
        assert!(response.starts_with("HTTP/1.1 4"), "{response}");
    }
}
