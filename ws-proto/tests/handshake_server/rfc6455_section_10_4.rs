//! RFC 6455 §10.4: limits.

use super::*;

#[test]
fn h17_too_many_headers() {
    let lines = |count| "X: y\r\n".repeat(count);
    accepted(&request(&[], &lines(95)));
    let mut input = request(&[], &lines(95));
    input.truncate(input.len() - 2);
    input.push(b'X');
    rejected_at_the_last_byte("431 Request Header Fields Too Large", &input);
}

#[test]
fn h17_head_too_large() {
    let filler = |len: usize| format!("X: {}\r\n", "y".repeat(len - "X: \r\n".len()));
    let room = 16 * 1024 - request(&[], "").len();
    accepted(&request(&[], &filler(room)));
    let mut input = request(&[], &filler(room + 1));
    rejected_at_the_last_byte("431 Request Header Fields Too Large", &input);
    input.extend_from_slice(&[b'z'; 16 * 1024]);
    rejected("431 Request Header Fields Too Large", &input);
    // It need not hold a single line end.
    rejected_at_the_last_byte("431 Request Header Fields Too Large", &[b'A'; 16 * 1024 + 1]);
}

#[test]
fn h18_target_too_long() {
    let target = "/".repeat(8 * 1024);
    accepted(&[b"GET ", target.as_bytes(), &request(&[], "")[9..]].concat());
    rejected_at_the_last_byte("414 URI Too Long", format!("GET {target}/").as_bytes());
}

#[test]
fn limits_can_be_set() {
    let mut limits = HeadLimits::default();
    limits.headers = 4;
    let status = |limits| RequestReader::with_limits(limits).read(&request(&[], "")).unwrap_err().status();
    assert_eq!(status(limits), 431);
    limits.target = 4;
    assert_eq!(status(limits), 414);
    limits.head = 8;
    assert_eq!(status(limits), 431);
}

#[test]
fn many_subprotocols_cost_little() {
    let names: Vec<_> = (0..2000).map(|n| format!("p{n}")).collect();
    accepted(&request(&[], &format!("Sec-WebSocket-Protocol: {}\r\n", names.join(","))));
}

#[test]
fn a_default_reader_has_the_default_limits() {
    let target = "x".repeat(8 * 1024 - 1);
    let head = |target: &str| format!("GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    assert!(RequestReader::default().read(&head(&target)).unwrap().is_some());
    assert_eq!(RequestReader::default().read(&head(&(target + "x"))).unwrap_err().status(), 414);
}
