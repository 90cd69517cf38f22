//! RFC 6455 §4.1: what a response must have.

use super::*;

#[test]
fn the_example() {
    let input = response(&[], "Sec-WebSocket-Protocol: chat\r\n");
    let established = receive(&input).unwrap();
    assert_eq!(established.response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(established.response.headers()["upgrade"], "websocket");
    assert_eq!(established.subprotocol.as_deref(), Some("chat"));
    assert_eq!(established.consumed, input.len());
    for end in 0..input.len() {
        assert!(handshake().receive(&input[..end]).unwrap().is_none(), "after {end} bytes");
        assert!(receive_slowly(&input[..end]).unwrap().is_none(), "after {end} bytes");
    }
}

#[test]
fn tolerated_variations_of_a_response() {
    let without_subprotocol = receive(&response(&[], "Server: caf\u{e9}\r\n")).unwrap();
    assert_eq!(without_subprotocol.subprotocol, None);
    receive(&response(&["Upgrade"], "upgrade:WebSocket\r\n")).unwrap();
    receive(&response(&["Connection"], "Connection: keep-alive, UPGRADE\r\n")).unwrap();
    receive(&response(&["Connection"], "Connection: a\r\nConnection: upgrade\r\n")).unwrap();
    let terse = [b"HTTP/1.1 101\r\n", &response(&[], "")[34..]].concat();
    receive(&terse).unwrap();
}

#[test]
fn k1_other_statuses() {
    for (line, status) in [
        ("HTTP/1.1 200 OK", 200),
        ("HTTP/1.1 204 No Content", 204),
        ("HTTP/1.1 302 Found", 302),
        ("HTTP/1.1 401 Unauthorized", 401),
        ("HTTP/1.0 403 Forbidden", 403),
        ("HTTP/1.1 503 Service Unavailable", 503),
        ("HTTP/1.1 999 ", 999),
    ] {
        // All that a 101 would need makes no difference.
        let tail = &response(&[], "Location: wss://example.com/\r\nContent-Length: 3\r\n")[32..];
        let input = [line.as_bytes(), tail, b"No."].concat();
        let HandshakeError::Rejected { response, consumed } = receive(&input).unwrap_err() else { panic!("{line}") };
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["location"], "wss://example.com/");
        assert_eq!(&input[consumed..], b"No.");
    }
}

#[test]
fn k1_the_body_of_a_rejection() {
    let body = |head: &str, body: &[u8]| {
        let input = [head.as_bytes(), body].concat();
        let HandshakeError::Rejected { response, consumed } = receive(&input).unwrap_err() else { panic!("{head}") };
        let mut reader = BodyReader::new(&response);
        for byte in &input[consumed..] {
            reader.read(std::slice::from_ref(byte));
        }
        let body = reader.into_body();
        (body.bytes, body.complete)
    };
    let with_length = "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(body(with_length, b"Hello, more"), ("Hello".into(), true));
    assert_eq!(body(with_length, b"Hell"), ("Hell".into(), false));
    let chunked = "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(body(chunked, b"5\r\nHello\r\n1;x\r\n!\r\n0\r\n\r\n"), ("Hello!".into(), true));
    assert_eq!(body(chunked, b"5\r\nHello\r\nx"), ("Hello".into(), false));
    let until_eof = "HTTP/1.0 403 Forbidden\r\n\r\n";
    assert_eq!(body(until_eof, b"Hello"), ("Hello".into(), true));
    let (kept, complete) = body(until_eof, &[b'x'; 64 * 1024 + 1]);
    assert_eq!((kept.len(), complete), (64 * 1024, false));
}

#[test]
fn k2_upgrade() {
    let of = |value: &str| error(&response(&["Upgrade"], &format!("Upgrade: {value}\r\n")));
    assert_eq!(error(&response(&["Upgrade"], "")), "invalid handshake response: no upgrade header");
    assert_eq!(of("h2c"), "invalid handshake response: wrong upgrade header \"h2c\"");
    assert_eq!(of("websocket, h2c"), "invalid handshake response: wrong upgrade header \"websocket, h2c\"");
    let twice = response(&[], "Upgrade: websocket\r\n");
    assert_eq!(error(&twice), "invalid handshake response: more than one upgrade header");
}

#[test]
fn k2_connection() {
    assert_eq!(error(&response(&["Connection"], "")), "invalid handshake response: no connection header");
    for value in ["close", "", "Upgraded"] {
        assert_eq!(
            error(&response(&["Connection"], &format!("Connection: {value}\r\n"))),
            format!("invalid handshake response: wrong connection header {value:?}")
        );
    }
}

#[test]
fn k2_accept() {
    let name = "Sec-WebSocket-Accept";
    assert_eq!(error(&response(&[name], "")), "invalid handshake response: no sec-websocket-accept header");
    for value in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ==",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ] {
        assert_eq!(
            error(&response(&[name], &format!("{name}: {value}\r\n"))),
            format!("invalid handshake response: wrong sec-websocket-accept header {value:?}")
        );
    }
    let twice = response(&[], "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
    assert_eq!(error(&twice), "invalid handshake response: more than one sec-websocket-accept header");
}

#[test]
fn k3_subprotocols() {
    for value in ["other", "Chat", ",", "chat,", "chat, superchat", "caf\u{e9}"] {
        let input = response(&[], &format!("Sec-WebSocket-Protocol: {value}\r\n"));
        assert!(
            matches!(receive(&input), Err(HandshakeError::SubprotocolNotOffered(name)) if name == value),
            "{value}"
        );
    }
    let twice = response(&[], "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n");
    assert_eq!(error(&twice), "invalid handshake response: more than one sec-websocket-protocol header");
    let mut none_offered = builder().build(NONCE).unwrap();
    let input = response(&[], "Sec-WebSocket-Protocol: chat\r\n");
    assert!(matches!(none_offered.receive(&input), Err(HandshakeError::SubprotocolNotOffered(_))));
}

#[test]
fn an_empty_subprotocol_or_list_of_extensions_counts_as_absent() {
    for (lines, subprotocol) in [
        ("Sec-WebSocket-Protocol:\r\n", None),
        ("Sec-WebSocket-Protocol: \t \r\nSec-WebSocket-Protocol:\r\n", None),
        ("Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: chat\r\n", Some("chat")),
        ("Sec-WebSocket-Extensions:\r\n", None),
        ("Sec-WebSocket-Extensions: , ,\r\nSec-WebSocket-Extensions:\r\n", None),
    ] {
        let established = receive(&response(&[], lines)).unwrap();
        assert_eq!(established.subprotocol.as_deref(), subprotocol, "{lines}");
        assert_eq!(established.extensions, [], "{lines}");
    }
}

#[test]
fn a_subprotocol_can_be_required() {
    let insisting = |names: &[&str]| builder().subprotocols(names.iter().copied()).require_subprotocol(true);
    let told = "the server speaks none of the subprotocols offered: chat, v2";
    for lines in ["", "Sec-WebSocket-Protocol:\r\n"] {
        let mut handshake = insisting(&["chat", "v2"]).build(NONCE).unwrap();
        let error = handshake.receive(&response(&[], lines)).unwrap_err();
        assert!(matches!(&error, HandshakeError::NoSubprotocol(offered) if offered == &["chat", "v2"]), "{error}");
        assert_eq!(error.to_string(), told);
        let mut content = insisting(&["chat", "v2"]).require_subprotocol(false).build(NONCE).unwrap();
        assert_eq!(content.receive(&response(&[], lines)).unwrap().unwrap().subprotocol, None);
    }
    let mut handshake = insisting(&["chat", "v2"]).build(NONCE).unwrap();
    let established = handshake.receive(&response(&[], "Sec-WebSocket-Protocol: v2\r\n")).unwrap().unwrap();
    assert_eq!(established.subprotocol.as_deref(), Some("v2"));
    let mut none_offered = insisting(&[]).build(NONCE).unwrap();
    assert!(none_offered.receive(&response(&[], "")).unwrap().is_some());
}

#[test]
fn k3_extensions() {
    let of = |value: &str| error(&response(&[], &format!("Sec-WebSocket-Extensions: {value}\r\n")));
    assert_eq!(of("foo; a=b"), "invalid handshake response: extension \"foo\" was not offered");
    for malformed in ["foo;", "foo bar", "\u{e9}", "foo; a=\""] {
        assert_eq!(of(malformed), "invalid handshake response: malformed extensions");
    }
}

#[test]
fn k4_permessage_deflate_that_was_not_offered() {
    for params in ["", "; server_max_window_bits=99", "; server_max_window_bits", "; a=b; a=b"] {
        let input = response(&[], &format!("Sec-WebSocket-Extensions: permessage-deflate{params}\r\n"));
        assert_eq!(error(&input), "invalid handshake response: extension \"permessage-deflate\" was not offered");
    }
}

#[test]
fn k6_frames_in_the_same_segment() {
    for rest in [&b"\x81\x02Hi"[..], b"\x88\x02\x03\xE8", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n"] {
        let input = [&response(&[], ""), rest].concat();
        let established = receive(&input).unwrap();
        assert_eq!(&input[established.consumed..], rest);
    }
}

#[test]
fn the_response_must_be_http_1_1() {
    let old = [b"HTTP/1.0", &response(&[], "")[8..]].concat();
    assert!(matches!(receive(&old), Err(HandshakeError::Head(HeadError::Version))));
    assert!(matches!(receive(b"HTTP/2.0 101 X\r\n"), Err(HandshakeError::Head(HeadError::Version))));
    // A later minor version is 1.1 to us (RFC 9110 §2.5).
    let later = [b"HTTP/1.2", &response(&[], "")[8..]].concat();
    assert_eq!(receive(&later).unwrap().response.version(), http::Version::HTTP_11);
}
