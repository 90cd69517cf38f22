//! Opening handshakes over `http` types, without I/O: for HTTP servers and clients that parse and send themselves.

use std::net::SocketAddr;

use http::header::{CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Version};
use ws_session::{
    AcceptError, Addresses, Bytes, ClientIp, CompletedHandshake, ConnectError, Decision, HandshakeError, WebSocket,
    WebSocketStream, http,
};

use crate::extended_connect;
use crate::sim::*;

/// Parsed by an HTTP server, which has a body of its own kind.
fn request(change: impl FnOnce(&mut Request<&'static str>)) -> Request<&'static str> {
    let mut request = Request::new("a body of whatever kind");
    *request.uri_mut() = "/chat?a=1".parse().unwrap();
    for (name, value) in [
        ("host", "example.com"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    change(&mut request);
    request
}

fn upgrade(
    server: &Server,
    change: impl FnOnce(&mut Request<&'static str>),
) -> Result<CompletedHandshake<Sim>, (u16, AcceptError)> {
    let refused = match server.upgrade(&request(change), Addresses::default()) {
        Ok(accepted) => return Ok(accepted),
        Err(refused) => refused,
    };
    let status = refused.response().status().as_u16();
    assert_eq!(refused.to_string(), refused.error().to_string());
    let error = match refused.error() {
        AcceptError::Rejected(rejection) => AcceptError::Rejected(rejection.clone()),
        AcceptError::Answered(status) => AcceptError::Answered(*status),
        other => panic!("{other}"),
    };
    let response: Response<Bytes> = refused.into_response();
    assert_eq!(response.status().as_u16(), status);
    assert!(response.headers()[CONNECTION].to_str().unwrap().starts_with("close"));
    Err((status, error))
}

#[test]
fn a_server_answers_with_its_policy() {
    let server = Server::new().subprotocols(["chat.v2", "chat.v1"]).header("x-a", "1").origins(["https://example.com"]);
    let good = |request: &mut Request<_>| {
        request.headers_mut().insert(ORIGIN, "https://example.com".parse().unwrap());
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, "chat.v1, chat.v2".parse().unwrap());
    };
    let accepted = upgrade(&server, good).unwrap();
    assert_eq!((accepted.subprotocol(), accepted.request().uri().path()), (Some("chat.v2"), "/chat"));
    let response = accepted.response();
    assert_eq!((response.status(), response.version()), (StatusCode::SWITCHING_PROTOCOLS, Version::HTTP_11));
    for (name, value) in [
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", "chat.v2"),
        ("upgrade", "websocket"),
        ("x-a", "1"),
    ] {
        assert_eq!(response.headers()[name], value, "{name}");
    }
    assert_eq!(upgrade(&server, |_| {}).unwrap_err().0, 403, "no origin");
    let (status, error) = upgrade(&server, |request| {
        good(request);
        *request.method_mut() = Method::POST;
    })
    .unwrap_err();
    assert!(status == 405 && matches!(error, AcceptError::Rejected(_)), "{error}");
    let plain = upgrade(&server, |request| drop(request.headers_mut().remove("upgrade"))).unwrap_err();
    assert_eq!(plain.0, 426);
}

#[cfg(feature = "proxies")]
#[test]
fn the_request_hook_sees_the_request_and_who_asks() {
    let peer: SocketAddr = "10.0.0.1:5000".parse().unwrap();
    let server = Server::new().trusted_proxies(["10.0.0.0/8"]).on_request(|request| {
        let client = request.extensions().get::<ClientIp>().map(|client| client.0.to_string());
        let own = request.extensions().get::<&str>();
        assert_eq!(own, Some(&"the HTTP server's"), "extensions come along");
        (client.as_deref() != Some("192.0.2.5")).then(|| {
            let mut response = Response::new(Bytes::from_static(b"not you"));
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response
        })
    });
    let asked = |client: &'static str| {
        let request = request(|request| {
            request.extensions_mut().insert("the HTTP server's");
            request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
        });
        server.upgrade(&request, Addresses::new(None, Some(peer)))
    };
    let refused = asked("192.0.2.6").unwrap_err();
    assert!(matches!(refused.error(), AcceptError::Answered(StatusCode::UNAUTHORIZED)));
    assert_eq!(refused.into_response().into_body(), "not you");
    let world = World::new(1);
    let (ours, _theirs) = link(LinkOptions::default(), &mut world.rng());
    let stream = asked("192.0.2.5").unwrap().parts(ours).into_stream();
    assert_eq!(stream.client_ip(), Some("192.0.2.5".parse().unwrap()));
    assert_eq!((stream.peer_addr(), stream.request().uri().query()), (Some(peer), Some("a=1")));
}

/// `upgrade` does not wait, and `upgrade_async` does so within the deadline.
#[test]
fn hooks_that_take_time_are_waited_for() {
    let server = |time| {
        Server::new().on_request_async(move |_| async move {
            sleep(time).await;
            Decision::proceed().user("ann").state(7_u32)
        })
    };
    let ask = |time| {
        let world = World::new(1);
        let server = server(time);
        let answered = world.block_on(async move {
            let asked = server.upgrade_async(&request(|_| {}), None, Addresses::default());
            asked.await.map_err(|refused| refused.into_response().status())
        });
        (world, answered)
    };
    assert!(upgrade(&Server::new().on_request_async(|_| async {}), |_| {}).is_ok(), "it is ready at once");
    let waits = Server::new().on_request_async(|_| std::future::pending::<()>());
    assert_eq!(upgrade(&waits, |_| {}).unwrap_err().0, 500);
    let (world, accepted) = ask(secs(9));
    assert_eq!(world.now(), secs(9));
    let (ours, _theirs) = link(LinkOptions::default(), &mut world.rng());
    let stream = accepted.unwrap().parts(ours).state("more").into_stream();
    assert_eq!((stream.user(), stream.state::<u32>(), stream.state::<&str>()), (Some("ann"), Some(&7), Some(&"more")));
    assert_eq!(
        (stream.path(), stream.query("a").as_deref(), stream.header("host")),
        ("/chat", Some("1"), Some("example.com"))
    );
    let (world, refused) = ask(secs(11));
    assert_eq!((world.now(), refused.unwrap_err()), (secs(10), StatusCode::SERVICE_UNAVAILABLE));
}

/// Envoy sends no key if HTTP/2 is in front of it.
#[cfg(feature = "proxies")]
#[test]
fn only_trusted_proxies_may_leave_out_the_key_and_only_if_that_is_set() {
    let keyless = |request: &mut Request<_>| drop(request.headers_mut().remove("sec-websocket-key"));
    for (is_set, peer, is_accepted) in [
        (true, Some("10.0.0.1:5000"), true),
        (true, Some("[::ffff:10.0.0.1]:5000"), true),
        (true, Some("192.0.2.1:5000"), false),
        (true, None, false),
        (false, Some("10.0.0.1:5000"), false),
    ] {
        let server = Server::new().trusted_proxies(["10.0.0.0/8"]).keyless_proxies(is_set);
        let addresses = Addresses::new(None, peer.map(|peer| peer.parse().unwrap()));
        match server.upgrade(&request(keyless), addresses) {
            Ok(accepted) => {
                assert!(is_accepted, "{peer:?}");
                assert_eq!(accepted.response().status(), StatusCode::SWITCHING_PROTOCOLS);
                assert!(!accepted.response().headers().contains_key("sec-websocket-accept"));
            }
            Err(refused) => {
                assert!(!is_accepted, "{peer:?}");
                assert_eq!(refused.response().status(), 400);
            }
        }
        // A key is answered, and a bad one is refused, whoever sends it.
        let accepted = server.upgrade(&request(|_| {}), addresses).unwrap();
        assert!(accepted.response().headers().contains_key("sec-websocket-accept"));
        let bad =
            |request: &mut Request<_>| drop(request.headers_mut().insert("sec-websocket-key", "x".parse().unwrap()));
        assert_eq!(server.upgrade(&request(bad), addresses).unwrap_err().response().status(), 400);
    }
}

#[test]
fn a_server_with_a_setting_that_cannot_be_refuses() {
    let server = Server::new().origins(["no origin"]);
    let over_http1 = server.upgrade(&request(|_| {}), Addresses::default()).unwrap_err();
    let connect = extended_connect::request(Method::CONNECT, |_| {});
    let over_http2 = server.extended_connect(&connect, Some("websocket"), Addresses::default()).unwrap_err();
    for (refused, has_connection) in [(over_http1, true), (over_http2, false)] {
        assert!(matches!(refused.error(), AcceptError::Setting(_)));
        assert!(refused.to_string().contains("no origin"), "{refused}");
        let response = refused.into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers().contains_key(CONNECTION), has_connection);
    }
}

#[test]
fn a_client_and_a_server_open_a_connection_and_both_keep_their_settings() {
    let world = World::new(1);
    let client = Client::new("wss://example.com:8443/room?a=1").subprotocols(["chat"]).header("x-b", "2");
    let upgrade = client.max_message(10).upgrade().unwrap();
    let request = upgrade.request();
    assert_eq!((request.method(), request.uri().to_string()), (&Method::GET, "/room?a=1".to_owned()));
    assert_eq!(
        (&request.headers()[HOST], &request.headers()["x-b"]),
        (&"example.com:8443".parse().unwrap(), &"2".parse().unwrap())
    );
    assert!(request.headers().contains_key(USER_AGENT));

    let server = Server::new().subprotocols(["chat"]);
    let at_the_server = server.upgrade(request, Addresses::default()).unwrap();
    let at_the_client = upgrade.confirm(at_the_server.response()).unwrap();
    assert_eq!((at_the_client.subprotocol(), at_the_server.subprotocol()), (Some("chat"), Some("chat")));
    assert_eq!(at_the_client.response().headers(), at_the_server.response().headers());

    let (socket, stream) = talk(&world, at_the_server, at_the_client);
    assert_eq!((socket.request().uri().path(), stream.request().uri().path()), ("/room", "/room"));
}

/// Opens a connection between both, sends a long message through it, and shows that the client's limit of 10 bytes holds.
pub(crate) fn talk(
    world: &World,
    at_the_server: CompletedHandshake<Sim>,
    at_the_client: CompletedHandshake<Sim>,
) -> (WebSocket, WebSocketStream<End, SimTimer>) {
    let (a, b) = link(LinkOptions::default(), &mut world.rng());
    let (mut socket, driver) = at_the_server.parts(a).open();
    world.spawn("driver", driver);
    let mut stream = at_the_client.parts(b).into_stream();
    let message = "over and over, ".repeat(1000);
    let copy = message.clone();
    world.at_once(async move {
        stream.send(copy).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(message.into()));
        socket.send("longer than the client takes").await.unwrap();
        assert!(stream.recv().await.is_err(), "settings hold");
        (socket, stream)
    })
}

#[test]
fn a_request_can_have_an_absolute_uri() {
    for (url, absolute) in [
        ("ws://example.com/room?a=1", "http://example.com/room?a=1"),
        ("wss://user:pass@example.com:8443", "https://example.com:8443/"),
        ("ws://[::1]:80/", "http://[::1]/"),
    ] {
        let request = Client::new(url).header("host", "other.example").upgrade().unwrap().absolute_request();
        assert_eq!(request.uri(), absolute);
        assert_eq!(request.headers()[HOST], "other.example");
        let connect = Client::new(url).extended_connect().unwrap();
        assert_eq!(connect.absolute_request().uri(), connect.request().uri());
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_agreed_on() {
    use ws_session::Deflate;

    for (ours, theirs, agreed) in [(true, true, true), (true, false, false), (false, true, false)] {
        let world = World::new(1);
        let upgrade = Client::new("ws://example.com/").compression(ours.then(Deflate::client)).upgrade().unwrap();
        let server = Server::new().compression(theirs.then(Deflate::server));
        let at_the_server = server.upgrade(upgrade.request(), Addresses::default()).unwrap();
        let at_the_client = upgrade.confirm(at_the_server.response()).unwrap();
        let (a, b) = link(LinkOptions::default(), &mut world.rng());
        let (_, sent) = a.wires();
        let mut server = at_the_server.parts(a).into_stream();
        let mut client = at_the_client.parts(b).into_stream();
        let (len, server, client) = world.at_once(async move {
            server.send("over and over, ".repeat(1000)).await.unwrap();
            let len = sent.len();
            assert_eq!(client.recv().await.unwrap().unwrap().len(), 15_000);
            (len, server, client)
        });
        assert_eq!(len < 1000, agreed, "{len} bytes");
        drop((server, client));
    }
}

#[test]
fn a_client_checks_the_response() {
    let upgrade = || Client::new("ws://example.com/").upgrade().unwrap();
    let mut refusal = Response::new("why");
    *refusal.status_mut() = StatusCode::FORBIDDEN;
    refusal.headers_mut().insert("x-c", "3".parse().unwrap());
    let error = upgrade().confirm(&refusal).unwrap_err();
    let ConnectError::Rejected(response) = &error else { panic!("{error}") };
    assert_eq!((response.status(), &response.headers()["x-c"]), (StatusCode::FORBIDDEN, &"3".parse().unwrap()));
    let mut incomplete = Response::new(());
    *incomplete.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let error = upgrade().confirm(&incomplete).unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(HandshakeError::MissingHeader(_))), "{error}");
    // Another connection's answer.
    let other = Server::new().upgrade(&request(|_| {}), Addresses::default()).unwrap();
    let error = upgrade().confirm(other.response()).unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(HandshakeError::WrongHeader(..))), "{error}");
    assert!(matches!(Client::new("no URL").upgrade().unwrap_err(), ConnectError::Url(_)));
    assert!(matches!(Client::new("ws://a/").header("upgrade", "x").upgrade().unwrap_err(), ConnectError::Request(_)));
}
