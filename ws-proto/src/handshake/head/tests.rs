use alloc::format;
use alloc::string::String;
use alloc::vec;

use http::{HeaderValue, Method, StatusCode, Version};

use super::scanner::State;
use super::*;

const HEAD: &[u8] = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nX-Empty:\r\n\r\n";

#[test]
fn a_head_that_was_read_before_is_parsed_again() {
    let request = parse_request(HEAD).unwrap().unwrap();
    assert_eq!((request.uri().path(), &request.headers()["host"]), ("/chat", &HeaderValue::from_static("example.com")));
    assert!(parse_request(&HEAD[..HEAD.len() - 1]).unwrap().is_none());
    let response = parse_response(b"HTTP/1.1 101 \r\nUpgrade: websocket\r\n\r\n").unwrap().unwrap();
    assert_eq!(
        (response.status(), &response.headers()["upgrade"]),
        (StatusCode::SWITCHING_PROTOCOLS, &HeaderValue::from_static("websocket"))
    );
    assert_eq!(parse_response(b"HTTP/1.1 101\n").unwrap_err(), HeadError::BareLineFeed);
}

fn request(input: &[u8]) -> Result<Option<Head<RequestLine>>, HeadError> {
    HeadReader::new(HeadLimits::default()).read(input)
}

fn response(input: &[u8]) -> Result<Option<Head<StatusLine>>, HeadError> {
    HeadReader::new(HeadLimits::default()).read(input)
}

/// The error, after checking that it comes at the last byte of `input`, and not before.
#[track_caller]
fn request_error(input: &[u8]) -> HeadError {
    let mut reader = HeadReader::<RequestLine>::new(HeadLimits::default());
    for end in 0..input.len() {
        assert!(reader.read(&input[..end]).unwrap().is_none(), "after {end} bytes");
    }
    let error = reader.read(input).unwrap_err();
    assert_eq!(request(input).unwrap_err(), error);
    assert_eq!(reader.read(HEAD).unwrap_err(), error, "an error is final");
    error
}

#[track_caller]
fn response_error(input: &[u8]) -> HeadError {
    assert!(response(&input[..input.len() - 1]).unwrap().is_none());
    response(input).unwrap_err()
}

#[test]
fn parses_a_request_at_its_last_byte() {
    let mut reader = HeadReader::<RequestLine>::new(HeadLimits::default());
    for end in 0..HEAD.len() {
        assert!(reader.read(&HEAD[..end]).unwrap().is_none());
    }
    let head = reader.read(HEAD).unwrap().unwrap();
    assert_eq!(head.start.method, Method::GET);
    assert_eq!(head.start.target, "/chat");
    assert_eq!(head.headers["host"], "example.com");
    assert_eq!(head.headers["x-empty"], "");
    assert_eq!(head.headers.len(), 2);
    assert_eq!(head.consumed, HEAD.len());
    assert!(reader.read(HEAD).unwrap().is_none(), "a head is returned once");
}

#[test]
fn parses_a_response() {
    let input = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00";
    let head = response(input).unwrap().unwrap();
    assert_eq!(head.start.version, Version::HTTP_11);
    assert_eq!(head.start.status, 101);
    assert_eq!(head.headers["upgrade"], "websocket");
    assert_eq!(head.consumed, input.len() - 2);
    let head = response(b"HTTP/1.0 403 D\xE9fendu\tici\r\n\r\n").unwrap().unwrap();
    assert_eq!(head.start.version, Version::HTTP_10);
    assert_eq!(head.start.status, 403);
    assert_eq!(response(b"HTTP/1.1 200\r\n\r\n").unwrap().unwrap().start.status, 200);
}

#[test]
fn looks_at_each_byte_once() {
    let mut head = b"GET / HTTP/1.1\r\n".to_vec();
    for n in 0..100 {
        head.extend_from_slice(format!("X-{n}: {}\r\n", "v".repeat(150)).as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    assert!(head.len() > 15_000 && head.len() <= 16 * 1024);
    // All that has been looked at is blanked out: were it looked at again, it would be an error.
    let mut scanner = Scanner::new(HeadLimits::default(), State::BeforeRequest);
    let mut view = vec![0; head.len()];
    for at in 0..head.len() {
        view[at] = head[at];
        let part = scanner.advance(&view[..=at]).unwrap();
        assert_eq!(scanner.scanned, at + 1);
        match part {
            Some(Part::StartLine(line)) => assert_eq!(line, 0..16),
            Some(Part::Headers(lines)) => assert_eq!(lines, 16..head.len()),
            None => {}
        }
        view[at] = 0;
    }
    assert_eq!(scanner.state, State::Done);
}

#[test]
fn line_ends() {
    assert_eq!(request_error(b"GET / HTTP/1.1\n"), HeadError::BareLineFeed);
    assert_eq!(request_error(b"GET / HTTP/1.1\r\nHost: a\n"), HeadError::BareLineFeed);
    assert_eq!(request_error(b"\n"), HeadError::BareLineFeed);
    assert_eq!(request_error(b"\r\r"), HeadError::BareCarriageReturn);
    assert_eq!(request_error(b"GET / HTTP/1.1\rH"), HeadError::BareCarriageReturn);
    assert_eq!(request_error(b"GET / HTTP/1.1\r\nA: b\r\r"), HeadError::BareCarriageReturn);
    assert_eq!(request_error(b"GET / HTTP/1.1\r\nA: b\r\n\rX"), HeadError::BareCarriageReturn);
}

#[test]
fn bytes_out_of_place() {
    assert_eq!(request_error(b"GET / HTTP/1.1\r\nA: b\0"), HeadError::Byte(0));
    assert_eq!(request_error(b"GET /\0"), HeadError::Byte(0));
    assert_eq!(request_error(b"GET /\x7F"), HeadError::Byte(0x7F));
    assert_eq!(request_error(b"GET /\xFF"), HeadError::Byte(0xFF));
    assert_eq!(request_error(b"GET /\t"), HeadError::Byte(b'\t'));
    assert_eq!(request_error(b"GET  "), HeadError::Byte(b' '));
    assert_eq!(request_error(b"GET / HTTP/1.1 "), HeadError::Byte(b' '));
    assert_eq!(request_error(b" "), HeadError::Byte(b' '));
    assert_eq!(request_error(b"G@"), HeadError::Byte(b'@'));
    // A TLS ClientHello, from a client that took ws: for wss:.
    assert_eq!(request_error(b"\x16"), HeadError::Tls);
    assert_eq!(request_error(b"G\x16"), HeadError::Byte(0x16));
    assert_eq!(request_error(b"GET / HTTP/1.1\r\nA\xE9"), HeadError::Byte(0xE9));
    assert_eq!(request_error(b"GET / HTTP/1.1\r\n:"), HeadError::Byte(b':'));
    assert_eq!(request_error(b"GET / HTTP/1.1\r\nA("), HeadError::Byte(b'('));
    assert_eq!(response_error(b"\r"), HeadError::StartLine);
    assert_eq!(response_error(b"S"), HeadError::Byte(b'S'));
}

#[test]
fn header_lines() {
    assert_eq!(request_error(b"GET / HTTP/1.1\r\nA: b\r\n "), HeadError::LineFolding);
    assert_eq!(request_error(b"GET / HTTP/1.1\r\nA: b\r\n\t"), HeadError::LineFolding);
    assert_eq!(request_error(b"GET / HTTP/1.1\r\n "), HeadError::LineFolding);
    assert_eq!(request_error(b"GET / HTTP/1.1\r\nHost "), HeadError::SpaceBeforeColon);
    assert_eq!(request_error(b"GET / HTTP/1.1\r\nHost\t"), HeadError::SpaceBeforeColon);
    assert_eq!(request_error(b"GET / HTTP/1.1\r\nHost\r"), HeadError::HeaderLine);
    let head = request(b"GET / HTTP/1.1\r\nA: \t b\xE9\tc \t \r\na:d:e\r\n\r\n").unwrap().unwrap();
    let values: vec::Vec<_> = head.headers.get_all("a").iter().map(HeaderValue::as_bytes).collect();
    assert_eq!(values, [&b"b\xE9\tc"[..], b"d:e"]);
}

#[test]
fn start_lines() {
    for line in ["GET /\r", "GET\r"] {
        assert_eq!(request_error(line.as_bytes()), HeadError::StartLine, "{line:?}");
    }
    for line in ["GET /#top HTTP/1.1\r\n", "GET example.com:80 HTTP/1.1\r\n", "GET path HTTP/1.1\r\n"] {
        assert_eq!(request_error(line.as_bytes()), HeadError::StartLine, "{line:?}");
    }
    for (version, counts_as) in [("1.0", Version::HTTP_10), ("1.1", Version::HTTP_11), ("1.9", Version::HTTP_11)] {
        let head = request(format!("GET / HTTP/{version}\r\n\r\n").as_bytes()).unwrap().unwrap();
        assert_eq!(head.start.version, counts_as);
        let head = response(format!("HTTP/{version} 200 OK\r\n\r\n").as_bytes()).unwrap().unwrap();
        assert_eq!(head.start.version, counts_as);
    }
    for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/3", "HTTP/1.", "HTTP/1.10", "HTTP/1.x", "http/1.1", "HTTP"] {
        let line = format!("GET / {version}\r\n");
        assert_eq!(request_error(line.as_bytes()), HeadError::Version, "{line:?}");
    }
    assert_eq!(request_error(b"PRI * HTTP/2.0\r\n"), HeadError::Version);
    for line in ["20", "2000", "099 X", "abc X", "200X", " 200", "", " "] {
        let line = format!("HTTP/1.1 {line}\r\n");
        assert_eq!(response_error(line.as_bytes()), HeadError::StartLine, "{line:?}");
    }
    for line in ["HTTP/2.0 200 OK\r\n", "HTTP/1.11 200 OK\r\n", "HTTP\r\n", "HELLO\r\n"] {
        assert_eq!(response_error(line.as_bytes()), HeadError::Version, "{line:?}");
    }
}

#[test]
fn targets() {
    for (target, path) in [("/", "/"), ("*", "*"), ("/a?b=%20", "/a"), ("http://example.com/a", "/a")] {
        let head = request(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes()).unwrap().unwrap();
        assert_eq!(head.start.target.path(), path);
    }
    assert!(request(b"CONNECT example.com:80 HTTP/1.1\r\n\r\n").unwrap().is_some());
}

#[test]
fn empty_lines_before_a_request() {
    let head = request(b"\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n\r\nrest").unwrap().unwrap();
    assert_eq!(head.start.target, "/");
    assert_eq!(head.headers["a"], "b");
    assert_eq!(head.consumed, 28);
    let mut empty = "\r\n".repeat(8 * 1024).into_bytes();
    assert!(request(&empty).unwrap().is_none());
    empty.push(b'\r');
    assert_eq!(request_error(&empty), HeadError::TooLarge { limit: 16 * 1024 });
}

#[test]
fn limits_are_inclusive() {
    let lines = |count: usize| "A: b\r\n".repeat(count);
    let head = format!("GET / HTTP/1.1\r\n{}\r\n", lines(100));
    assert_eq!(request(head.as_bytes()).unwrap().unwrap().headers.len(), 100);
    let head = format!("GET / HTTP/1.1\r\n{}A", lines(100));
    assert_eq!(request_error(head.as_bytes()), HeadError::TooManyHeaders { limit: 100 });

    let target = "/".repeat(8 * 1024);
    assert!(request(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes()).unwrap().is_some());
    let error = request_error(format!("GET {target}/").as_bytes());
    assert_eq!(error, HeadError::TargetTooLong { limit: 8 * 1024 });

    let fill = |len: usize| -> String {
        let start = "GET / HTTP/1.1\r\nA: ";
        format!("{start}{}\r\n\r\n", "b".repeat(len - start.len() - 4))
    };
    let head = fill(16 * 1024);
    assert_eq!(request(head.as_bytes()).unwrap().unwrap().consumed, 16 * 1024);
    let head = fill(16 * 1024 + 1);
    assert_eq!(request_error(head.as_bytes()), HeadError::TooLarge { limit: 16 * 1024 });
    let endless = format!("HTTP/1.1 200 {}", "O".repeat(16 * 1024));
    assert_eq!(response(endless.as_bytes()).unwrap_err(), HeadError::TooLarge { limit: 16 * 1024 });
}

#[test]
fn unreasonable_limits_do_not_panic() {
    let limits = HeadLimits { head: usize::MAX, headers: usize::MAX, target: usize::MAX };
    let read = |head: String| HeadReader::<RequestLine>::new(limits).read(head.as_bytes());
    let many: String = (0..40_000).map(|n| format!("X-{n}:\r\n")).collect();
    assert!(read(format!("GET / HTTP/1.1\r\n{many}\r\n")).is_err());
    assert!(read(format!("GET /{} HTTP/1.1\r\n", "a".repeat(70_000))).is_err());
    assert!(read(format!("GET / HTTP/1.1\r\n{}:\r\n\r\n", "a".repeat(70_000))).is_err());
    // As many names as a map holds with the `http` of the lock file, and a Host header that the target implies.
    let with = |names: usize| -> String { (0..names).map(|n| format!("X-{n}:\r\n")).collect() };
    assert!(parse_request(format!("GET / HTTP/1.0\r\n{}\r\n", with(24_576)).as_bytes()).is_ok());
    let implied = parse_request(format!("GET http://a/ HTTP/1.0\r\n{}\r\n", with(24_576)).as_bytes());
    assert_eq!(implied.unwrap_err(), HeadError::TooManyHeaders { limit: 24_576 });
}

#[test]
fn any_byte_anywhere_never_panics() {
    for at in 0..HEAD.len() {
        for byte in 0..=u8::MAX {
            let mut head = HEAD.to_vec();
            head[at] = byte;
            let _ = request(&head);
            let _ = response(&head);
        }
    }
}
