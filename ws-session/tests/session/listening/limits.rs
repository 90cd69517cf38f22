//! How many connections there may be, and how many that are only opening.

use super::*;
use crate::sim::*;

#[test]
fn one_connection_too_many_gets_503_until_another_has_ended() {
    let site = Site::echo(Server::new().max_connections(2));
    let (mut first, _second) = (site.open(), site.open());
    let (_peer, head) = site.ask(REQUEST);
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(header(&head, "retry-after"), Some("10"));
    assert_eq!(site.handle.connections(), 2);
    says_goodbye(&mut first);
    site.world.run();
    site.open();
}

#[test]
fn connections_that_open_at_the_same_time_are_counted_too() {
    let site = Site::echo(Server::new().max_connections(2));
    // The response does not fit into the link at once.
    let options = LinkOptions { capacity: 50, ..LinkOptions::default() };
    let mut peers: Vec<_> = (0..5).map(|_| site.connect_over(options)).collect();
    peers.iter().for_each(|peer| peer.to.push(REQUEST));
    let mut heads = vec![Vec::new(); 5];
    for _ in 0..100 {
        site.world.run();
        peers.iter_mut().zip(&mut heads).for_each(|(peer, head)| head.extend(peer.bytes()));
    }
    let open = heads.iter().filter(|head| head.starts_with(b"HTTP/1.1 101 ")).count();
    assert_eq!((open, site.handle.connections()), (2, 2));
}

#[test]
fn as_many_handshakes_as_allowed_are_under_way_and_no_more_accepted() {
    let site = Site::echo(Server::new().max_handshakes(3));
    // All of them are there before the server looks.
    let mut peers: Vec<_> = (0..10).map(|_| site.connect()).collect();
    site.world.run();
    assert_eq!(site.backlog.accepted(), 3 + 1, "the fourth waits for a place");
    // One opens, one leaves.
    peers[0].to.push(REQUEST);
    site.world.run();
    assert_eq!(site.backlog.accepted(), 4 + 1);
    peers[1].leave();
    site.world.run();
    assert_eq!(site.backlog.accepted(), 5 + 1);
    assert_eq!(site.handle.connections(), 1);
    assert_eq!(site.world.now(), secs(0));
}
