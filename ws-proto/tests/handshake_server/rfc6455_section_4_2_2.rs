//! RFC 6455 §4.2.2: what a server answers.

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

#[test]
fn an_application_can_tell_which_headers_it_cannot_set() {
    for name in ["connection", "content-length", "sec-websocket-accept", "trailer", "transfer-encoding", "upgrade"] {
        assert!(server::is_reserved(&name.parse().unwrap()), "{name}");
    }
    for name in ["host", "set-cookie", "date", "sec-websocket"] {
        assert!(!server::is_reserved(&name.parse().unwrap()), "{name}");
    }
}
