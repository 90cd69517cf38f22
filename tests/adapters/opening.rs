//! The opening handshake as a server does it: what it accepts, and what both ends then know.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;

use super::setup::*;
use http::StatusCode;
use http::header::{COOKIE, SET_COOKIE, USER_AGENT};

#[test]
fn requests_that_are_unusual_and_fine() {
    let server = start(Server::new(), echo);
    let good = request("/", &[]);
    for request in [
        good.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
        good.replace("Upgrade: websocket", "upgrade: WebSocket"),
        request("/", &["Sec-WebSocket-Extensions: x-unknown; a=1, x-webkit-deflate-frame"]),
        request("/", &["X: caf\u{E9}"]),
        "\r\n".to_owned() + &good,
        request("ws://test/absolute", &[]),
    ] {
        let mut peer = server.peer();
        peer.write(&request);
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{request}{head}");
        assert!(!head.to_ascii_lowercase().contains("sec-websocket-extensions"), "{head}");
    }
    server.stop();
}

/// Row H20 of the table of bad input.
#[test]
fn frames_may_follow_the_request_in_the_same_write() {
    let server = start(Server::new(), echo);
    let mut peer = server.peer();
    let frames = [masked(0x81, "pipelined"), masked(0x82, pattern(100_000))].concat();
    peer.write([request("/", &[]).as_bytes(), &frames].concat());
    peer.head();
    assert_eq!(peer.frame(), (0x81, b"pipelined".to_vec()));
    assert!(peer.frame() == (0x82, pattern(100_000)));
    drop(peer);
    server.stop();
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let server = start(Server::new(), echo);
    let mut peer = server.peer();
    for byte in request("/", &[]).bytes() {
        peer.write([byte]);
    }
    assert!(peer.head().starts_with("HTTP/1.1 101 "));
    drop(peer);
    server.stop();
}

/// Origins are compared whole.
#[test]
fn an_origin_that_is_not_allowed_gets_403() {
    let server = start(Server::new().origins(["https://example.com", "http://localhost:3000"]), echo);
    for origin in ["https://evil.example", "https://example.com.evil.example", "http://example.com", "null"] {
        let error = block_on(server.client().origin(origin).connect()).unwrap_err();
        let response = error.response().unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{origin}");
        let told = format!("This server does not accept connections from the origin {origin:?}.");
        assert!(response.body().starts_with(told.as_bytes()), "{response:?}");
    }
    server.stop();
}

#[test]
fn origins_that_are_allowed_open() {
    let origins = ["https://example.com", "http://localhost:3000"];
    let server = start(Server::new().origins(origins), echo);
    for origin in origins {
        close(block_on(server.client().origin(origin).connect()).unwrap());
    }
    server.stop();
}

#[test]
fn a_request_without_an_origin_is_refused_unless_that_is_allowed() {
    let origins = ["https://example.com"];
    let strict = start(Server::new().origins(origins), echo);
    let lenient = start(Server::new().origins_or_none(origins), echo);
    let error = block_on(strict.client().connect()).unwrap_err();
    assert_eq!(error.response().unwrap().status(), StatusCode::FORBIDDEN);
    close(lenient.connect());
    let error = block_on(lenient.client().origin("https://evil.example").connect()).unwrap_err();
    assert_eq!(error.response().unwrap().status(), StatusCode::FORBIDDEN);
    strict.stop();
    lenient.stop();
}

#[test]
fn subprotocols_in_the_servers_order() {
    let server = start(Server::new().subprotocols(["v2", "v1"]), |ws| async move {
        ws.send(ws.subprotocol().unwrap_or("(none)")).await?;
        drain(ws).await
    });
    for (offered, chosen) in [
        (&["v1", "v2"][..], Some("v2")),
        (&["v1"], Some("v1")),
        (&["v0", "v1", "V2"], Some("v1")),
        (&["v0"], None),
        (&[], None),
    ] {
        let mut ws = block_on(server.client().subprotocols(offered.iter().copied()).connect()).unwrap();
        assert_eq!(ws.subprotocol(), chosen, "{offered:?}");
        assert_eq!(text(&mut ws), chosen.unwrap_or("(none)"), "both ends know it");
        close(ws);
    }
    server.stop();
}

#[test]
fn the_handler_sees_the_request() {
    let (tell, told) = mpsc::channel();
    let server = start(Server::new(), move |ws| {
        let header = |name| ws.request().headers()[name].to_str().unwrap().to_owned();
        tell.send((ws.request().uri().to_string(), header(COOKIE), header(USER_AGENT))).unwrap();
        drain(ws)
    });
    let client = Client::new(server.url("/chat?room=%C3%A9")).header("cookie", "c=3").header(USER_AGENT, "tests");
    let ws = block_on(client.connect()).unwrap();
    assert_eq!(hear(&told), ("/chat?room=%C3%A9".to_owned(), "c=3".to_owned(), "tests".to_owned()));
    close(ws);
    server.stop();
}

#[test]
fn the_client_sees_the_response() {
    let server = start(Server::new().header(SET_COOKIE, "a=1").header(SET_COOKIE, "b=2"), drain);
    let ws = server.connect();
    assert_eq!(ws.response().status(), StatusCode::SWITCHING_PROTOCOLS);
    assert!(ws.response().headers().contains_key("date"));
    let cookies: Vec<_> = ws.response().headers().get_all(SET_COOKIE).iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(ws.request().headers()["host"], server.address.to_string());
    assert_eq!(ws.subprotocol(), None);
    close(ws);
    server.stop();
}

#[test]
fn both_ends_know_the_addresses() {
    let (tell, told) = mpsc::channel();
    let server = start(Server::new(), move |ws| {
        tell.send((ws.peer_addr(), ws.local_addr(), ws.id())).unwrap();
        drain(ws)
    });
    let ws = server.connect();
    let (peer, local, id) = hear(&told);
    assert_eq!((peer, local), (ws.local_addr(), ws.peer_addr()));
    assert_eq!(local, Some(server.address));
    assert_ne!(id, ws.id());
    close(ws);
    server.stop();
}

#[test]
fn settings_that_cannot_be_are_told_when_the_server_is_to_start() {
    for server in [
        Server::new().origins(["https://example.com/"]),
        Server::new().origins_or_none(["example.com"]),
        Server::new().header("X Y", "z"),
        Server::new().header("X", "a\r\nb"),
        // These would make every connection fail.
        Server::new().header("Sec-WebSocket-Accept", "x"),
        Server::new().header("Content-Length", "0"),
    ] {
        let shown = format!("{server:?}");
        let (_near, far) = tcp_pair();
        let error = block_on(server.accept(Io::new(stream(far)), Addresses::default())).unwrap_err();
        let AcceptError::Setting(mistake) = error else { panic!("{shown}: {error:?}") };
        let error = block_on(server.bind("127.0.0.1:0")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(matches!(&error, ServeError::Setting(same) if *same == mistake), "{shown}: {error:?}");
    }
}

#[cfg(feature = "proxies")]
#[test]
fn the_first_setting_that_cannot_be_is_told() {
    let server = Server::new().trusted_proxies(["nobody"]).header("X Y", "z").origins(["example.com"]);
    let ServeError::Setting(mistake) = block_on(server.bind("127.0.0.1:0")).unwrap_err() else { panic!() };
    assert!(matches!(mistake, InvalidSetting::TrustedProxies(_)), "{mistake}");
    // Before any address is bound or looked up.
    let server = Server::new().header("X Y", "z");
    let error = block_on(server.bind("nowhere.invalid:1")).unwrap_err();
    assert!(matches!(error, ServeError::Setting(InvalidSetting::Header(_))), "{error}");
}

#[test]
fn an_address_that_is_not_ours_cannot_be_bound() {
    let error = block_on(Server::new().bind("203.0.113.1:1")).unwrap_err();
    assert!(error.to_string().starts_with("cannot listen on 203.0.113.1:1: "), "{error}");
    assert_eq!(format!("{error:?}"), error.to_string());
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn a_listening_socket_from_elsewhere() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let listening = block_on(async { Server::new().listen_on(listener) }).unwrap();
    assert_eq!(listening.local_addr().unwrap(), address);
    let handle = listening.handle();
    let serving = spawn(listening.serve(echo));
    close(block_on(connect(&format!("ws://{address}"))).unwrap());
    handle.shutdown();
    block_on(serving).unwrap();
}

#[test]
fn the_short_way_to_serve() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Nothing ends it but the end of the tests.
    drop(spawn(async move { serve(address, echo).await.unwrap() }));
    let mut connected = None;
    until(|| {
        connected = block_on(connect(&format!("ws://{address}"))).ok();
        connected.is_some()
    });
    let mut ws = connected.unwrap();
    send(&ws, "hello");
    assert_eq!(text(&mut ws), "hello");
    close(ws);
}

/// More than the 128 that the standard library has room for; the system's own limit is known to be higher on Linux.
#[cfg(target_os = "linux")]
#[test]
fn many_can_connect_before_the_first_is_accepted() {
    let _alone = super::crowd::alone();
    let listening = block_on(Server::new().bind("127.0.0.1:0")).unwrap();
    let address = listening.local_addr().unwrap();
    let peers: Vec<Peer> = (0..300).map(|_| Peer::connect(address)).collect();
    assert_eq!(peers.len(), 300, "none had to wait for the first to be accepted");
}

#[test]
fn a_server_listens_on_every_address_of_a_name() {
    // The same name for both families, as `localhost` is on most machines; without IPv6 there is only one.
    let name: [SocketAddr; 2] = ["[::1]:0", "127.0.0.1:0"].map(|address| address.parse().unwrap());
    let listening = block_on(Server::new().bind(&name[..])).unwrap();
    let (addresses, handle) = (listening.local_addrs().unwrap(), listening.handle());
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    assert_eq!(addresses.len(), if has_ipv6 { 2 } else { 1 });
    assert_eq!(listening.local_addr().unwrap(), addresses[0]);
    assert!(addresses.iter().all(|address| address.port() == addresses[0].port()), "{addresses:?}");
    let serving = spawn(listening.serve(echo));
    for address in addresses.iter().chain(&addresses) {
        let mut ws = block_on(connect(format!("ws://{address}/"))).unwrap();
        send(&ws, "Hello");
        assert_eq!(text(&mut ws), "Hello");
        close(ws);
    }
    handle.shutdown();
    block_on(serving).unwrap();
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()), "no socket is left");
}
