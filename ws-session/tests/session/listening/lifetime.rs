//! The longest life of a connection, and its jitter.

use std::collections::BTreeSet;

use ws_session::Addresses;

use super::*;
use crate::sim::*;

const EXPIRED: &str = "connection lifetime";

#[test]
fn a_connection_is_closed_with_1001_when_it_has_lived_for_long_enough() {
    let server = Server::new().max_lifetime(secs(3600)).lifetime_jitter(secs(0)).ping_interval(None);
    let site = Site::echo(server);
    let mut first = site.open();
    site.world.advance(secs(10));
    let mut second = site.open();
    site.world.advance(secs(3590) - millis(1));
    assert_eq!(first.frames(), []);
    site.world.advance(millis(1));
    assert_eq!(first.frames(), [close(1001, EXPIRED)]);
    first.send_close(1001, "");
    first.leave();
    site.world.advance(secs(10) - millis(1));
    assert_eq!((second.frames(), site.handle.connections()), (vec![], 1));
    site.world.advance(millis(1));
    assert_eq!(second.frames(), [close(1001, EXPIRED)]);
}

#[test]
fn traffic_does_not_prolong_it_and_messages_before_are_answered() {
    let site = Site::echo(Server::new().max_lifetime(secs(60)).lifetime_jitter(secs(0)).ping_interval(None));
    let mut peer = site.open();
    for n in 1..60 {
        site.world.advance(secs(1));
        peer.send_text("again");
        site.world.run();
        assert_eq!(peer.frames(), [text("again")], "after {n} s");
    }
    site.world.advance(secs(1));
    assert_eq!(peer.frames(), [close(1001, EXPIRED)]);
}

/// The times at which 50 connections that open together are closed.
fn ends(server: Server) -> Vec<std::time::Duration> {
    let site = Site::echo(server.ping_interval(None));
    let mut peers: Vec<_> = (0..50).map(|_| site.open()).collect();
    let mut ends = Vec::new();
    for _ in 0..2000 {
        site.world.advance(millis(100));
        peers.retain_mut(|peer| match peer.frames().pop() {
            None => true,
            Some(frame) => {
                assert_eq!(frame, close(1001, EXPIRED));
                peer.send_close(1001, "");
                peer.leave();
                ends.push(site.world.now());
                false
            }
        });
    }
    assert!(peers.is_empty());
    ends
}

#[test]
fn connections_that_open_together_do_not_end_together() {
    // By default within the last tenth.
    let of_default = ends(Server::new().max_lifetime(secs(100)));
    assert!(of_default.iter().all(|&end| end > secs(90) - millis(1) && end <= secs(100)), "{of_default:?}");
    let of_choice = ends(Server::new().max_lifetime(secs(100)).lifetime_jitter(secs(1000)));
    assert!(of_choice.iter().all(|&end| end <= secs(100)), "{of_choice:?}");
    for ends in [&of_default, &of_choice] {
        // 50 draws from 100 steps or more: that fewer than 15 differ never happens.
        assert!(ends.iter().collect::<BTreeSet<_>>().len() >= 15, "{ends:?}");
    }
    assert_ne!(of_default, ends(Server::new().max_lifetime(secs(100))), "each draw is a new one");
}

#[test]
fn it_holds_for_connections_that_are_handed_over() {
    let world = World::new(1);
    let server = Server::new().max_lifetime(secs(60)).lifetime_jitter(secs(0)).ping_interval(None);
    let request = http::Request::get("/").header("host", "example.com").header("connection", "Upgrade");
    let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").body(()).unwrap();
    let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
    let mut peer = Peer::new(Role::Client, theirs);
    let (socket, driver) = server.upgrade(&request, Addresses::default()).unwrap().parts(ours).open();
    world.spawn("driver", driver);
    world.advance(secs(60) - millis(1));
    assert_eq!(peer.frames(), []);
    world.advance(millis(1));
    assert_eq!(peer.frames(), [close(1001, EXPIRED)]);
    drop(socket);
}
