//! The client's side (RFC 8441 §5): requests and responses as an HTTP library has them.

use http::{Method, Request, Response, StatusCode, Version};
use ws_proto::handshake::client::{BuildError, Builder, ClientHandshake, Confirmed, HandshakeError};
use ws_proto::handshake::extensions::{self, Extension};

fn builder() -> Builder {
    ClientHandshake::builder("server.example.com:8443", "/chat?a=1")
}

fn request(builder: Builder, secure: bool) -> Request<()> {
    builder.build_extended_connect(secure).unwrap().into_request()
}

fn deflate() -> Extension {
    Extension { name: "permessage-deflate".into(), params: Vec::new() }
}

#[test]
fn the_request_has_no_key_no_upgrade_and_no_host() {
    let request = request(
        builder()
            .subprotocols(["chat", "superchat"])
            .extensions([deflate()])
            .header("Origin", "https://example.com")
            .header("Cookie", "a=1")
            .header("Cookie", "b=2")
            .header("Keep-Alive", "5")
            .header("Proxy-Connection", "close"),
        true,
    );
    assert_eq!((request.method(), request.version()), (&Method::CONNECT, Version::HTTP_2));
    assert_eq!(request.uri(), "https://server.example.com:8443/chat?a=1");
    let fields: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(
        fields,
        [
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat, superchat"),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("origin", "https://example.com"),
            ("cookie", "a=1; b=2"),
        ]
    );
}

#[test]
fn the_scheme_and_the_host_are_parts_of_the_uri() {
    assert_eq!(request(builder(), false).uri(), "http://server.example.com:8443/chat?a=1");
    assert_eq!(request(builder().header("Host", "other.example"), true).uri(), "https://other.example/chat?a=1");
    assert_eq!(request(ClientHandshake::builder("[::1]", "/"), false).uri(), "http://[::1]/");
}

#[test]
fn a_request_is_checked_as_over_http_1_1() {
    let error = |builder: Builder| builder.build_extended_connect(true).unwrap_err();
    assert_eq!(error(ClientHandshake::builder("a b", "/")), BuildError::Host);
    assert_eq!(error(ClientHandshake::builder("a", "/ ")), BuildError::Target);
    assert_eq!(error(builder().header("X", "a\r\nb")), BuildError::HeaderValue("x".parse().unwrap()));
    assert_eq!(error(builder().header("Upgrade", "h2c")), BuildError::ReservedHeader("upgrade".parse().unwrap()));
    assert_eq!(error(builder().subprotocols(["a", "a"])), BuildError::DuplicateSubprotocol("a".into()));
}

fn confirm(builder: Builder, status: u16, fields: &[(&str, &str)]) -> Result<Confirmed, HandshakeError> {
    let mut response = Response::builder().status(status).version(Version::HTTP_2);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    builder.build_extended_connect(true).unwrap().confirm(&response.body("the body is not looked at").unwrap())
}

#[test]
fn a_200_opens_the_connection() {
    let offers = || builder().subprotocols(["chat"]).extensions([deflate()]);
    let confirmed = confirm(offers(), 200, &[]).unwrap();
    assert_eq!((confirmed.subprotocol, confirmed.extensions.len()), (None, 0));
    let chosen = [
        ("sec-websocket-protocol", "chat"),
        ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits=15"),
        ("sec-websocket-accept", "without a key it means nothing"),
    ];
    let confirmed = confirm(offers(), 200, &chosen).unwrap();
    assert_eq!(confirmed.subprotocol.as_deref(), Some("chat"));
    assert_eq!(extensions::format(&confirmed.extensions), "permessage-deflate; client_max_window_bits=15");
}

#[test]
fn the_server_chooses_what_was_offered() {
    let error = |builder: Builder, field| confirm(builder, 200, &[field]).unwrap_err();
    let other = error(builder().subprotocols(["chat"]), ("sec-websocket-protocol", "talk"));
    assert!(matches!(other, HandshakeError::SubprotocolNotOffered(_)));
    let unasked = error(builder(), ("sec-websocket-extensions", "permessage-deflate"));
    assert!(matches!(unasked, HandshakeError::ExtensionNotOffered(name) if name == "permessage-deflate"));
    let malformed = error(builder(), ("sec-websocket-extensions", ";"));
    assert!(matches!(malformed, HandshakeError::MalformedExtensions));
    let none = confirm(builder().subprotocols(["chat"]).require_subprotocol(true), 200, &[]).unwrap_err();
    assert!(matches!(none, HandshakeError::NoSubprotocol(_)));
}

#[test]
fn any_other_status_is_a_refusal() {
    for status in [101, 201, 204, 302, 400, 403, 404, 501] {
        let error = confirm(builder(), status, &[("x-why", "1")]).unwrap_err();
        let HandshakeError::Rejected { response, consumed: 0 } = error else { panic!("{error}") };
        assert_eq!(response.status(), StatusCode::from_u16(status).unwrap());
        assert_eq!(response.headers()["x-why"], "1");
    }
}

#[test]
fn credentials_are_not_printed() {
    let handshake = builder().header("Authorization", "Basic c2VjcmV0").build_extended_connect(true).unwrap();
    assert!(!format!("{handshake:?}").contains("c2VjcmV0"));
    assert_eq!(handshake.request().headers()["authorization"], "Basic c2VjcmV0");
}
