//! RFC 6455 §4.1: the request.

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
    let handshake = ClientHandshake::builder("127.0.0.1:8765", "/?a=b").header("Host", "example.com").build(NONCE);
    let bytes = String::from_utf8(handshake.unwrap().request_bytes()).unwrap();
    assert!(bytes.starts_with("GET /?a=b HTTP/1.1\r\nHost: example.com\r\nUpgrade"), "{bytes}");
    assert_eq!(bytes.matches("Host:").count(), 1);
}

#[test]
fn many_headers_at_once() {
    let headers =
        [("x-a", "1"), ("x-a", "2"), ("x-b", "3")].map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
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
        let error = ClientHandshake::builder("a", &target).build(NONCE).unwrap_err();
        assert_eq!(error, BuildError::Target, "{poison:?}");
        let error = ClientHandshake::builder(format!("a{poison}"), "/").build(NONCE).unwrap_err();
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
        assert_eq!(ClientHandshake::builder("a", target).build(NONCE).unwrap_err(), BuildError::Target, "{target:?}");
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
