//! The server's side (RFC 8441 §5): requests and responses as an HTTP library has them.

use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use ws_proto::handshake::extensions;
use ws_proto::handshake::server::{
    AcceptedUpgrade, Origins, Rejection, Upgrade, UpgradeError, WEBSOCKET, join_cookies, remove_connection_fields,
};

/// A field's name and value.
type Field = (&'static str, &'static str);

const CHROMIUM: &[Field] = &[
    ("pragma", "no-cache"),
    ("cache-control", "no-cache"),
    ("origin", "https://server.example.com"),
    ("sec-websocket-version", "13"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en-US,en;q=0.9"),
    ("cookie", "a=1"),
    ("cookie", "b=2"),
    ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"),
    ("sec-websocket-protocol", "chat, superchat"),
];

const FIREFOX: &[Field] = &[
    ("accept", "*/*"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("sec-websocket-version", "13"),
    ("origin", "https://server.example.com"),
    ("sec-websocket-extensions", "permessage-deflate"),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-mode", "websocket"),
    ("sec-fetch-site", "same-origin"),
    ("pragma", "no-cache"),
    ("cache-control", "no-cache"),
];

const LEAST: &[Field] = &[("sec-websocket-version", "13")];

fn request(fields: &[Field]) -> Request<()> {
    let mut request = Request::connect("https://server.example.com/chat?a=1").version(Version::HTTP_2);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn upgrade(fields: &[Field]) -> Result<Upgrade, Rejection> {
    Upgrade::extended_connect(request(fields), Some("websocket"))
}

fn accepted(fields: &[Field]) -> AcceptedUpgrade {
    upgrade(fields).unwrap().accept(None, HeaderMap::new()).unwrap()
}

fn fields(response: &Response<()>) -> Vec<(&str, &str)> {
    response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
}

#[track_caller]
fn refused(rejection: Rejection, status: u16) -> Response<bytes::Bytes> {
    let response = rejection.into_multiplexed_response();
    assert_eq!((response.status().as_u16(), response.version()), (status, Version::HTTP_2));
    for field in ["connection", "upgrade", "keep-alive", "transfer-encoding"] {
        assert!(!response.headers().contains_key(field), "{field}");
    }
    let length: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(length, response.body().len());
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    response
}

#[test]
fn requests_of_browsers_are_answered_with_a_200() {
    assert_eq!(WEBSOCKET, "websocket");
    for version in [Version::HTTP_2, Version::HTTP_3] {
        for fields_of in [CHROMIUM, FIREFOX, LEAST] {
            let mut request = request(fields_of);
            *request.version_mut() = version;
            let upgrade = Upgrade::extended_connect(request, Some("websocket")).unwrap();
            let accepted = upgrade.accept(None, HeaderMap::new()).unwrap();
            let response = &accepted.response;
            assert_eq!((response.status().as_u16(), response.version()), (200, version));
            assert_eq!(fields(response), [], "no Upgrade, no Connection, no Sec-WebSocket-Accept");
            assert_eq!(accepted.request.uri().path_and_query().unwrap(), "/chat?a=1");
        }
    }
}

#[test]
fn subprotocols_and_extensions_are_chosen_as_over_http_1_1() {
    let upgrade = upgrade(CHROMIUM).unwrap();
    assert_eq!(upgrade.subprotocols(), ["chat", "superchat"]);
    assert_eq!(extensions::format(upgrade.extensions()), "permessage-deflate; client_max_window_bits");
    let answer = upgrade.extensions()[0].clone();
    let mut own = HeaderMap::new();
    own.insert("x-own", HeaderValue::from_static("1"));
    own.insert("keep-alive", HeaderValue::from_static("timeout=5"));
    let accepted = upgrade.accept_with(Some("superchat"), &[answer], own).unwrap();
    assert_eq!(
        fields(&accepted.response),
        [
            ("sec-websocket-protocol", "superchat"),
            ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"),
            ("x-own", "1")
        ]
    );
    for fields in [CHROMIUM, LEAST] {
        let error = self::upgrade(fields).unwrap().accept(Some("other"), HeaderMap::new()).unwrap_err();
        assert_eq!(error, UpgradeError::SubprotocolNotOffered("other".into()));
    }
    for (name, value) in
        [("sec-websocket-protocol", "a, a"), ("sec-websocket-protocol", "a b"), ("sec-websocket-extensions", "a; b c")]
    {
        refused(self::upgrade(&[LEAST[0], (name, value)]).unwrap_err(), 400);
    }
}

#[test]
fn the_accept_answers_a_key_if_there_is_one() {
    let with = |keys: &[&'static str]| {
        let fields: Vec<_> = LEAST.iter().copied().chain(keys.iter().map(|key| ("sec-websocket-key", *key))).collect();
        let accepted = accepted(&fields);
        accepted.response.headers().get("sec-websocket-accept").map(|accept| accept.to_str().unwrap().to_owned())
    };
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    assert_eq!(with(&[KEY]).as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    // The handshake has no key (RFC 8441 §5), so a bad one is no error.
    assert_eq!(with(&["short"]), None);
    assert_eq!(with(&[KEY, KEY]), None);
    assert_eq!(with(&[]), None);
}

#[test]
fn the_version_is_13() {
    let response = refused(upgrade(&[]).unwrap_err(), 400);
    assert!(!response.headers().contains_key("sec-websocket-version"));
    for versions in [&[("sec-websocket-version", "8")][..], &[LEAST[0], ("sec-websocket-version", "8")]] {
        let response = refused(upgrade(versions).unwrap_err(), 400);
        assert_eq!(response.headers()["sec-websocket-version"], "13");
    }
}

#[test]
fn other_requests_get_a_clear_answer() {
    let with = |method: Method, version, protocol: Option<&str>| {
        let mut request = request(LEAST);
        *request.method_mut() = method;
        *request.version_mut() = version;
        Upgrade::extended_connect(request, protocol).unwrap_err()
    };
    for method in [Method::GET, Method::HEAD, Method::POST] {
        let response = refused(with(method, Version::HTTP_2, None), 405);
        assert_eq!(response.headers()["allow"], "CONNECT");
    }
    let text = |response: Response<bytes::Bytes>| String::from_utf8(response.into_body().to_vec()).unwrap();
    let tunnel = text(refused(with(Method::CONNECT, Version::HTTP_2, None), 400));
    assert!(tunnel.contains("no :protocol"), "{tunnel}");
    for protocol in ["connect-udp", "WebSocket", ""] {
        let other = text(refused(with(Method::CONNECT, Version::HTTP_2, Some(protocol)), 501));
        assert!(other.contains(&format!("{protocol:?}")), "{other}");
    }
    let escaped = text(refused(with(Method::CONNECT, Version::HTTP_2, Some("a\u{1b}[1m")), 501));
    assert!(!escaped.contains('\u{1b}'), "{escaped}");
    for version in [Version::HTTP_11, Version::HTTP_10] {
        assert_eq!(with(Method::CONNECT, version, Some("websocket")).status(), 505);
    }
    // The other form is refused, too: it has no meaning over HTTP/2.
    assert_eq!(Upgrade::new(request(LEAST)).unwrap_err().status(), 505);
}

#[test]
fn origins_are_checked_as_over_http_1_1() {
    let origins = Origins::new(["https://server.example.com"]).unwrap();
    assert!(origins.check(upgrade(CHROMIUM).unwrap().request().headers()).is_ok());
    let rejection = origins.check(upgrade(LEAST).unwrap().request().headers()).unwrap_err();
    refused(rejection, 403);
}

#[test]
fn cookies_are_joined() {
    let accepted = accepted(CHROMIUM);
    let cookies: Vec<_> = accepted.request.headers().get_all("cookie").iter().collect();
    assert_eq!(cookies, ["a=1; b=2"]);
    assert!(cookies[0].is_sensitive());
    for (given, joined) in [(&[][..], &[][..]), (&["a=1"], &["a=1"]), (&["a=1; b=2", "c", ""], &["a=1; b=2; c; "])] {
        let mut headers = HeaderMap::new();
        for value in given {
            headers.append("cookie", HeaderValue::from_static(value));
        }
        join_cookies(&mut headers);
        assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), *joined);
    }
}

#[test]
fn fields_of_one_connection_are_removed() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("connection", "close, X-Own"),
        ("x-own", "1"),
        ("keep-alive", "5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("x-other", "2"),
    ] {
        headers.append(name, HeaderValue::from_static(value));
    }
    remove_connection_fields(&mut headers);
    assert_eq!(headers.iter().collect::<Vec<_>>().len(), 1);
    assert_eq!(headers["x-other"], "2");
    headers.insert("te", HeaderValue::from_static("trailers"));
    remove_connection_fields(&mut headers);
    assert_eq!(headers.len(), 2);
}

/// Envoy translates an extended CONNECT so.
#[test]
fn a_proxy_may_translate_it_into_http_1_1_without_a_key() {
    let request = |keys: &[&str]| {
        let mut request = Request::get("/chat");
        for (name, value) in [("upgrade", "websocket"), ("connection", "upgrade"), LEAST[0]] {
            request = request.header(name, value);
        }
        for key in keys {
            request = request.header("sec-websocket-key", *key);
        }
        request.body(()).unwrap()
    };
    assert_eq!(Upgrade::new(request(&[])).unwrap_err().status(), 400);
    let accept = |keys| Upgrade::with_optional_key(request(keys))?.accept(None, HeaderMap::new()).map_err(Into::into);
    let accepted: Result<AcceptedUpgrade, Rejection> = accept(&[]);
    let response = accepted.unwrap().response;
    assert_eq!(response.status(), 101);
    assert_eq!(fields(&response), [("upgrade", "websocket"), ("connection", "Upgrade")]);
    let response = accept(&["dGhlIHNhbXBsZSBub25jZQ=="]).unwrap().response;
    assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    for keys in [&["short"][..], &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="]] {
        assert_eq!(accept(keys).unwrap_err().status(), 400);
    }
    let mut plain = request(&[]);
    plain.headers_mut().remove("upgrade");
    assert_eq!(Upgrade::with_optional_key(plain).unwrap_err().status(), 426);
}
