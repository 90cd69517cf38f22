//! RFC 6455 §4.2.1: what a request must have, and what it gets otherwise.

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
    for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/2", "HTTP/3", "HTTP/1.10", "HTTP/1.", "http/1.1", "XTTP/1.1"] {
        let input = format!("GET / {version}\r\n");
        rejected_at_the_last_byte("505 HTTP Version Not Supported", input.as_bytes());
    }
    rejected("505 HTTP Version Not Supported", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    rejected_at_the_last_byte(BAD_REQUEST, b"GET /\r");
}

#[test]
fn h2_http_1_0_is_read_to_its_end_and_refused_with_what_to_do() {
    let as_1_0 = |input: &[u8]| String::from_utf8(input.into()).unwrap().replace(" HTTP/1.1", " HTTP/1.0");
    let response = rejected("505 HTTP Version Not Supported", as_1_0(&request(&[], "")).as_bytes());
    for told in ["HTTP/1.1", "proxy_http_version 1.1", "nginx", "Apache", "force-proxy-request-1.0"] {
        assert!(response.contains(told), "{response}");
    }
    // No Host is needed, but one that is there is one, and whole.
    let head = RequestReader::new().read(b"OPTIONS / HTTP/1.0\r\n\r\n").unwrap().unwrap();
    assert_eq!(head.request.version(), http::Version::HTTP_10);
    rejected("505 HTTP Version Not Supported", b"OPTIONS / HTTP/1.0\r\n\r\n");
    rejected(BAD_REQUEST, b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n");
    rejected(BAD_REQUEST, b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n");
    rejected(BAD_REQUEST, b"GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\nHello");
}

/// RFC 9110 §2.5: a later minor version is handled as the highest we know.
#[test]
fn h2_later_minor_versions_are_1_1() {
    for version in ["HTTP/1.2", "HTTP/1.9"] {
        let input = String::from_utf8(request(&[], "")).unwrap().replace("HTTP/1.1", version);
        accepted(input.as_bytes());
        let head = RequestReader::new().read(input.as_bytes()).unwrap().unwrap();
        assert_eq!(head.request.version(), http::Version::HTTP_11);
        rejected(BAD_REQUEST, format!("GET / {version}\r\n\r\n").as_bytes());
    }
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

/// autobahn, trio-websocket, lomond, ws4py, simple-websocket and two clients on npm leave the brackets out.
#[test]
fn a_host_without_the_brackets_of_ipv6_is_told_so() {
    let refused = |host: &str| rejected(BAD_REQUEST, &request(&["Host"], &format!("Host: {host}\r\n")));
    assert!(refused("::1:8765").ends_with(
        "\r\n\r\nThe Host header \"::1:8765\" is not a host with an optional port. \
         IPv6 addresses in Host need brackets, as in [::1]:80.\n"
    ));
    for host in
        ["::1", "::1:65535", "2001:db8::2:80", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6:443", "::ffff:1.2.3.4"]
    {
        assert!(refused(host).contains("need brackets"), "{host}");
    }
    for host in ["a:b", "a:1:2", "127.0.0.1:1:2", "[::1", "[::1]x", "::1:65536", "::1:", ":80", ""] {
        assert!(!refused(host).contains("brackets"), "{host}");
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
    let hybi8 = request(&["Sec-WebSocket-Version"], "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Origin: http://a\r\n");
    rejected("426 Upgrade Required", &hybi8);
}
