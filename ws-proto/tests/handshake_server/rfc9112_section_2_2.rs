//! RFC 9112 §2.2: the lines of a request.

use super::*;

#[test]
fn h15_line_ends() {
    rejected_at_the_last_byte(BAD_REQUEST, b"GET / HTTP/1.1\n");
    rejected_at_the_last_byte(BAD_REQUEST, b"GET / HTTP/1.1\rH");
    rejected_at_the_last_byte(BAD_REQUEST, b"GET / HTTP/1.1\r\nHost: a\n");
    rejected_at_the_last_byte(BAD_REQUEST, b"GET / HTTP/1.1\r\nHost: a\rb");
    rejected_at_the_last_byte(BAD_REQUEST, b"GET / HTTP/1.1\r\nHost: a\r\r");
    rejected_at_the_last_byte(BAD_REQUEST, b"GET / HTTP/1.1\r\nHost: a\r\n\n");
    rejected_at_the_last_byte(BAD_REQUEST, b"GET / HTTP/1.1\r\nHost: a\r\n\rX");
    rejected_at_the_last_byte(BAD_REQUEST, b"\n");
}

#[test]
fn empty_lines_before_the_request_are_skipped() {
    let input = [b"\r\n\r\n", &request(&[], "")[..], b"\x89\x80\0\0\0\0"].concat();
    let (response, rest) = answer(&input);
    assert!(response.starts_with("HTTP/1.1 101 "));
    assert_eq!(rest, 6);
}
