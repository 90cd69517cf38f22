//! The opening handshake as a client does it: what it asks for, what it refuses to send (row K7 of the table of bad
//! input), and how long it waits.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::mpsc;

use futures_channel::oneshot;
use futures_util::future::{Either, select};

use ws_test_support::nobody::Nobody;

use super::setup::*;
use http::HeaderName;
use http::header::{AUTHORIZATION, HOST, USER_AGENT};

/// The request that a client sends which is made from the server's URL.
fn asked(client: impl FnOnce(&str) -> Client) -> http::Request<()> {
    let server = Script::new(|mut peer| {
        let request = peer.accept(b"");
        peer.close_frame();
        request
    });
    drop(block_on(client(&server.url()).connect()).unwrap());
    server.done()
}

fn header(request: &http::Request<()>, name: &str) -> Vec<String> {
    request.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_request_says_what_was_asked_for() {
    let request = asked(|url| {
        Client::new(format!("{url}chat/%20?a=b c"))
            .header("X-A", "1")
            .header("x-a", "2")
            .origin("https://example.com")
            .subprotocols(["v2", "v1"])
            .subprotocols(["v0".to_owned()])
    });
    assert_eq!(request.uri(), "/chat/%20?a=b%20c");
    assert_eq!(header(&request, "x-a"), ["1", "2"]);
    assert_eq!(header(&request, "origin"), ["https://example.com"]);
    assert_eq!(header(&request, "sec-websocket-protocol").join(", "), "v2, v1, v0");
    assert_eq!(header(&request, "sec-websocket-version"), ["13"]);
}

#[test]
fn the_host_is_the_urls_or_another_that_was_given() {
    let mut host = String::new();
    let request = asked(|url| {
        host = url.trim_start_matches("ws://").trim_end_matches('/').to_owned();
        Client::new(url)
    });
    assert_eq!(header(&request, "host"), [host]);
    let request = asked(|url| Client::new(url).header(HOST, "other.example:81"));
    assert_eq!(header(&request, "host"), ["other.example:81"]);
}

#[test]
fn explicit_headers_replace_those_that_the_url_implies() {
    let request = asked(|url| {
        Client::new(url.replace("ws://", "ws://user:secret@"))
            .header(AUTHORIZATION, "Bearer t")
            .header("Origin", "https://b.example")
            .origin("https://a.example")
            .header("Cookie", "a=1")
            .header("Cookie", "b=2")
            .header("User-Agent", "me/1")
    });
    for (name, value) in
        [("authorization", "Bearer t"), ("origin", "https://a.example"), ("cookie", "a=1; b=2"), ("user-agent", "me/1")]
    {
        assert_eq!(header(&request, name), [value]);
    }
}

#[test]
fn the_adapter_names_itself_unless_told_not_to() {
    let version = env!("CARGO_PKG_VERSION");
    let names = [format!("ws-tokio/{version}"), format!("ws-async-std/{version}")];
    let sent = header(&asked(|url| Client::new(url)), "user-agent");
    assert!(sent.len() == 1 && names.contains(&sent[0]), "{sent:?}");
    let request = asked(|url| {
        Client::new(url.replace("ws://", "ws://user:secret@")).remove_header(USER_AGENT).remove_header(AUTHORIZATION)
    });
    assert_eq!((header(&request, "user-agent"), header(&request, "authorization")), (vec![], vec![]));
}

#[test]
fn a_client_can_insist_on_a_subprotocol() {
    let server = start(Server::new().subprotocols(["v1"]), echo);
    let offering = |names: &[&str]| server.client().subprotocols(names.iter().copied()).require_subprotocol(true);
    let ws = block_on(offering(&["v2", "v1"]).connect()).unwrap();
    assert_eq!(ws.subprotocol(), Some("v1"));
    close(ws);
    let error = block_on(offering(&["v2", "v3"]).connect()).unwrap_err();
    assert_eq!(error.to_string(), "the server speaks none of the subprotocols offered: v2, v3");
    assert_eq!(block_on(offering(&["v2"]).require_subprotocol(false).connect()).unwrap().subprotocol(), None);
    server.stop();
}

#[test]
fn a_user_and_a_password_are_sent_and_not_shown() {
    let request = asked(|url| {
        let client = Client::new(url.replace("ws://", "ws://user:p%40ss@"));
        let shown = format!("{client:?}");
        assert!(!shown.contains("p@ss") && !shown.contains("p%40ss"), "no password in {shown}");
        client
    });
    assert_eq!(header(&request, "authorization"), ["Basic dXNlcjpwQHNz"]);
}

#[test]
fn credentials_are_not_in_the_requests_debug() {
    let (ws, _peer) = connected(Client::new("ws://user:p%40ss@test/"));
    let shown = format!("{:?}", ws.request());
    assert!(!shown.contains("dXNlcjpwQHNz"), "{shown}");
}

#[test]
fn each_connection_has_a_key_of_its_own() {
    let [one, other] = [(); 2].map(|()| header(&asked(|url| Client::new(url)), "sec-websocket-key"));
    assert_ne!(one, other);
}

// ---- what cannot be asked ----

/// What was given that cannot be, and what the client says to it.
fn mistakes(url: &str) -> Vec<(Client, &'static str)> {
    let client = || Client::new(url);
    let at = |path: &str| Client::new(format!("{url}{path}"));
    vec![
        (at("a\r\nX: y"), "control"),
        (at("\0"), "control"),
        (at("a\nb"), "control"),
        (at("#top"), "fragment"),
        (client().header("X", "a\r\nY: b"), "x"),
        (client().header("X", "a\0b"), "x"),
        (client().header("X\r\nY", "a"), "header"),
        (client().header("", "a"), "header"),
        (client().origin("https://a\r\nX: y"), "origin"),
        (client().header(HOST, "a b"), "host"),
        (client().header(AUTHORIZATION, "Basic \n"), "authorization"),
        (client().header("Sec-WebSocket-Key", "mine"), "sec-websocket-key"),
        (client().header("Connection", "close"), "connection"),
        (client().header("Content-Length", "3"), "content-length"),
        (client().subprotocols(["a\r\nb"]), "subprotocol"),
        (client().subprotocols([""]), "subprotocol"),
        (client().subprotocols(["a b"]), "subprotocol"),
        (client().subprotocols(["a", "a"]), "subprotocol"),
    ]
}

fn is_typed(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Url(_) | ConnectError::Request(_))
}

#[test]
fn an_invalid_request_is_reported_before_anything_is_dialled() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for (client, says) in mistakes(&format!("ws://{address}/")) {
        let error = block_on(client.connect()).unwrap_err();
        assert!(is_typed(&error), "{error:?}");
        assert!(error.to_string().to_lowercase().contains(says), "{says}: {error}");
    }
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "none of them arrived");
}

#[test]
fn an_invalid_request_sends_no_byte_on_a_stream_either() {
    for (client, says) in mistakes("ws://test/") {
        let (near, far) = tcp_pair();
        let error = block_on(client.handshake(Io::new(stream(near)), Addresses::default())).unwrap_err();
        assert!(is_typed(&error), "{says}: {error:?}");
        assert_eq!(Peer::new(far).rest(), b"", "{says}");
    }
}

#[test]
fn urls_that_cannot_be_used() {
    let url = |url: &str| match block_on(connect(url)).unwrap_err() {
        ConnectError::Url(error) => error,
        other => panic!("{url}: {other:?}"),
    };
    assert_eq!(url("ftp://example.com/"), UrlError::Scheme("ftp".to_owned()));
    for bare in ["", "example.com", "//example.com", "localhost:9711", "127.0.0.1:9711/x", "[::1]:9711"] {
        let error = url(bare);
        assert_eq!(error, UrlError::NoScheme, "{bare}");
        assert!(error.to_string().contains("put ws:// in front"), "{error}");
    }
    assert_eq!(url("ws://example.com/#a"), UrlError::Fragment);
    assert_eq!(url("ws://example.com/\u{85}"), UrlError::ControlCharacter);
    for invalid in ["ws://", "ws://a b/", "ws://[::1", "ws://example.com:70000/"] {
        assert!(matches!(url(invalid), UrlError::Invalid(_)), "{invalid}");
    }
}

#[test]
fn headers_that_cannot_be_used() {
    let build = |client: Client| match block_on(client.connect()).unwrap_err() {
        ConnectError::Request(error) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(build(Client::new("ws://test/").header("a b", "c")), BuildError::HeaderName);
    let value = build(Client::new("ws://test/").header("X-A", "\r\n"));
    assert_eq!(value, BuildError::HeaderValue(HeaderName::from_static("x-a")));
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_secure_url_needs_tls() {
    let error = block_on(connect("wss://example.com/")).unwrap_err();
    assert!(matches!(error, ConnectError::TlsUnsupported), "{error:?}");
    assert!(error.to_string().contains("TLS"), "{error}");
}

// ---- dialling ----

#[test]
fn nobody_listens() {
    let nobody = Nobody::new();
    let address = nobody.address();
    let error = block_on(connect(&format!("ws://{address}/"))).unwrap_err();
    assert!(matches!(&error, ConnectError::Dial(dial) if dial.attempts()[0].address == address), "{error:?}");
    assert_eq!(error.io_error().unwrap().kind(), ErrorKind::ConnectionRefused);
    let told = error.to_string();
    assert!(told.starts_with(&format!("cannot connect to {address}: ")), "{told}");
    assert_eq!(format!("{error:?}"), told);
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    let error = block_on(connect("ws://nowhere.invalid:81/")).unwrap_err();
    assert!(matches!(&error, ConnectError::Resolve { host, .. } if host == "nowhere.invalid"), "{error:?}");
    assert!(error.to_string().starts_with("cannot resolve nowhere.invalid: "), "{error}");
}

#[test]
fn a_name_is_resolved() {
    let server = Script::new(|mut peer| peer.accept(b""));
    let host = format!("localhost:{}", server.address.port());
    drop(block_on(connect(&format!("ws://{host}"))).unwrap());
    assert_eq!(header(&server.done(), "host"), [host]);
}

#[test]
fn an_ipv6_address_is_dialled() {
    // Where there is no IPv6, there is nothing to see.
    let Ok(server) = Script::at("[::1]:0", |mut peer| peer.accept(b"")) else { return };
    let host = server.address.to_string();
    drop(block_on(connect(&server.url())).unwrap());
    assert_eq!(header(&server.done(), "host"), [host]);
}

#[test]
fn an_ipv6_address_with_a_zone_is_dialled() {
    // Where there is no IPv6, there is nothing to see. Linux alone always has an interface `lo`.
    let Ok(server) = Script::at("[::1]:0", |mut peer| peer.accept(b"")) else { return };
    let zone = if cfg!(target_os = "linux") { "lo" } else { "1" };
    let host = server.address.to_string();
    let url = format!("ws://[::1%25{zone}]:{}/", server.address.port());
    drop(block_on(connect(&url)).unwrap());
    assert_eq!(header(&server.done(), "host"), [host]);
}

#[test]
fn http_urls_are_taken_as_ws_urls() {
    let server = Script::new(|mut peer| peer.accept(b""));
    drop(block_on(connect(&server.url().replace("ws://", "http://"))).unwrap());
    server.done();
}

// ---- time ----

fn in_a_hurry(url: &str) -> Client {
    Client::new(url).connect_timeout(LATER)
}

#[test]
fn a_server_that_never_accepts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = block_on(in_a_hurry(&format!("ws://{}/", listener.local_addr().unwrap())).connect()).unwrap_err();
    assert!(matches!(error, ConnectError::Timeout(_)), "{error:?}");
}

#[test]
fn a_server_that_never_answers() {
    for answer in ["", "HTTP/1.1 101 Switching Protocols\r\nUpgr"] {
        let server = Script::new(move |mut peer| {
            peer.head();
            peer.write(answer);
            peer.rest()
        });
        let error = block_on(in_a_hurry(&server.url()).connect()).unwrap_err();
        assert!(matches!(error, ConnectError::Timeout(_)), "{error:?}");
        assert_eq!(server.done(), b"", "and it is gone");
    }
}

#[test]
fn early_hints_without_end_do_not_put_the_deadline_off() {
    let server = Script::new(|mut peer| {
        peer.head();
        while peer.try_write("HTTP/1.1 103 Early Hints\r\n\r\n").is_ok() && peer.hears_nothing() {}
    });
    let error = block_on(in_a_hurry(&server.url()).connect()).unwrap_err();
    assert!(matches!(error, ConnectError::Timeout(_)), "{error:?}");
    server.done();
}

#[test]
fn a_body_that_stops_half_way_is_handed_out_at_the_deadline() {
    let server = Script::new(|mut peer| {
        peer.head();
        peer.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nas far as this");
        peer.rest();
    });
    let error = block_on(in_a_hurry(&server.url()).connect()).unwrap_err();
    assert_eq!(error.response().expect("a response").body(), "as far as this");
    server.done();
}

#[test]
fn a_stream_from_elsewhere_has_the_same_deadline() {
    let (near, far) = tcp_pair();
    let error = block_on(in_a_hurry("ws://test/").handshake(Io::new(stream(near)), Addresses::default())).unwrap_err();
    assert!(matches!(error, ConnectError::Timeout(_)), "{error:?}");
    Peer::new(far).head();
}

#[test]
fn dropping_the_future_gives_up() {
    let (tell, told) = mpsc::channel();
    let (asked, was_asked) = oneshot::channel();
    let server = Script::new(move |mut peer| {
        peer.head();
        asked.send(()).unwrap();
        tell.send(peer.rest()).unwrap();
    });
    let url = server.url();
    block_on(async {
        match select(Box::pin(connect(&url)), was_asked).await {
            Either::Left((connected, _)) => panic!("{connected:?}"),
            Either::Right((asked, _)) => asked.unwrap(),
        }
    });
    assert_eq!(hear(&told), b"");
}
