use alloc::format;
use alloc::string::ToString;

use http::header::{HOST, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};

use super::*;
use crate::handshake::extensions;
use crate::handshake::fields::RESERVED;

fn builder() -> Builder {
    ClientHandshake::builder("example.com", "/")
}

fn build(builder: Builder) -> Result<ClientHandshake, BuildError> {
    builder.build(*b"the sample nonce")
}

#[test]
fn hosts_and_targets() {
    for host in ["", "a b", "a\r\nX: y", "u@a", "a:b", "\u{e9}.example"] {
        assert_eq!(build(ClientHandshake::builder(host, "/")).unwrap_err(), BuildError::Host, "{host:?}");
    }
    for target in ["", "a", "?a", "*", "/#", "/ ", "/\u{e9}", "/\t", "/\r\n", "/\0", "/\x7F", "http://a/"] {
        assert_eq!(build(ClientHandshake::builder("a", target)).unwrap_err(), BuildError::Target, "{target:?}");
    }
    for target in ["/", "//", "/a?b", "/?", "/%20?a=/?b", "/a;b=c,d:e@f"] {
        let handshake = build(ClientHandshake::builder("a", target)).unwrap();
        assert!(handshake.request_bytes().starts_with(format!("GET {target} HTTP/1.1\r\n").as_bytes()));
    }
}

#[test]
fn headers() {
    let error = |name: &str, value: &str| build(builder().header(name, value)).unwrap_err();
    assert_eq!(error("X Y", "z"), BuildError::HeaderName);
    assert_eq!(error("", "z"), BuildError::HeaderName);
    assert_eq!(error("X\r\n", "z"), BuildError::HeaderName);
    assert_eq!(error("X", "a\r\nb"), BuildError::HeaderValue(HeaderName::from_static("x")));
    for name in RESERVED {
        assert_eq!(error(name.as_str(), "x"), BuildError::ReservedHeader(name));
    }
    let handshake = build(builder().header("x-a", b"caf\xE9".as_slice()).header("X-A", "2")).unwrap();
    assert_eq!(handshake.request().headers().get_all("x-a").iter().count(), 2);
    let many = (0..40_000).fold(builder(), |builder, _| builder.header("x", ""));
    assert!(build(many).is_ok(), "values of one name are not limited in number");
    let many = (0..40_000).fold(builder(), |builder, n| builder.header(format!("x-{n}"), ""));
    assert_eq!(build(many).unwrap_err(), BuildError::TooManyHeaders);
}

#[test]
fn fields_that_stand_once_take_the_last_value() {
    for name in ["Authorization", "Host", "Origin", "User-Agent"] {
        let handshake = build(builder().header(name, "a").header(name.to_ascii_lowercase(), "b")).unwrap();
        let values: Vec<_> = handshake.request().headers().get_all(name).iter().collect();
        assert_eq!(values, ["b"], "{name}");
    }
    let handshake = build(builder().header("Cookie", "a=1").header("cookie", "b=2").header("Cookie", "c=3")).unwrap();
    let cookies: Vec<_> = handshake.request().headers().get_all("cookie").iter().collect();
    assert_eq!(cookies, ["a=1; b=2; c=3"]);
    assert!(cookies.iter().all(|cookies| cookies.is_sensitive()));
}

#[test]
fn headers_can_be_removed() {
    let handshake = build(builder().header("X", "1").header("x", "2").remove_header("X").header("Y", "3")).unwrap();
    let headers = handshake.request().headers();
    assert_eq!((headers.contains_key("x"), headers.contains_key("y")), (false, true));
    let handshake = build(builder().header("Host", "other.example").remove_header("host")).unwrap();
    assert_eq!(handshake.request().headers()[HOST], "example.com");
    assert_eq!(build(builder().remove_header("X Y")).unwrap_err(), BuildError::HeaderName);
    assert_eq!(
        build(builder().header("X", "\n").remove_header("X")).unwrap_err(),
        BuildError::HeaderValue("x".parse().unwrap())
    );
}

#[test]
fn a_host_replaces_the_host() {
    let handshake = build(builder().header("Host", "a").header("host", "b:1")).unwrap();
    let hosts: Vec<_> = handshake.request().headers().get_all(HOST).iter().collect();
    assert_eq!(hosts, ["b:1"]);
    assert_eq!(build(builder().header("host", "a b")).unwrap_err(), BuildError::Host);
}

#[test]
fn subprotocols() {
    let error = |names: &[&str]| build(builder().subprotocols(names.iter().copied())).unwrap_err();
    for name in ["", "a b", "a,b", "a\r\n", "\u{e9}", "a\0"] {
        assert_eq!(error(&["x", name]), BuildError::Subprotocol(name.into()));
    }
    assert_eq!(error(&["a", "b", "a"]), BuildError::DuplicateSubprotocol("a".into()));
    let handshake = build(builder().subprotocols(["a"]).subprotocols(["b".to_string(), "A".into()])).unwrap();
    assert_eq!(handshake.request().headers()[SEC_WEBSOCKET_PROTOCOL], "a, b, A");
    let handshake = build(builder().subprotocols([""; 0])).unwrap();
    assert!(!handshake.request().headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
}

#[test]
fn extensions_are_offered_in_order_and_only_they_may_be_answered() {
    let extension = |name: &str, param: &str| Extension {
        name: name.into(),
        params: [extensions::Param { name: param.into(), value: None }].into(),
    };
    for (name, param) in [("", "a"), ("a b", "a"), ("a", ""), ("a", "b\r\nc")] {
        let error = build(builder().extensions([extension(name, param)])).unwrap_err();
        assert_eq!(error, BuildError::Extension(name.into()));
    }
    let offers = [extension("a", "b"), extension("a", "c"), extension("d", "e")];
    let mut handshake = build(builder().extensions(offers)).unwrap();
    assert_eq!(handshake.request().headers()[SEC_WEBSOCKET_EXTENSIONS], "a; b, a; c, d; e");
    let head = |extensions: &str| {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: {extensions}\r\n\r\n"
        )
    };
    let established = handshake.receive(head("d; x=1").as_bytes()).unwrap().unwrap();
    assert_eq!(extensions::format(&established.extensions), "d; x=1");
    let mut handshake = build(builder().extensions([extension("a", "b")])).unwrap();
    let error = handshake.receive(head("a, b").as_bytes()).unwrap_err();
    assert!(matches!(error, HandshakeError::ExtensionNotOffered(name) if name == "b"));
}

#[test]
fn credentials_are_not_printed() {
    let handshake = build(builder().header("Authorization", "Basic c2VjcmV0")).unwrap();
    assert!(!format!("{handshake:?}").contains("c2VjcmV0"));
    let sent = handshake.request_bytes();
    assert!(sent.windows(14).any(|bytes| bytes == b"Basic c2VjcmV0"));
}

#[test]
fn an_interim_response_counts_toward_the_limit() {
    let mut handshake = build(builder()).unwrap();
    let interim = format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(1000));
    let endless = interim.repeat(100);
    let error = handshake.receive(endless.as_bytes()).unwrap_err();
    assert!(matches!(error, HandshakeError::Head(HeadError::TooLarge { limit: 16_384 })), "{error}");
}

/// A 101 as an HTTP client hands it over, with the body it has for it.
fn parsed(change: impl FnOnce(&mut Response<&'static str>)) -> Response<&'static str> {
    let mut response = Response::new("the body is not looked at");
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in [
        (UPGRADE, "WebSocket"),
        (CONNECTION, "keep-alive, Upgrade"),
        (SEC_WEBSOCKET_ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        (SEC_WEBSOCKET_PROTOCOL, "chat"),
        (SEC_WEBSOCKET_EXTENSIONS, "a; b=1"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    change(&mut response);
    response
}

#[test]
fn a_response_that_was_parsed_elsewhere_is_checked_as_one_that_was_read() {
    let extension = Extension { name: "a".into(), params: Default::default() };
    let handshake = build(builder().subprotocols(["chat"]).extensions([extension])).unwrap();
    let confirmed = handshake.confirm(&parsed(|_| {})).unwrap();
    assert_eq!(confirmed.subprotocol.as_deref(), Some("chat"));
    assert_eq!(extensions::format(&confirmed.extensions), "a; b=1");

    let error = |change: fn(&mut Response<&'static str>)| handshake.confirm(&parsed(change)).unwrap_err();
    assert!(matches!(error(|r| drop(r.headers_mut().remove(UPGRADE))), HandshakeError::MissingHeader(UPGRADE)));
    assert!(matches!(error(|r| drop(r.headers_mut().remove(CONNECTION))), HandshakeError::MissingHeader(CONNECTION)));
    let wrong = error(|r| drop(r.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static("x"))));
    assert!(matches!(wrong, HandshakeError::WrongHeader(SEC_WEBSOCKET_ACCEPT, _)));
    let other = error(|r| drop(r.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("talk"))));
    assert!(matches!(other, HandshakeError::SubprotocolNotOffered(_)));
    let unasked = error(|r| drop(r.headers_mut().insert(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static("z"))));
    assert!(matches!(unasked, HandshakeError::ExtensionNotOffered(name) if name == "z"));
    assert!(matches!(error(|r| *r.version_mut() = Version::HTTP_2), HandshakeError::Head(HeadError::Version)));
    let refused = error(|r| {
        *r.status_mut() = StatusCode::FORBIDDEN;
        r.headers_mut().insert(HOST, HeaderValue::from_static("kept"));
    });
    let HandshakeError::Rejected { response, consumed: 0 } = refused else { panic!("{refused}") };
    assert_eq!(
        (response.status(), &response.headers()[HOST]),
        (StatusCode::FORBIDDEN, &HeaderValue::from_static("kept"))
    );
}

#[test]
fn the_handshakes_own_headers_may_be_the_ones_too_many() {
    let with = |count: usize| (0..count).fold(builder(), |builder, n| builder.header(format!("x-{n}"), "1"));
    // A map holds 24,576 names with the `http` of the lock file, and five are the handshake's.
    assert!(build(with(24_571)).is_ok());
    for count in [24_572, 24_576] {
        assert_eq!(build(with(count)).unwrap_err(), BuildError::TooManyHeaders, "{count}");
    }
}

#[test]
fn interim_responses_are_shown_once_each() {
    let mut handshake = build(builder()).unwrap();
    let input = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n\
                 HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let mut seen = Vec::new();
    let mut established = None;
    for end in 0..=input.len() {
        let read = handshake.receive_with(&input.as_bytes()[..end], |interim| {
            seen.push((interim.status().as_u16(), interim.headers().get_all("link").iter().count(), end));
        });
        established = established.or(read.unwrap());
    }
    assert_eq!(seen, [(100, 0, 25), (103, 2, 25 + 52)]);
    assert_eq!(established.unwrap().consumed, input.len());
}

#[test]
fn a_request_can_be_sent_elsewhere() {
    let builder = builder().header("X", "1").header("Host", "given").retarget("b:1", "/c");
    assert_eq!(builder.get_header(&HeaderName::from_static("x")).unwrap(), "1");
    let sent = build(builder.clone()).unwrap().request_bytes();
    assert!(sent.starts_with(b"GET /c HTTP/1.1\r\nHost: given\r\n"));
    let sent = build(builder.remove_header("Host")).unwrap().request_bytes();
    assert!(sent.starts_with(b"GET /c HTTP/1.1\r\nHost: b:1\r\n"));
}
