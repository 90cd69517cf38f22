//! Connections made from their parts, without an opening handshake of ours.

use std::net::SocketAddr;

use http::{Request, Response, StatusCode};
use ws_proto::{Config, Delivery, Role};
use ws_session::{Addresses, Cause, CloseCode, Message, Parts, http};

use crate::sim::*;

/// The parts of one end, and the peer at the other.
fn parts_of(role: Role, world: &World) -> (Parts<End, SimTimer>, Peer) {
    let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
    let timer = SimTimer::new();
    match role {
        Role::Server => (Parts::server(ours, timer), Peer::new(Role::Client, theirs)),
        Role::Client => (Parts::client(ours, timer), Peer::new(Role::Server, theirs)),
    }
}

const ROLES: [Role; 2] = [Role::Server, Role::Client];

#[test]
fn a_transport_and_a_timer_suffice() {
    for role in ROLES {
        let world = World::new(1);
        let (parts, mut peer) = parts_of(role, &world);
        let (mut socket, driver) = parts.open();
        world.spawn("driver", driver);
        peer.send_text("in");
        assert_eq!(world.at_once(async move { (socket.recv().await.unwrap(), socket) }).0, Some("in".into()));
        world.run();
        assert_eq!(peer.frames(), [close(1001, "")], "a socket that is dropped");
    }
}

#[test]
fn without_heads_they_are_empty() {
    for role in ROLES {
        let world = World::new(1);
        let (parts, _peer) = parts_of(role, &world);
        let (socket, _driver) = parts.open();
        assert_eq!((socket.request().method(), socket.request().uri().path()), (&http::Method::GET, "/"));
        assert_eq!(socket.response().status(), StatusCode::SWITCHING_PROTOCOLS);
        assert!(socket.request().headers().is_empty() && socket.response().headers().is_empty());
        assert_eq!((socket.subprotocol(), socket.peer_addr(), socket.local_addr()), (None, None, None));
        assert_eq!(socket.client_ip(), None);
    }
}

#[test]
fn facts_about_the_opening_are_passed_on() {
    let [local, peer]: [SocketAddr; 2] = ["192.0.2.1:80", "[::ffff:192.0.2.2]:4000"].map(|text| text.parse().unwrap());
    for role in ROLES {
        let world = World::new(1);
        let (parts, _peer) = parts_of(role, &world);
        let request = Request::get("/room?a=1").header("x-a", "1").body(()).unwrap();
        let response = Response::builder().status(101).header("x-b", "2").body(()).unwrap();
        let parts = parts.heads(request, response).subprotocol("chat");
        let (socket, _driver) = parts.addresses(Addresses::new(Some(local), Some(peer))).open();
        assert_eq!(socket.request().uri().path(), "/room");
        assert_eq!(
            (&socket.request().headers()["x-a"], &socket.response().headers()["x-b"]),
            (&"1".parse().unwrap(), &"2".parse().unwrap())
        );
        assert_eq!(socket.subprotocol(), Some("chat"));
        assert_eq!((socket.local_addr(), socket.peer_addr()), (Some(local), Some(peer)));
        let client = (role == Role::Server).then(|| "192.0.2.2".parse().unwrap());
        assert_eq!(socket.client_ip(), client, "only a server has a client");
    }
    let world = World::new(1);
    let (parts, _peer) = parts_of(Role::Server, &world);
    let behind = "198.51.100.7".parse().unwrap();
    let (socket, _driver) = parts.client_ip(behind).open();
    assert_eq!(socket.client_ip(), Some(behind), "the proxy has no address");
}

#[test]
fn bytes_that_were_read_behind_the_handshake_come_first() {
    for role in ROLES {
        let world = World::new(1);
        // A whole message and half a frame; the other half comes over the transport.
        let (_, peer) = parts_of(role, &world);
        let bytes = [peer.frame(TEXT, "first"), peer.frame(TEXT, "second")].concat();
        for at in 0..=bytes.len() {
            let (parts, mut peer) = parts_of(role, &world);
            let (mut socket, driver) = parts.received(&bytes[..at]).open();
            world.spawn("driver", driver);
            for byte in &bytes[at..] {
                peer.to.push(&[*byte]);
                world.run();
            }
            peer.send_text("third");
            peer.send_close(1000, "");
            let received = world.block_on(async move {
                let mut received = Vec::new();
                while let Some(message) = socket.recv().await.unwrap() {
                    received.push(message);
                }
                received
            });
            assert_eq!(received, ["first", "second", "third"].map(Message::from), "{role:?}, {at}");
            assert_eq!(peer.frames(), [close(1000, "")]);
        }
    }
}

#[test]
fn a_violation_behind_the_handshake_is_answered() {
    for role in ROLES {
        let world = World::new(1);
        let (parts, mut peer) = parts_of(role, &world);
        let (socket, driver) = parts.received([0x83, 0x00]).open();
        world.spawn("driver", driver);
        let closed = world.spawn("app", async move { socket.closed().await });
        world.run();
        let frames = peer.frames();
        assert!(matches!(&frames[..], [Frame(CLOSE, body)] if body[..2] == 1002u16.to_be_bytes()), "{frames:?}");
        peer.to.end();
        assert_eq!(world.finish(&closed).code(), CloseCode::ABNORMAL);
    }
}

#[test]
fn settings_hold() {
    for role in ROLES {
        let world = World::new(1);
        let (parts, mut peer) = parts_of(role, &world);
        let mut config = Config::default();
        config.limits.message = Some(10);
        config.deadlines.ping_interval = Some(secs(3));
        // Pieces are for those who embed the core: the handle has whole messages nevertheless.
        config.delivery = Delivery::Chunks;
        let (mut socket, driver) = parts.config(config).inbound_queue(2).open();
        world.spawn("driver", driver);
        world.advance(secs(3));
        assert!(matches!(peer.frames()[..], [Frame(PING, _)]));
        let piece = peer.frame(TEXT_BEGINS, "1");
        peer.to.push(&piece);
        peer.send(LAST | CONTINUES, "2");
        for n in ["34", "56", "78"] {
            peer.send_text(n);
            world.run();
        }
        assert!(peer.to.len() > 0, "two messages may wait, and no more is read");
        let received = world.at_once(async move { (socket.recv().await.unwrap(), socket) });
        assert_eq!(received.0, Some("12".into()));
        peer.send_text("longer than 10 bytes");
        let mut socket = received.1;
        let error = world.at_once(async move {
            loop {
                if let Err(error) = socket.recv().await {
                    break error;
                }
            }
        });
        assert!(matches!(error.closed().unwrap().outcome().cause, Cause::Violation(_)), "{error}");
        assert!(matches!(&peer.frames()[..], [.., Frame(CLOSE, body)] if body[..2] == 1009u16.to_be_bytes()));
    }
}

#[test]
fn a_client_masks_with_the_keys_it_is_given() {
    let world = World::new(1);
    for keys in [Some([1, 2, 3, 4]), None] {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (parts, peer) = parts_of(Role::Client, &world);
            let parts = match keys {
                Some(key) => parts.masking_keys(move || key),
                None => parts,
            };
            let (socket, driver) = parts.open();
            world.spawn("driver", driver);
            world.at_once(async move {
                socket.send("a").await.unwrap();
                socket.flush().await.unwrap();
                socket
            });
            seen.push(peer.from.take_up_to(7)[2..6].to_vec());
        }
        match keys {
            Some(key) => assert_eq!(seen, [key, key]),
            None => assert_ne!(seen[0], seen[1], "random keys"),
        }
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compression_that_was_agreed_on_is_used() {
    use ws_session::{Compress, Deflate};

    let offers = [Deflate::client().offer()];
    let (answer, at_the_server) = Deflate::server().accept(&offers).unwrap();
    let at_the_client = Deflate::client().confirm(&[answer]).unwrap();
    let world = World::new(1);
    let (a, b) = link(LinkOptions::default(), &mut world.rng());
    let (_, sent) = a.wires();
    let (server, driver) = Parts::server(a, SimTimer::new()).compression(at_the_server).open();
    world.spawn("server's driver", driver);
    let (mut client, driver) = Parts::client(b, SimTimer::new()).compression(at_the_client).open();
    world.spawn("client's driver", driver);
    let message = "over and over, ".repeat(1000);
    let copy = message.clone();
    let server = world.at_once(async move {
        server.send_with(copy, Compress::Always).await.unwrap();
        server.flush().await.unwrap();
        server
    });
    assert!(sent.len() < 1000, "{} bytes for {}", sent.len(), message.len());
    assert_eq!(world.at_once(async move { client.recv().await.unwrap() }), Some(message.into()));
    drop(server);
}

#[test]
fn how_many_unsent_bytes_a_slow_transport_holds_can_be_set() {
    for role in ROLES {
        let world = World::new(1);
        let (parts, peer) = parts_of(role, &world);
        let (socket, driver) = parts.notsent_lowat(Some(1000)).open();
        world.spawn("driver", driver);
        let _socket = world.at_once(async move { socket.send(vec![7; 2 << 20]).await.map(|()| socket) }).unwrap();
        world.advance(secs(1));
        peer.from.take();
        world.run();
        assert_eq!(peer.from.notsent_lowats(), [1000], "{role:?}");
    }
}

#[test]
fn a_high_water_mark_of_zero_is_one_of_one() {
    for role in ROLES {
        let world = World::new(1);
        let (parts, mut peer) = parts_of(role, &world);
        let mut config = Config::default();
        config.limits.high_water = 0;
        // A message longer than the cap can be sent after a wait, too.
        config.limits.hard_cap = 0;
        let (socket, driver) = parts.config(config).open();
        world.spawn("driver", driver);
        let _socket = world.at_once(async move {
            socket.send("one").await.unwrap();
            socket.send("two").await.unwrap();
            socket.flush().await.unwrap();
            socket
        });
        assert_eq!(peer.frames(), [text("one"), text("two")]);
    }
}
