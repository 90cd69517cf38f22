//! Clients that connect and say nothing keep nobody out for long.

use super::*;
use crate::sim::*;

/// Which of the peers the server has let go.
fn gone(peers: &[Peer]) -> Vec<usize> {
    peers.iter().enumerate().filter(|(_, peer)| peer.from.is_writer_gone()).map(|(n, _)| n).collect()
}

fn is_open(peer: &mut Peer) -> bool {
    peer.head().starts_with("HTTP/1.1 101 ")
}

#[test]
fn the_oldest_silent_handshakes_make_room_after_a_second() {
    let site = Site::echo(Server::new().max_handshakes(100));
    let silent: Vec<_> = (0..110).map(|_| site.connect()).collect();
    let mut honest = site.connect();
    honest.to.push(REQUEST);
    site.world.advance(secs(1) - millis(1));
    assert_eq!(site.backlog.accepted(), 100 + 1, "one waits for a place");
    assert_eq!(gone(&silent), [0; 0]);
    site.world.advance(millis(1));
    assert!(is_open(&mut honest));
    assert_eq!(gone(&silent), Vec::from_iter(0..11), "as many as there had to be, the oldest");
    assert_eq!(site.handle.connections(), 1);
    // Nobody needs their places any more.
    site.world.advance(secs(5));
    assert_eq!(gone(&silent).len(), 11);
}

#[test]
fn the_grace_is_a_setting() {
    let site = Site::echo(Server::new().max_handshakes(1).handshake_grace(millis(300)));
    let silent = site.connect();
    let mut honest = site.connect();
    honest.to.push(REQUEST);
    site.world.advance(millis(299));
    assert!(!silent.from.is_writer_gone());
    site.world.advance(millis(1));
    assert!(silent.from.is_writer_gone() && is_open(&mut honest));
}

#[test]
fn nobody_makes_room_that_nobody_needs() {
    let site = Site::echo(Server::new().max_handshakes(2));
    let mut silent = [site.connect(), site.connect()];
    site.world.advance(secs(10) - millis(1));
    assert_eq!(gone(&silent), [0; 0]);
    site.world.advance(millis(1));
    assert!(silent.iter_mut().all(|peer| peer.head().starts_with("HTTP/1.1 408 ")));
}

#[test]
fn a_place_that_becomes_free_is_taken_first() {
    let site = Site::echo(Server::new().max_handshakes(2));
    let mut first = [site.connect(), site.connect()];
    let mut next = site.connect();
    next.to.push(REQUEST);
    site.world.advance(millis(900));
    first[0].to.push(REQUEST);
    site.world.run();
    assert!(is_open(&mut first[0]) && is_open(&mut next));
    site.world.advance(secs(5));
    assert!(!first[1].from.is_writer_gone());
    first[1].to.push(REQUEST);
    site.world.run();
    assert!(is_open(&mut first[1]));
}

#[test]
fn clients_that_have_said_something_go_last() {
    let site = Site::echo(Server::new().max_handshakes(3));
    let slow = site.connect();
    slow.to.push(b"GET / HTTP/1.1\r\n");
    let refused = site.connect();
    refused.to.push(b"nonsense\r\n\r\n");
    site.world.advance(millis(500));
    let silent = site.connect();
    site.world.advance(secs(1));
    let mut newcomers = Vec::new();
    for expected in [[false, false, true], [true, false, true], [true, true, true]] {
        newcomers.push(site.connect());
        site.world.run();
        assert_eq!([&slow, &refused, &silent].map(|peer| peer.from.is_writer_gone()), expected);
    }
}

#[test]
fn one_address_cannot_take_all_places() {
    let site = Site::echo(Server::new());
    let flood: Vec<_> = (0..1100).map(|_| site.connect_from("192.0.2.1")).collect();
    let mut honest = site.connect_from("192.0.2.2");
    honest.to.push(REQUEST);
    site.world.advance(millis(50));
    assert!(is_open(&mut honest));
    assert_eq!(gone(&flood), Vec::from_iter(256..1100), "those over the limit are closed");
    // The oldest of the same address makes room, once it has waited long enough.
    site.world.advance(secs(1));
    let mut same = site.connect_from("192.0.2.1");
    same.to.push(REQUEST);
    site.world.advance(millis(50));
    assert!(is_open(&mut same));
    assert_eq!(gone(&flood[..256]), [0]);
}

#[test]
fn a_burst_from_one_address_that_asks_at_once_is_served() {
    let site = Site::echo(Server::new());
    let mut burst: Vec<_> = (0..1500).map(|_| site.connect_from("192.0.2.1")).collect();
    burst.iter().for_each(|peer| peer.to.push(REQUEST));
    site.world.run();
    site.world.advance(millis(50));
    assert_eq!(burst.iter_mut().filter_map(|peer| is_open(peer).then_some(())).count(), 1500);
}

#[cfg(feature = "proxies")]
#[test]
fn addresses_that_stand_for_many_are_not_limited() {
    let server = || Server::new().max_handshakes_per_ip(2).trusted_proxies(["10.0.0.0/8"]);
    for (ip, limited) in [
        ("192.0.2.1", true),
        ("::ffff:192.0.2.1", true),
        ("2001:db8::1", true),
        ("127.0.0.1", false),
        ("127.9.9.9", false),
        ("::1", false),
        ("::ffff:127.0.0.1", false),
        ("10.1.2.3", false),
        ("::ffff:10.1.2.3", false),
    ] {
        let site = Site::echo(server());
        let peers: Vec<_> = (0..5).map(|_| site.connect_from(ip)).collect();
        site.world.advance(millis(100));
        assert_eq!(gone(&peers).len(), if limited { 3 } else { 0 }, "{ip}");
    }
    let site = Site::echo(server().max_handshakes_per_ip(None));
    let peers: Vec<_> = (0..5).map(|_| site.connect_from("192.0.2.1")).collect();
    site.world.advance(millis(100));
    assert_eq!(gone(&peers), [0; 0]);
}

#[test]
fn an_ipv6_network_counts_as_one_address() {
    let site = Site::echo(Server::new().max_handshakes_per_ip(2));
    let peers: Vec<_> = (0..5).map(|n| site.connect_from(&format!("2001:db8:0:1::{n}"))).collect();
    let other = site.connect_from("2001:db8:0:2::1");
    site.world.advance(millis(100));
    assert_eq!(gone(&peers), [2, 3, 4]);
    assert!(!other.from.is_writer_gone());
}

#[test]
fn places_are_given_back() {
    let site = Site::echo(Server::new().max_handshakes_per_ip(2));
    for _ in 0..10 {
        let mut peers = [site.connect_from("192.0.2.1"), site.connect_from("192.0.2.1")];
        site.world.run();
        peers[0].to.push(REQUEST);
        peers[1].leave();
        site.world.run();
        assert!(is_open(&mut peers[0]));
    }
    assert_eq!(site.world.now(), secs(0));
}

#[test]
fn a_server_without_places_still_shuts_down() {
    let site = Site::echo(Server::new().max_handshakes(1));
    let _silent = [site.connect(), site.connect(), site.connect()];
    site.world.run();
    site.handle.shutdown();
    site.world.run();
    assert!(site.serving.is_finished());
    assert!(site.backlog.is_closed());
}
