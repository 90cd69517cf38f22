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
    for target in ["http://user@example.com/", "http://example.com:port/", "http://:80/", "http://a:99999/"] {
        rejected(BAD_REQUEST, &[b"GET ", target.as_bytes(), &request(&[], "")[9..]].concat());
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
