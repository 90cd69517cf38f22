//! The server's side of the opening handshake: bytes in, bytes out. Every input is read as a whole and byte by
//! byte, and both must give the same answer.
#![cfg(feature = "handshake")]

use http::{HeaderMap, HeaderValue};
use ws_proto::handshake::encode;
use ws_proto::handshake::head::HeadLimits;
use ws_proto::handshake::server::{self, Origins, Rejection, RequestHead, RequestReader, Upgrade};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The headers of a valid request but for those in `without`, then those in `with`.
fn request(without: &[&str], with: &str) -> Vec<u8> {
    let lines = [
        "Host: server.example.com\r\n",
        "Upgrade: websocket\r\n",
        "Connection: Upgrade\r\n",
        KEY,
        "Sec-WebSocket-Version: 13\r\n",
    ];
    let kept = lines.iter().filter(|line| !without.iter().any(|name| line.starts_with(name)));
    let mut head = String::from("GET /chat HTTP/1.1\r\n");
    head.extend(kept.copied());
    head.push_str(with);
    head.push_str("\r\n");
    head.into_bytes()
}

/// Feeds a reader everything received so far, byte after byte.
fn read_slowly(input: &[u8]) -> Result<Option<RequestHead>, Rejection> {
    let mut reader = RequestReader::new();
    for end in 0..=input.len() {
        if let Some(head) = reader.read(&input[..end])? {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

fn respond(head: RequestHead, consumed: &mut usize) -> Result<Vec<u8>, Rejection> {
    *consumed = head.consumed;
    let upgrade = Upgrade::new(head.request)?;
    let subprotocol = upgrade.select_subprotocol(["superchat", "chat"]);
    let accepted = upgrade.accept(subprotocol, HeaderMap::new())?;
    let mut response = Vec::new();
    encode::response_head(&accepted.response, &mut response);
    Ok(response)
}

/// The response to `input`, and how much of the input is not part of the request.
#[track_caller]
fn answer(input: &[u8]) -> (String, usize) {
    let run = |head: Result<Option<RequestHead>, Rejection>| {
        let mut consumed = input.len();
        let response = head.and_then(|head| respond(head.expect("incomplete"), &mut consumed));
        let response = response.unwrap_or_else(|rejection| {
            let mut response = Vec::new();
            encode::response(&rejection.into_response(), &mut response);
            response
        });
        (String::from_utf8(response).unwrap(), input.len() - consumed)
    };
    let whole = run(RequestReader::new().read(input));
    assert_eq!(run(read_slowly(input)), whole, "byte by byte differs from whole");
    whole
}

#[track_caller]
fn accepted(input: &[u8]) -> String {
    let (response, _) = answer(input);
    assert!(response.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{response}");
    response
}

/// The response, once it is checked to be of that status and to have what every rejection has.
#[track_caller]
fn rejected(status: &str, input: &[u8]) -> String {
    let (response, _) = answer(input);
    assert!(response.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{response}");
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nConnection: close"), "{response}");
    assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8"), "{response}");
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{response}");
    assert!(body.ends_with(".\n"), "{response}");
    response
}

/// As `rejected`, and the last byte of the input is the one that decides.
#[track_caller]
fn rejected_at_the_last_byte(status: &str, input: &[u8]) {
    rejected(status, input);
    let (_, before) = input.split_last().unwrap();
    assert!(RequestReader::new().read(before).unwrap().is_none());
}

const BAD_REQUEST: &str = "400 Bad Request";

mod rfc6455_section_1_3 {
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
}

mod rfc6455_section_4_1 {
    use super::*;

    #[test]
    fn h20_frames_pipelined_behind_the_head() {
        for rest in
            [&b"\x81\x85\x01\x02\x03\x04Igohn"[..], b"\x89\x80\0\0\0\0", b"GET /2 HTTP/1.1\r\n\r\n", b"\0\n\xFF"]
        {
            let mut input = request(&[], "");
            let head = input.len();
            input.extend_from_slice(rest);
            let (response, left) = answer(&input);
            assert!(response.starts_with("HTTP/1.1 101 "));
            assert_eq!(&input[input.len() - left..], rest);
            assert_eq!(input.len() - left, head);
        }
    }

    #[test]
    fn h10_subprotocols() {
        for offer in [
            &b""[..],
            b",",
            b"chat,",
            b", chat",
            b"chat,,superchat",
            b"chat, chat",
            b"chat chat",
            b"\"chat\"",
            b"chat/1",
            b"ch\xFFat",
            b"\xFF",
        ] {
            let mut input = request(&[], "Sec-WebSocket-Protocol: ");
            input.truncate(input.len() - 2);
            input.extend_from_slice(offer);
            input.extend_from_slice(b"\r\n\r\n");
            rejected(BAD_REQUEST, &input);
        }
        rejected(BAD_REQUEST, &request(&[], "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: x, chat\r\n"));
        let response = accepted(&request(&[], "Sec-WebSocket-Protocol: x\r\nsec-websocket-protocol: chat\r\n"));
        assert!(response.contains("\r\nSec-WebSocket-Protocol: chat\r\n"));
        let response = accepted(&request(&[], "Sec-WebSocket-Protocol: x, Chat\r\n"));
        assert!(!response.contains("Sec-WebSocket-Protocol"), "names are compared with regard to case");
    }
}

mod rfc6455_section_4_2_1 {
    use super::*;

    #[test]
    fn h1_method() {
        let input = [b"POST", &request(&[], "")[3..]].concat();
        assert_eq!(
            rejected("405 Method Not Allowed", &input),
            "HTTP/1.1 405 Method Not Allowed\r\n\
             Allow: GET\r\n\
             Connection: close\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: 43\r\n\r\n\
             A WebSocket connection is opened with GET.\n"
        );
        for method in ["HEAD", "OPTIONS", "PUT", "get", "GETS", "M-SEARCH"] {
            let input = [method.as_bytes(), &request(&[], "")[3..]].concat();
            let response = rejected("405 Method Not Allowed", &input);
            assert!(response.contains("\r\nAllow: GET\r\n"));
        }
    }

    #[test]
    fn h2_http_version() {
        for version in ["HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/2", "HTTP/3", "http/1.1", "XTTP/1.1"] {
            let input = format!("GET / {version}\r\n");
            rejected_at_the_last_byte("505 HTTP Version Not Supported", input.as_bytes());
        }
        rejected("505 HTTP Version Not Supported", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        rejected_at_the_last_byte(BAD_REQUEST, b"GET /\r");
    }

    #[test]
    fn h3_host() {
        rejected(BAD_REQUEST, &request(&["Host"], ""));
        rejected(BAD_REQUEST, &request(&[], "Host: server.example.com\r\n"));
        for host in ["", "a b", "a, b", "http://a", "user@a", "a:port", "a:99999", ":80", "/"] {
            rejected(BAD_REQUEST, &request(&["Host"], &format!("Host: {host}\r\n")));
        }
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "xn--bcher-kva.example", "web_1:80"] {
            accepted(&request(&["Host"], &format!("hOST:{host}\r\n")));
        }
    }

    #[test]
    fn h4_upgrade_and_connection() {
        let page = b"GET / HTTP/1.1\r\nHost: server.example.com\r\nAccept: text/html\r\n\r\n";
        assert_eq!(
            rejected("426 Upgrade Required", page),
            "HTTP/1.1 426 Upgrade Required\r\n\
             Upgrade: websocket\r\n\
             Connection: close, Upgrade\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: 78\r\n\r\n\
             This is a WebSocket endpoint. Open it with a WebSocket client, not as a page.\n"
        );
        for input in [
            request(&["Upgrade"], ""),
            request(&["Upgrade"], "Upgrade: h2c\r\n"),
            request(&["Upgrade"], "Upgrade: \r\n"),
            request(&["Upgrade"], "Upgrade: websockets\r\n"),
            request(&["Upgrade"], "Upgrade: web\r\nUpgrade: socket\r\n"),
            request(&["Connection"], ""),
            request(&["Connection"], "Connection: keep-alive\r\n"),
            request(&["Connection"], "Connection: close\r\n"),
            request(&["Connection"], "Connection: Upgrade-Insecure-Requests\r\n"),
        ] {
            let response = rejected("426 Upgrade Required", &input);
            assert!(response.contains("\r\nUpgrade: websocket\r\n"));
        }
        accepted(&request(&["Upgrade"], "Upgrade: h2c, WebSocket\r\n"));
        accepted(&request(&["Upgrade"], "Upgrade: h2c\r\nUpgrade: websocket\r\n"));
    }

    #[test]
    fn h6_connection_is_a_list() {
        accepted(&request(&["Connection"], "Connection: keep-alive, Upgrade\r\n"));
        accepted(&request(&["Connection"], "Connection: keep-alive\r\nConnection: UPGRADE\r\n"));
        accepted(&request(&["Connection"], "Connection:,upgrade\t,\r\n"));
    }

    #[test]
    fn h7_key() {
        rejected(BAD_REQUEST, &request(&["Sec-WebSocket-Key"], ""));
        rejected(BAD_REQUEST, &request(&[], KEY));
        for key in [
            "",
            "AAAA",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZSE=",
            "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25j!Q==",
            "\u{e9}GhlIHNhbXBsZSBub25jZ==",
        ] {
            rejected(BAD_REQUEST, &request(&["Sec-WebSocket-Key"], &format!("Sec-WebSocket-Key: {key}\r\n")));
        }
    }

    #[test]
    fn h8_version_missing() {
        rejected(BAD_REQUEST, &request(&["Sec-WebSocket-Version"], ""));
    }

    /// The last drafts before the RFC had other headers too.
    #[test]
    fn drafts_are_refused() {
        let hixie = b"GET /demo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\
            Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n^n:ds[4U";
        rejected(BAD_REQUEST, hixie);
        let hybi8 =
            request(&["Sec-WebSocket-Version"], "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Origin: http://a\r\n");
        rejected("426 Upgrade Required", &hybi8);
    }
}

mod rfc6455_section_4_2_2 {
    use super::*;

    #[test]
    fn h9_other_versions() {
        for version in ["8", "12, 13", "13, 13", "14", "013", "", "x"] {
            let header = format!("Sec-WebSocket-Version: {version}\r\n");
            let response = rejected("426 Upgrade Required", &request(&["Sec-WebSocket-Version"], &header));
            assert!(response.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{response}");
            assert!(response.contains("\r\nUpgrade: websocket\r\n"), "{response}");
        }
        let response = rejected("426 Upgrade Required", &request(&[], "Sec-WebSocket-Version: 12\r\n"));
        assert!(response.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{response}");
    }

    #[test]
    fn h21_origin() {
        let origins = Origins::new(["https://example.com", "http://localhost:3000"]).unwrap();
        let check = |origin: &[u8], origins: &Origins| {
            let mut input = request(&[], "Origin: ");
            input.truncate(input.len() - 2);
            input.extend_from_slice(origin);
            input.extend_from_slice(b"\r\n\r\n");
            let head = RequestReader::new().read(&input).unwrap().unwrap();
            let upgrade = Upgrade::new(head.request).unwrap();
            origins.check(upgrade.request().headers())
        };
        assert!(check(b"https://example.com", &origins).is_ok());
        assert!(check(b"HTTPS://Example.COM:443", &origins).is_ok());
        assert!(check(b"http://localhost:3000", &origins).is_ok());
        for origin in [&b"http://example.com"[..], b"https://example.com.evil.example", b"null", b"", b"\xFF"] {
            let response = check(origin, &origins).unwrap_err().into_response();
            assert_eq!(response.status(), 403);
            assert_eq!(response.headers()["connection"], "close");
        }
        let without = RequestReader::new().read(&request(&[], "")).unwrap().unwrap().request;
        assert_eq!(origins.check(without.headers()).unwrap_err().status(), 403);
        assert!(origins.or_none().check(without.headers()).is_ok());
    }

    #[test]
    fn the_application_adds_headers() {
        let head = RequestReader::new().read(&request(&[], "")).unwrap().unwrap();
        let headers = HeaderMap::from_iter([(http::header::SERVER, HeaderValue::from_static("x"))]);
        let accepted = Upgrade::new(head.request).unwrap().accept(None, headers).unwrap();
        let mut response = Vec::new();
        encode::response_head(&accepted.response, &mut response);
        assert_eq!(
            response,
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nServer: x\r\n\r\n"
        );
    }
}

mod rfc6455_section_9_1 {
    use super::*;

    fn offering(extensions: &str) -> Vec<u8> {
        request(&[], &format!("Sec-WebSocket-Extensions: {extensions}\r\n"))
    }

    #[test]
    fn h11_malformed_extensions() {
        for extensions in ["", ",", "foo bar", "foo;", "foo; =", "foo; a=", "foo; a=\"b", "foo; a=\"b c\"", "\u{e9}"] {
            rejected(BAD_REQUEST, &offering(extensions));
        }
        rejected(BAD_REQUEST, &request(&[], "Sec-WebSocket-Extensions: foo\r\nSec-WebSocket-Extensions: ;\r\n"));
    }

    #[test]
    fn h12_unknown_extensions_are_declined() {
        let response = accepted(&offering("foo, x-webkit-deflate-frame; a=1; b=\"2\""));
        assert!(!response.contains("Sec-WebSocket-Extensions"));
    }

    #[test]
    fn offers_reach_the_application_in_order() {
        let lines = "Sec-WebSocket-Extensions: foo; a=\"1\"\r\nX: y\r\nSec-WebSocket-Extensions: bar, foo\r\n";
        let head = RequestReader::new().read(&request(&[], lines)).unwrap().unwrap();
        let upgrade = Upgrade::new(head.request).unwrap();
        let offers: Vec<_> = upgrade.extensions().iter().map(ToString::to_string).collect();
        assert_eq!(offers, ["foo; a=1", "bar", "foo"]);
    }
}

mod rfc6455_section_10_4 {
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
}

mod rfc7692_section_7_1 {
    use super::*;

    /// Until an offer can be accepted, every one is declined, however wrong its parameters.
    #[test]
    fn h13_h14_permessage_deflate_is_declined() {
        for params in [
            "",
            "; client_max_window_bits",
            "; server_max_window_bits=7",
            "; server_max_window_bits=8",
            "; server_max_window_bits=16",
            "; server_max_window_bits=08",
            "; server_max_window_bits",
            "; server_max_window_bits=10; server_max_window_bits=10",
            "; server_no_context_takeover=1",
            "; unknown",
        ] {
            let offer = format!("Sec-WebSocket-Extensions: permessage-deflate{params}, permessage-deflate\r\n");
            let response = accepted(&request(&[], &offer));
            assert!(!response.contains("Sec-WebSocket-Extensions"), "{response}");
        }
    }
}

mod rfc9112_section_2_2 {
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
}

mod rfc9112_section_3 {
    use super::*;

    #[test]
    fn request_lines() {
        for wrong in [&b" "[..], b"\0", b"\x16", b"\xFF", b"G@", b"GET  ", b"GET /\0", b"GET /\t", b"GET /\xC3"] {
            rejected_at_the_last_byte(BAD_REQUEST, wrong);
        }
        rejected_at_the_last_byte(BAD_REQUEST, b"GET / HTTP/1.1 ");
        rejected_at_the_last_byte(BAD_REQUEST, b"GET /#top HTTP/1.1\r\n");
        rejected_at_the_last_byte(BAD_REQUEST, b"GET chat HTTP/1.1\r\n");
        rejected_at_the_last_byte(BAD_REQUEST, b"GET server.example.com:80 HTTP/1.1\r\n");
    }

    #[test]
    fn targets() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/chat?room=%C3%A9", "/chat", Some("room=%C3%A9")),
            ("//a/../b", "//a/../b", None),
            ("ws://server.example.com/chat", "/chat", None),
        ] {
            let input = [b"GET ", target.as_bytes(), &request(&[], "")[9..]].concat();
            accepted(&input);
            let head = RequestReader::new().read(&input).unwrap().unwrap();
            assert_eq!(head.request.uri().path(), path);
            assert_eq!(head.request.uri().query(), query);
        }
    }

    /// The same port answers plain HTTP: that is for the application to decide.
    #[test]
    fn any_request_without_a_body_can_be_read() {
        let head = RequestReader::new().read(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.request.uri().path(), head.request.version()), ("/health", http::Version::HTTP_11));
        for line in ["OPTIONS *", "HEAD /", "CONNECT a:443", "DELETE /x"] {
            let input = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(read_slowly(input.as_bytes()).unwrap().is_some(), "{line}");
        }
        let page = http::Response::builder().header("content-type", "text/plain").body("OK\n").unwrap();
        let mut out = Vec::new();
        encode::response(&page, &mut out);
        assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nOK\n");
    }
}

mod rfc9112_section_5 {
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
}

mod rfc9112_section_6 {
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
    fn what_is_wrong_with_a_length_is_said() {
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
}

mod rfc9110_section_9_3_2 {
    use http::Response;

    use super::*;

    #[test]
    fn a_head_request_gets_the_head_a_get_would_get() {
        for (status, head) in [
            (200, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
            (404, "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n"),
            (204, "HTTP/1.1 204 No Content\r\n\r\n"),
        ] {
            let mut out = Vec::new();
            encode::response_to_head(&Response::builder().status(status).body("Hello").unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), head);
        }
    }
}

#[test]
fn an_application_can_tell_which_headers_it_cannot_set() {
    for name in ["connection", "content-length", "sec-websocket-accept", "trailer", "transfer-encoding", "upgrade"] {
        assert!(server::is_reserved(&name.parse().unwrap()), "{name}");
    }
    for name in ["host", "set-cookie", "date", "sec-websocket"] {
        assert!(!server::is_reserved(&name.parse().unwrap()), "{name}");
    }
}

#[test]
fn a_default_reader_has_the_default_limits() {
    let target = "x".repeat(8 * 1024 - 1);
    let head = |target: &str| format!("GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    assert!(RequestReader::default().read(&head(&target)).unwrap().is_some());
    assert_eq!(RequestReader::default().read(&head(&(target + "x"))).unwrap_err().status(), 414);
}
