//! RFC 9112 §3: the request line, and Host.

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

/// RFC 9112 §3.2.2: the host of the target replaces that of the Host header.
#[test]
fn the_host_of_a_target_in_absolute_form_counts() {
    for (target, host) in [
        ("http://example.com/chat", "example.com"),
        ("ws://EXAMPLE.com:8080", "EXAMPLE.com:8080"),
        ("https://[::1]:80/chat?a=b", "[::1]:80"),
    ] {
        let input = [b"GET ", target.as_bytes(), &request(&[], "")[9..]].concat();
        let head = RequestReader::new().read(&input).unwrap().unwrap();
        let hosts: Vec<_> = head.request.headers().get_all("host").iter().collect();
        assert_eq!(hosts, [host], "{target}");
        let kept = ws_proto::handshake::head::parse_request(&input).unwrap().unwrap();
        assert_eq!(kept.headers()["host"], host, "when it is read again");
    }
    // There is still one Host header, and it is one.
    let absolute = |rest: &[u8]| [b"GET http://example.com/chat", rest].concat();
    rejected(BAD_REQUEST, &absolute(&request(&["Host"], "")[9..]));
    rejected(BAD_REQUEST, &absolute(&request(&[], "Host: example.com\r\n")[9..]));
    rejected(BAD_REQUEST, &absolute(&request(&["Host"], "Host: a b\r\n")[9..]));
    for target in [
        "http://user@example.com/",
        "http://example.com:port/",
        "http://:80/",
        "http://a:99999/",
        "4ttp://a/",
        "+x://a/",
    ] {
        rejected(BAD_REQUEST, &[b"GET ", target.as_bytes(), &request(&[], "")[9..]].concat());
    }
}

/// Not HTTP, but what a server meets when the proxy before it is set up so.
#[test]
fn a_header_of_the_proxy_protocol_is_named() {
    let rest = request(&[], "");
    for line in [
        "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n",
        "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n",
        "PROXY UNKNOWN\r\n",
        "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
    ] {
        let response = rejected(BAD_REQUEST, &[line.as_bytes(), &rest].concat());
        assert!(response.contains("PROXY protocol, version 1") && response.contains("send-proxy"), "{response}");
    }
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xC0\0\x02\x01\xC6\x33\x64\x07\xDC\x04\x01\xBB";
    let response = rejected(BAD_REQUEST, &[&v2[..], &rest].concat());
    assert!(response.contains("PROXY protocol, version 2") && response.contains("X-Forwarded-For"), "{response}");
    rejected_at_the_last_byte(BAD_REQUEST, b"PROXY TCP4 192.0.2.1 ");
    rejected_at_the_last_byte(BAD_REQUEST, &v2[..5]);
    // A method is only a method.
    for input in
        [&b"PROXY /chat HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"PROXY TCP HTTP/1.1\r\n", b"\r\n\0", b"\r\n\r\n\x01"]
    {
        assert!(!answer(input).0.contains("PROXY protocol"));
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
