//! The connections of a server as its handle sees them: listed, counted, closed.

use ws_session::{CloseCode, ClosedBy, Error, HandshakeFailure, ServerStats};
use ws_test_support::opening::request;

use super::*;
use crate::sim::*;

/// The number of failed handshakes for this reason.
fn failed(stats: &ServerStats, label: &str) -> u64 {
    let of = |failed: &&ws_session::FailedHandshakes| failed.reason.to_string() == label;
    stats.failed_handshakes.iter().find(of).map_or(0, |failed| failed.handshakes)
}

fn ends(stats: &ServerStats) -> Vec<(ClosedBy, Option<u16>, u64)> {
    let code = |code: CloseCode| u16::from(code);
    let mut ends: Vec<_> = stats.ends.iter().map(|end| (end.by, end.code.map(code), end.connections)).collect();
    ends.sort();
    ends
}

#[test]
fn the_list_has_the_open_connections_in_the_order_of_their_ids() {
    let site = Site::echo(Server::new());
    assert!(site.handle.list().is_empty());
    // More than one piece.
    let mut peers: Vec<_> = (0..600).map(|_| site.open()).collect();
    let list = site.handle.list();
    assert_eq!(list.len(), 600);
    assert!(list.is_sorted_by(|one, other| one.id() < other.id()));
    let one = &list[299];
    assert_eq!(site.handle.get(one.id()).unwrap().id(), one.id());
    assert!(site.handle.get(u64::MAX).is_none());
    says_goodbye(&mut peers[299]);
    site.world.run();
    assert!(!one.is_open() && site.handle.get(one.id()).is_none());
    let left = site.handle.list();
    assert_eq!(left.len(), 599);
    assert!(left.iter().all(|connection| connection.id() != one.id() && connection.is_open()));
    // What is known about one that has ended stays, and nothing can be done to it.
    assert_eq!((one.path(), one.stats().received.messages), ("/chat", 0));
    assert!(!one.close(1000, "").unwrap());
}

#[test]
fn connections_are_closed_by_a_condition() {
    let site = Site::new(World::new(1), Server::new(), send_back);
    let mut peers: Vec<_> = ["/a", "/b", "/a"]
        .map(|path| {
            let mut peer = site.connect();
            peer.to.push(request(path, &[]).as_bytes());
            site.world.run();
            assert!(peer.head().starts_with("HTTP/1.1 101 "));
            peer
        })
        .into();
    assert!(matches!(site.handle.close_where(1005 + 1, "", |_| true), Err(Error::CloseCode(_))));
    assert_eq!(site.handle.close_where(4000, "moved", |connection| connection.path() == "/a").unwrap(), 2);
    assert_eq!(site.handle.close_where(4001, "again", |connection| connection.path() == "/a").unwrap(), 0);
    site.world.run();
    let told: Vec<_> = peers.iter_mut().map(|peer| peer.frames()).collect();
    assert_eq!(told, [vec![close(4000, "moved")], vec![], vec![close(4000, "moved")]]);
    // They are open until the peers answer. Waiting ends when all have.
    let waiting = site.handle.close_where_and_wait(4002, "all", |_| true);
    site.world.run();
    assert_eq!(peers[1].frames(), [close(4002, "all")], "begun by the call");
    let waiting = site.world.spawn("waiting", waiting);
    site.world.run();
    assert!(!waiting.is_finished());
    for (peer, code) in peers.iter_mut().zip([4000, 4002, 4000]) {
        peer.send_close(code, "");
        peer.leave();
    }
    site.world.run();
    assert_eq!(waiting.take().unwrap().unwrap(), 1);
    assert_eq!(ends(&site.handle.stats()), [(ClosedBy::Us, Some(4000), 2), (ClosedBy::Us, Some(4002), 1)]);
}

#[test]
fn waiting_for_a_peer_that_does_not_answer_ends_with_its_deadline() {
    let site = Site::echo(Server::new().close_timeout(secs(5)));
    let _silent = site.open();
    let waiting = site.world.spawn("waiting", site.handle.close_where_and_wait(1001, "bye", |_| true));
    site.world.advance(secs(5) - millis(1));
    assert!(!waiting.is_finished());
    site.world.advance(millis(1));
    assert_eq!(waiting.take().unwrap().unwrap(), 1);
}

#[test]
fn counters_add_up_over_open_and_ended_connections() {
    let site = Site::echo(Server::new());
    let mut peers: Vec<_> = (0..5).map(|_| site.open()).collect();
    for peer in &mut peers {
        peer.send_text("Hello");
        site.world.run();
        assert_eq!(peer.frames(), [text("Hello")]);
    }
    let (open, of_one) = (site.handle.stats(), site.handle.list()[0].stats());
    assert_eq!((of_one.received.messages, of_one.received.payload_bytes, of_one.received.wire_bytes), (1, 5, 11));
    assert_eq!((of_one.sent.messages, of_one.sent.payload_bytes, of_one.sent.wire_bytes), (1, 5, 7));
    assert_eq!((open.open, open.opened, open.ended, open.ends.len()), (5, 5, 0, 0));
    assert_eq!((open.traffic.received.messages, open.traffic.sent.wire_bytes), (5, 35));
    // The ends: by the peer, by its leaving, and by us.
    says_goodbye(&mut peers[0]);
    peers[1].leave();
    site.world.run();
    let id = site.handle.list()[0].id();
    assert!(site.handle.get(id).unwrap().close(4000, "").unwrap());
    site.world.run();
    peers[2].send_close(4000, "");
    peers[2].leave();
    site.world.run();
    let stats = site.handle.stats();
    assert_eq!((stats.open, stats.opened, stats.ended), (2, 5, 3));
    assert_eq!(stats.traffic.received.messages, 5, "none is forgotten");
    assert_eq!(
        ends(&stats),
        [(ClosedBy::Us, Some(4000), 1), (ClosedBy::Peer, Some(1000), 1), (ClosedBy::Peer, Some(1006), 1)]
    );
}

#[test]
fn failed_handshakes_count_by_reason() {
    let site = Site::echo(Server::new().origins(["https://example.com"]).handshake_timeout(secs(10)));
    site.ask(request("/", &["Origin: https://evil.example"]).as_bytes());
    site.ask(request("/", &["Origin: https://evil.example"]).as_bytes());
    site.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    site.connect().leave();
    let mut peer = site.connect();
    peer.to.push(&REQUEST[..20]);
    site.world.run();
    peer.leave();
    let slow = site.connect();
    slow.to.push(&REQUEST[..20]);
    site.world.run();
    assert_eq!(site.handle.stats().handshakes, 1);
    site.world.advance(secs(20));
    let stats = site.handle.stats();
    for (label, count) in [("403", 2), ("426", 1), ("silent", 1), ("left", 1), ("timeout", 1)] {
        assert_eq!(failed(&stats, label), count, "{label}: {stats:?}");
    }
    assert_eq!((stats.handshakes, stats.opened), (0, 0));
    assert_eq!(HandshakeFailure::Rejected(http::StatusCode::FORBIDDEN).to_string(), "403");
}

#[test]
fn requests_of_http_libraries_count_too() {
    let server = Server::new().max_connections(1);
    let handle = server.handle();
    let request = || {
        let request = http::Request::get("/").header("host", "example.com").header("connection", "Upgrade");
        let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
        request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").body(()).unwrap()
    };
    let world = World::new(1);
    let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
    let mut peer = Peer::new(Role::Client, theirs);
    let accepted = server.upgrade(&request(), ws_session::Addresses::default()).unwrap();
    server.upgrade(&request(), ws_session::Addresses::default()).unwrap_err();
    let (socket, driver) = accepted.parts(ours).open();
    world.spawn("driver", driver);
    world.run();
    assert_eq!(handle.list()[0].id(), socket.id());
    assert_eq!(handle.close_where(1001, "", |_| true).unwrap(), 1);
    world.run();
    assert_eq!(peer.frames(), [close(1001, "")]);
    peer.send_close(1001, "");
    peer.leave();
    world.run();
    let stats = handle.stats();
    assert_eq!((stats.opened, stats.ended, failed(&stats, "503")), (1, 1, 1));
}

/// The facade's view of a server.
#[cfg(feature = "metrics")]
mod recorded {
    use ws_test_support::recorder::Sums;

    use super::*;

    #[test]
    fn the_recorder_gets_what_was_added() {
        let sums = Sums::default();
        metrics::with_local_recorder(&sums, || {
            let site = Site::echo(Server::new());
            let mut peers = [site.open(), site.open()];
            site.handle.record_metrics();
            assert_eq!(sums.get("websocket.server.connections.active"), 2.0);
            assert_eq!(sums.get("websocket.server.messages network.io.direction=receive"), 0.0);
            for round in 1..=2 {
                peers[0].send_text("Hello");
                site.world.run();
                site.handle.record_metrics();
                assert_eq!(sums.get("websocket.server.messages network.io.direction=receive"), f64::from(round));
                let sent = sums.get("websocket.server.network.io network.io.direction=transmit");
                assert_eq!(sent, f64::from(7 * round));
            }
            says_goodbye(&mut peers[0]);
            site.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            // The server waits until the client has read its answer.
            site.world.advance(secs(3));
            site.handle.record_metrics();
            site.handle.record_metrics();
            assert_eq!(sums.get("websocket.server.connections.active"), 1.0);
            assert_eq!(sums.get("websocket.server.connections.opened"), 2.0);
            let closed = "websocket.server.connections.closed websocket.closed_by=peer,websocket.close.code=1000";
            assert_eq!((sums.get(closed), sums.get("websocket.server.handshakes.failed error.type=426")), (1.0, 1.0));
        });
    }

    #[test]
    fn they_are_recorded_every_so_often_until_a_shutdown_is_over() {
        let sums = Sums::default();
        metrics::with_local_recorder(&sums, || {
            let site = Site::echo(Server::new());
            let recording = site.world.spawn("recording", site.handle.clone().record_metrics_every(secs(10)));
            site.world.run();
            let peer = site.open();
            site.world.advance(secs(10) - millis(1));
            assert_eq!(sums.get("websocket.server.connections.active"), 0.0);
            site.world.advance(millis(1));
            assert_eq!(sums.get("websocket.server.connections.active"), 1.0);
            peer.send_text("Hello");
            site.world.run();
            site.handle.shutdown();
            site.world.run();
            // A connection is left.
            assert!(!recording.is_finished());
            drop(peer);
            site.world.advance(secs(60));
            assert!(recording.is_finished());
            assert_eq!(sums.get("websocket.server.messages network.io.direction=receive"), 1.0);
            assert_eq!(sums.get("websocket.server.connections.active"), 0.0);
        });
    }
}
