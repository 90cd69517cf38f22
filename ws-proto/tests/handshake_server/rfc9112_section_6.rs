//! RFC 9112 §6: the body of a request.

use super::*;

#[test]
fn h16_bodies() {
    for headers in [
        "Content-Length: 5\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +0\r\n",
        "Content-Length: \r\n",
        "Content-Length: 0x0\r\n",
        "Content-Length: 0, 0\r\n",
        "Content-Length: 0\r\nContent-Length: 0\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    ] {
        let mut input = request(&[], headers);
        // The body looks like a request, and is not taken for one.
        input.extend_from_slice(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
        rejected(BAD_REQUEST, &input);
        let mut reader = RequestReader::new();
        assert!(reader.read(&input).is_err());
        assert!(!matches!(reader.read(&input), Ok(Some(_))));
    }
    accepted(&request(&[], "Content-Length: 0\r\n"));
    accepted(&request(&[], "Content-Length: 00\r\n"));
}

#[test]
fn a_malformed_length_is_named() {
    for (length, message) in [
        ("5", "The request has a body. It must not have one."),
        ("18446744073709551616", "The request has a body. It must not have one."),
        ("", "The Content-Length is not a number."),
        ("-1", "The Content-Length is not a number."),
        ("0x0", "The Content-Length is not a number."),
    ] {
        let input = request(&[], &format!("Content-Length: {length}\r\n"));
        assert_eq!(RequestReader::new().read(&input).unwrap_err().message(), message, "{length}");
    }
}
