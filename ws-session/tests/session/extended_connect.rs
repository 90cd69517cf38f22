//! Opening handshakes of HTTP/2 over `http` types, without I/O, and connections over a stream of many.

use std::net::SocketAddr;

use http::header::{CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{Method, Request, Response, StatusCode, Version};
use ws_proto::Role;
use ws_session::{AcceptError, Addresses, Bytes, ClientIp, ConnectError, HandshakeError, Parts, http};

use crate::sim::*;
use crate::upgrade::talk;

/// A request as browsers send it.
pub(crate) fn request(method: Method, change: impl FnOnce(&mut Request<&'static str>)) -> Request<&'static str> {
    let mut request = Request::new("a body of whatever kind");
    *request.method_mut() = method;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = "https://example.com/chat?a=1".parse().unwrap();
    for (name, value) in [
        ("origin", "https://example.com"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat.v1, chat.v2"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    change(&mut request);
    request
}

#[test]
fn a_server_answers_with_its_policy() {
    let server = Server::new().subprotocols(["chat.v2", "chat.v1"]).header("x-a", "1").origins(["https://example.com"]);
    let ask = |request: Request<_>, protocol| server.extended_connect(&request, protocol, Addresses::default());
    let accepted = ask(request(Method::CONNECT, |_| {}), Some("websocket")).unwrap();
    assert_eq!((accepted.subprotocol(), accepted.request().uri().path()), (Some("chat.v2"), "/chat"));
    let response = accepted.response();
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    for (name, value) in [("sec-websocket-protocol", "chat.v2"), ("x-a", "1")] {
        assert_eq!(response.headers()[name], value, "{name}");
    }
    for name in ["sec-websocket-accept", "connection", "upgrade"] {
        assert!(!response.headers().contains_key(name), "{name}");
    }
    for (request, protocol, status) in [
        (request(Method::CONNECT, |request| drop(request.headers_mut().remove(ORIGIN))), Some("websocket"), 403),
        (request(Method::CONNECT, |_| {}), Some("connect-udp"), 501),
        (request(Method::CONNECT, |_| {}), None, 400),
        (request(Method::GET, |_| {}), None, 405),
        (request(Method::CONNECT, |request| *request.version_mut() = Version::HTTP_11), Some("websocket"), 505),
    ] {
        let refused = ask(request, protocol).unwrap_err();
        assert!(matches!(refused.error(), AcceptError::Rejected(_)), "{refused}");
        let response = refused.into_response();
        assert_eq!((response.status().as_u16(), response.version()), (status, Version::HTTP_2));
        assert!(!response.headers().contains_key(CONNECTION) && !response.headers().contains_key(UPGRADE));
        assert!(!response.body().is_empty());
    }
}

#[cfg(feature = "proxies")]
#[test]
fn the_request_hook_answers_pages_and_sees_joined_cookies_and_the_client() {
    let server = Server::new().trusted_proxies(["10.0.0.0/8"]).on_request(|request| {
        let cookies: Vec<_> = request.headers().get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2"]);
        assert_eq!(request.headers()[HOST], "example.com", "as over HTTP/1.1");
        assert_eq!(request.extensions().get::<ClientIp>().unwrap().0.to_string(), "192.0.2.5");
        (request.method() == Method::GET).then(|| {
            let mut response = Response::new(Bytes::from_static(b"a page"));
            response.headers_mut().insert("keep-alive", "timeout=5".parse().unwrap());
            response.headers_mut().insert("x-own", "1".parse().unwrap());
            response
        })
    });
    let peer: SocketAddr = "10.0.0.1:5000".parse().unwrap();
    let forwarded = |request: &mut Request<_>| {
        request.headers_mut().insert("x-forwarded-for", "192.0.2.5".parse().unwrap());
    };
    let addresses = Addresses::new(None, Some(peer));
    let refused = server.extended_connect(&request(Method::GET, forwarded), None, addresses).unwrap_err();
    assert!(matches!(refused.error(), AcceptError::Answered(StatusCode::OK)), "{refused}");
    let response = refused.into_response();
    assert_eq!((response.version(), response.headers().len()), (Version::HTTP_2, 1));
    assert_eq!((&response.headers()["x-own"], &response.body()[..]), (&"1".parse().unwrap(), &b"a page"[..]));

    let accepted = server.extended_connect(&request(Method::CONNECT, forwarded), Some("websocket"), addresses).unwrap();
    let world = World::new(1);
    let (ours, _theirs) = link(LinkOptions::default(), &mut world.rng());
    let stream = accepted.parts(ours).into_stream();
    assert_eq!(stream.client_ip(), Some("192.0.2.5".parse().unwrap()));
    assert_eq!((&stream.request().headers()["cookie"], stream.peer_addr()), (&"a=1; b=2".parse().unwrap(), Some(peer)));
}

#[test]
fn a_client_and_a_server_open_a_connection_and_both_keep_their_settings() {
    let world = World::new(1);
    let client = Client::new("wss://example.com:8443/room?a=1").subprotocols(["chat"]).header("x-b", "2");
    let upgrade = client.max_message(10).extended_connect().unwrap();
    let request = upgrade.request();
    assert_eq!((request.method(), request.version()), (&Method::CONNECT, Version::HTTP_2));
    assert_eq!(request.uri(), "https://example.com:8443/room?a=1");
    for name in [HOST, CONNECTION, UPGRADE, SEC_WEBSOCKET_KEY] {
        assert!(!request.headers().contains_key(&name), "{name}");
    }
    assert_eq!(request.headers()["x-b"], "2");

    let server = Server::new().subprotocols(["chat"]);
    let at_the_server = server.extended_connect(request, Some("websocket"), Addresses::default()).unwrap();
    let at_the_client = upgrade.confirm(at_the_server.response()).unwrap();
    assert_eq!((at_the_client.subprotocol(), at_the_server.subprotocol()), (Some("chat"), Some("chat")));

    let (socket, stream) = talk(&world, at_the_server, at_the_client);
    assert_eq!((socket.request().uri().path(), stream.response().status()), ("/room", StatusCode::OK));
}

#[test]
fn a_client_checks_the_response() {
    let upgrade = || Client::new("ws://example.com/").subprotocols(["a"]).extended_connect().unwrap();
    assert_eq!(upgrade().request().uri(), "http://example.com/");
    for status in [101, 204, 403] {
        let refusal = Response::builder().status(status).header("x-c", "3").body("why").unwrap();
        let error = upgrade().confirm(&refusal).unwrap_err();
        let ConnectError::Rejected(response) = &error else { panic!("{error}") };
        assert_eq!((response.status().as_u16(), &response.headers()["x-c"]), (status, &"3".parse().unwrap()));
    }
    let other = Response::builder().header("sec-websocket-protocol", "b").body(()).unwrap();
    let error = upgrade().confirm(&other).unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(HandshakeError::SubprotocolNotOffered(_))), "{error}");
    assert!(matches!(Client::new("no URL").extended_connect().unwrap_err(), ConnectError::Url(_)));
}

/// Firefox never ends its half of the stream. The connection ends all the same, and soon.
#[test]
fn a_peer_that_never_ends_its_half_is_awaited_for_a_short_time() {
    for (multiplexed, time) in [(true, secs(1)), (false, secs(10))] {
        let world = World::new(1);
        let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
        let (mut socket, driver) = Parts::server(ours, SimTimer::new()).multiplexed(multiplexed).open();
        let mut peer = Peer::new(Role::Client, theirs);
        let driver = world.spawn("driver", driver);
        let closed = world.spawn("application", async move { socket.recv().await });
        peer.send_close(1000, "");
        world.run();
        assert!(matches!(closed.take(), Some(Ok(None))), "the application is told at once");
        assert_eq!(peer.frames(), [close(1000, "")]);
        assert!(peer.from.is_ended() && !peer.from.is_writer_gone(), "our half has ended");
        world.advance(time - millis(1));
        assert!(!driver.is_finished() && !peer.from.is_writer_gone());
        world.advance(millis(1));
        assert!(driver.is_finished() && peer.from.is_writer_gone(), "the stream is dropped");
    }
}

#[cfg(feature = "http2")]
#[test]
fn a_runtime_without_http_2_says_so() {
    use ws_session::{Http2, InvalidSetting, ServeError};

    let bound = World::new(1).block_on(async { Server::new().http2(Http2::default()).bind("127.0.0.1:0").await });
    let error = bound.unwrap_err();
    assert!(matches!(error, ServeError::Setting(InvalidSetting::Http2Unsupported)), "{error}");
}
