//! Opening handshakes that do not end well, seen from either side.

use std::io::ErrorKind;

use ws_proto::Role;
use ws_session::http::StatusCode;
use ws_session::{AcceptError, ConnectError};

use crate::sim::*;

/// What a client says of a server that does this, and when.
fn connecting(world: &World, options: LinkOptions, server: impl FnOnce(&mut Peer)) -> ConnectError {
    let (ours, theirs) = link(options, &mut world.rng());
    let mut peer = Peer::new(Role::Server, theirs);
    let opening = world.spawn("client", async {
        let opened = Client::new("ws://example.com/").handshake(ours, Default::default()).await;
        opened.map(drop).unwrap_err()
    });
    world.run();
    server(&mut peer);
    let error = world.finish(&opening);
    assert!(peer.from.is_writer_gone());
    error
}

#[test]
fn a_server_that_says_nothing_is_given_up_after_10_s() {
    let world = World::new(1);
    let error = connecting(&world, LinkOptions::default(), |_| {});
    assert!(matches!(error, ConnectError::Timeout(_)));
    assert_eq!(world.now(), secs(10));

    let error = connecting(&world, LinkOptions { capacity: 10, ..LinkOptions::default() }, |_| {});
    assert!(matches!(error, ConnectError::Timeout(_)), "it does not even read");
    assert_eq!(world.now(), secs(20));

    let error = connecting(&world, LinkOptions::default(), |peer| {
        let to = peer.to.clone();
        world.spawn("trickle", async move {
            for byte in "HTTP/1.1 101 Switching Protocols\r\n".bytes() {
                to.push(&[byte]);
                sleep(secs(1)).await;
            }
        });
    });
    assert!(matches!(error, ConnectError::Timeout(_)));
    assert_eq!(world.now(), secs(30));
}

#[test]
fn a_server_that_leaves_or_fails_is_told_apart() {
    let world = World::new(1);
    let error = connecting(&world, LinkOptions::default(), |peer| peer.to.push(b"HTTP/1.1 101 Sw"));
    assert!(matches!(error, ConnectError::Timeout(_)));
    let error = connecting(&world, LinkOptions::default(), Peer::leave);
    assert!(matches!(error, ConnectError::Eof));
    let error = connecting(&world, LinkOptions::default(), |peer| peer.reset());
    let ConnectError::Io(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_refusal_comes_with_its_body_as_far_as_it_came() {
    let head = "HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\nX-Why: because\r\n\r\n";
    for (body, ends, time) in [("0123456789", false, 0), ("0123", true, 0), ("0123", false, 500)] {
        let world = World::new(1);
        let options = LinkOptions { chunk: 7, ..LinkOptions::default() };
        let error = connecting(&world, options, |peer| {
            peer.to.push(head.as_bytes());
            peer.to.push(body.as_bytes());
            if ends {
                peer.to.end();
            }
        });
        let response = error.response().expect("a response");
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.headers()["x-why"], "because");
        assert_eq!(response.body(), body);
        assert_eq!(world.now(), millis(time));
    }
}

#[test]
fn a_body_without_end_is_not_waited_for() {
    let world = World::new(1);
    let error = connecting(&world, LinkOptions::default(), |peer| {
        peer.to.push(b"HTTP/1.1 200 OK\r\n\r\n");
        let to = peer.to.clone();
        world.spawn("endless", async move {
            loop {
                to.push(b"more");
                sleep(millis(200)).await;
            }
        });
    });
    assert_eq!(error.to_string(), "this is not a WebSocket endpoint (HTTP 200 OK)");
    assert_eq!(format!("{error:?}"), error.to_string());
    assert_eq!(error.response().unwrap().body(), "moremoremore");
    assert_eq!(world.now(), millis(500));
}

#[test]
fn a_server_that_does_not_speak_http_is_quoted() {
    let long = "x".repeat(300);
    for (said, line, time) in [
        ("220 mail.example.com ESMTP\r\n250 more", "220 mail.example.com ESMTP", 0),
        ("-ERR unknown\x1b[2J", "-ERR unknown\\x1b[2J", 500),
        ("SSH-2.0-x\n", "SSH-2.0-x", 0),
        (&long, &long[..256], 0),
        ("\n", "", 0),
    ] {
        let world = World::new(1);
        let error = connecting(&world, LinkOptions::default(), |peer| peer.to.push(said.as_bytes()));
        assert_eq!(error.to_string(), format!("the server does not speak HTTP; it said \"{line}\""));
        assert_eq!(world.now(), millis(time));
        assert!(matches!(error, ConnectError::NotHttp(_)));
    }
    let world = World::new(1);
    let error = connecting(&world, LinkOptions::default(), |peer| peer.to.push(b"HTTP/1.1 abc\r\n\r\n"));
    assert!(matches!(error, ConnectError::Handshake(_)), "{error}");
}

#[test]
fn nothing_is_sent_when_the_request_cannot_be_built() {
    let world = World::new(1);
    for client in [
        Client::new("ftp://example.com/"),
        Client::new("ws://example.com/#fragment"),
        Client::new("ws://example.com/").header("X-Bad", "a\r\nb"),
        Client::new("ws://example.com/").subprotocols(["not a token"]),
    ] {
        let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
        let (from, _) = theirs.wires();
        let error = world.block_on(async { client.handshake(ours, Default::default()).await.map(drop).unwrap_err() });
        assert!(matches!(error, ConnectError::Url(_) | ConnectError::Request(_)), "{error:?}");
        assert_eq!((from.len(), from.is_writer_gone()), (0, true));
    }
}

/// What a server says of a client that does this.
fn accepting(world: &World, client: impl FnOnce(&mut Peer)) -> (AcceptError, Peer) {
    let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
    let mut peer = Peer::new(Role::Client, theirs);
    let opening = world.spawn("server", async {
        let server = Server::new().origins(["https://example.com"]);
        server.accept(ours, Default::default()).await.map(drop).unwrap_err()
    });
    world.run();
    client(&mut peer);
    let error = world.finish(&opening);
    assert!(peer.from.is_writer_gone());
    (error, peer)
}

#[test]
fn clients_that_do_not_ask_properly_are_told_apart() {
    let world = World::new(1);
    let (error, mut peer) = accepting(&world, |_| {});
    assert!(matches!(error, AcceptError::Timeout));
    assert!(peer.head().starts_with("HTTP/1.1 408 "));
    assert_eq!(world.now(), secs(12), "10 s, and 2 s for the answer to arrive");
    let (error, mut peer) = accepting(&world, |peer| peer.to.push(REQUEST));
    assert!(matches!(error, AcceptError::Rejected(rejection) if rejection.status() == StatusCode::FORBIDDEN));
    assert!(peer.head().starts_with("HTTP/1.1 403 "));
    let (error, _) = accepting(&world, |peer| peer.to.push(b"GET /chat HT"));
    assert!(matches!(error, AcceptError::Timeout));
    let (error, mut peer) = accepting(&world, Peer::leave);
    assert!(matches!(error, AcceptError::Silent));
    assert_eq!(peer.head(), "");
    let (error, _) = accepting(&world, |peer| peer.reset());
    assert!(matches!(error, AcceptError::Silent));
    let (error, mut peer) = accepting(&world, |peer| {
        peer.to.push(b"GET /chat HT");
        peer.leave();
    });
    assert!(matches!(error, AcceptError::Eof));
    assert_eq!(peer.head(), "");
    let (error, _) = accepting(&world, |peer| {
        peer.to.push(b"GET /chat HT");
        peer.reset();
    });
    assert!(matches!(error, AcceptError::Io(error) if error.kind() == ErrorKind::ConnectionReset));
}

#[test]
fn a_handshake_that_is_dropped_lets_go_of_its_transport() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
        let (from, _) = theirs.wires();
        let opening = world.spawn("handshake", async move {
            match role {
                Role::Server => drop(Server::new().accept(ours, Default::default()).await),
                Role::Client => drop(Client::new("ws://example.com/").handshake(ours, Default::default()).await),
            }
        });
        world.run();
        assert!(!from.is_writer_gone());
        world.cancel(&opening);
        assert!(from.is_writer_gone());
    }
}
