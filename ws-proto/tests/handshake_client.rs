//! The client's side of the opening handshake: bytes out, bytes in. Every response is read as a whole and byte by
//! byte, and both must give the same result.
#![cfg(feature = "handshake")]

use http::{HeaderMap, StatusCode};
use ws_proto::handshake::body::BodyReader;
use ws_proto::handshake::client::{BuildError, Builder, Error, Established, Handshake};
use ws_proto::handshake::head::{HeadError, HeadLimits};

const NONCE: [u8; 16] = *b"the sample nonce";

fn builder() -> Builder {
    Handshake::builder("server.example.com", "/chat")
}

fn handshake() -> Handshake {
    builder().subprotocols(["chat", "superchat"]).build(NONCE).unwrap()
}

/// The headers of a valid response but for those in `without`, then those in `with`.
fn response(without: &[&str], with: &str) -> Vec<u8> {
    let lines =
        ["Upgrade: websocket\r\n", "Connection: Upgrade\r\n", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"];
    let kept = lines.iter().filter(|line| !without.iter().any(|name| line.starts_with(name)));
    let mut head = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    head.extend(kept.copied());
    head.push_str(with);
    head.push_str("\r\n");
    head.into_bytes()
}

/// Gives a handshake everything received so far, byte after byte.
fn receive_slowly(input: &[u8]) -> Result<Option<Established>, Error> {
    let mut handshake = handshake();
    for end in 0..=input.len() {
        if let Some(established) = handshake.receive(&input[..end])? {
            return Ok(Some(established));
        }
    }
    Ok(None)
}

#[track_caller]
fn receive(input: &[u8]) -> Result<Established, Error> {
    let whole = handshake().receive(input);
    let slow = receive_slowly(input);
    assert_eq!(format!("{slow:?}"), format!("{whole:?}"), "byte by byte differs from whole");
    whole.map(|established| established.expect("incomplete"))
}

/// The error's text, which tells each kind from the others.
#[track_caller]
fn error(input: &[u8]) -> String {
    receive(input).unwrap_err().to_string()
}

mod rfc6455_section_4_1_request {
    use super::*;

    #[test]
    fn the_example() {
        let handshake =
            builder().header("Origin", "http://example.com").subprotocols(["chat", "superchat"]).build(NONCE).unwrap();
        assert_eq!(
            String::from_utf8(handshake.request_bytes()).unwrap(),
            "GET /chat HTTP/1.1\r\n\
             Host: server.example.com\r\n\
             Upgrade: websocket\r\n\
             Connection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: chat, superchat\r\n\
             Origin: http://example.com\r\n\r\n"
        );
        assert_eq!(handshake.request().uri(), "/chat");
        assert_eq!(handshake.into_request().headers()["origin"], "http://example.com");
    }

    #[test]
    fn the_host_can_be_replaced() {
        let handshake = Handshake::builder("127.0.0.1:8765", "/?a=b").header("Host", "example.com").build(NONCE);
        let bytes = String::from_utf8(handshake.unwrap().request_bytes()).unwrap();
        assert!(bytes.starts_with("GET /?a=b HTTP/1.1\r\nHost: example.com\r\nUpgrade"), "{bytes}");
        assert_eq!(bytes.matches("Host:").count(), 1);
    }

    #[test]
    fn many_headers_at_once() {
        let headers = [("x-a", "1"), ("x-a", "2"), ("x-b", "3")]
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let sent = builder().headers(&HeaderMap::from_iter(headers)).build(NONCE).unwrap().request_bytes();
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.contains("\r\nX-A: 1\r\nX-A: 2\r\nX-B: 3\r\n"), "{sent}");
        let one_of_ours = HeaderMap::from_iter([(http::header::UPGRADE, "h2c".parse().unwrap())]);
        assert_eq!(
            builder().headers(&one_of_ours).build(NONCE).unwrap_err(),
            BuildError::ReservedHeader(http::header::UPGRADE)
        );
    }

    #[test]
    fn k7_nothing_breaks_out_of_its_line() {
        for poison in ["\r\n", "\r", "\n", "\0", "\r\nX-Injected: 1", "\u{7F}", "\u{1}"] {
            let target = format!("/chat{poison}");
            let error = Handshake::builder("a", &target).build(NONCE).unwrap_err();
            assert_eq!(error, BuildError::Target, "{poison:?}");
            let error = Handshake::builder(format!("a{poison}"), "/").build(NONCE).unwrap_err();
            assert_eq!(error, BuildError::Host, "{poison:?}");
            let error = builder().header("X-A", format!("b{poison}")).build(NONCE).unwrap_err();
            assert!(matches!(error, BuildError::HeaderValue(name) if name == "x-a"), "{poison:?}");
            let error = builder().header(format!("X-A{poison}"), "b").build(NONCE).unwrap_err();
            assert_eq!(error, BuildError::HeaderName, "{poison:?}");
            let error = builder().header("Host", format!("b{poison}")).build(NONCE).unwrap_err();
            assert!(matches!(error, BuildError::HeaderValue(name) if name == "host"), "{poison:?}");
            let subprotocol = format!("chat{poison}");
            let error = builder().subprotocols([&subprotocol]).build(NONCE).unwrap_err();
            assert_eq!(error, BuildError::Subprotocol(subprotocol));
        }
    }

    #[test]
    fn k7_targets_are_percent_encoded() {
        for target in ["", "chat", "/a b", "/caf\u{e9}", "/a\tb", "/#a", "ws://example.com/", "*"] {
            assert_eq!(Handshake::builder("a", target).build(NONCE).unwrap_err(), BuildError::Target, "{target:?}");
        }
    }

    #[test]
    fn k7_subprotocols_are_distinct_tokens() {
        for name in ["", " ", "a b", "a,b", "a/b", "caf\u{e9}"] {
            let error = builder().subprotocols(["chat", name]).build(NONCE).unwrap_err();
            assert_eq!(error, BuildError::Subprotocol(name.into()));
        }
        let error = builder().subprotocols(["a", "b", "a"]).build(NONCE).unwrap_err();
        assert_eq!(error, BuildError::DuplicateSubprotocol("a".into()));
    }

    #[test]
    fn k7_the_handshake_keeps_its_own_headers() {
        for name in [
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions",
            "Sec-WebSocket-Accept",
            "Upgrade",
            "connection",
            "Content-Length",
            "Transfer-Encoding",
        ] {
            let error = builder().header(name, "0").build(NONCE).unwrap_err();
            assert!(matches!(error, BuildError::ReservedHeader(found) if found == name), "{name}");
        }
    }
}

mod rfc6455_section_4_1_response {
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
    fn what_need_not_be_exact() {
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
            let Error::Rejected { response, consumed } = receive(&input).unwrap_err() else { panic!("{line}") };
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["location"], "wss://example.com/");
            assert_eq!(&input[consumed..], b"No.");
        }
    }

    #[test]
    fn k1_the_body_of_a_rejection() {
        let body = |head: &str, body: &[u8]| {
            let input = [head.as_bytes(), body].concat();
            let Error::Rejected { response, consumed } = receive(&input).unwrap_err() else { panic!("{head}") };
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
        for value in ["other", "Chat", "", "chat, superchat", "caf\u{e9}"] {
            let input = response(&[], &format!("Sec-WebSocket-Protocol: {value}\r\n"));
            assert!(matches!(receive(&input), Err(Error::SubprotocolNotOffered(name)) if name == value), "{value}");
        }
        let twice = response(&[], "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n");
        assert_eq!(error(&twice), "invalid handshake response: more than one sec-websocket-protocol header");
        let mut none_offered = builder().build(NONCE).unwrap();
        let input = response(&[], "Sec-WebSocket-Protocol: chat\r\n");
        assert!(matches!(none_offered.receive(&input), Err(Error::SubprotocolNotOffered(_))));
    }

    #[test]
    fn k3_extensions() {
        let of = |value: &str| error(&response(&[], &format!("Sec-WebSocket-Extensions: {value}\r\n")));
        assert_eq!(of("foo; a=b"), "invalid handshake response: extension \"foo\" was not offered");
        for malformed in ["", "foo;", "foo bar", "\u{e9}", "foo; a=\""] {
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
        assert!(matches!(receive(&old), Err(Error::Head(HeadError::Version))));
        assert!(matches!(receive(b"HTTP/2.0 101 X\r\n"), Err(Error::Head(HeadError::Version))));
    }
}

mod rfc9110_section_15_2 {
    use super::*;

    #[test]
    fn interim_responses_are_skipped() {
        let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nUpgrade: no\r\n\r\n";
        let head = [interim, &response(&[], "")[..]].concat();
        let input = [&head, &b"\x81\x00"[..]].concat();
        assert_eq!(receive(&input).unwrap().consumed, head.len());
        let refused = [interim, &b"HTTP/1.1 403 Forbidden\r\n\r\nNo."[..]].concat();
        let Error::Rejected { response, consumed } = receive(&refused).unwrap_err() else { panic!() };
        assert_eq!(response.status(), 403);
        assert_eq!(&refused[consumed..], b"No.");
        assert!(handshake().receive(interim).unwrap().is_none());
    }
}

mod rfc9112 {
    use super::*;

    /// The error comes with the last byte of `input`, and not before.
    #[track_caller]
    fn head_error(input: &[u8]) -> HeadError {
        let (_, before) = input.split_last().unwrap();
        assert!(handshake().receive(before).unwrap().is_none());
        match receive(input) {
            Err(Error::Head(error)) => error,
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
        assert!(matches!(four, Error::Head(HeadError::TooManyHeaders { limit: 3 })), "{four}");
        let long = receive(format!("HTTP/1.1 101 {}", "X".repeat(200)).as_bytes()).unwrap_err();
        assert!(matches!(long, Error::Head(HeadError::TooLarge { limit: 200 })), "{long}");
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
}
