//! The connections of a server, as its handle sees them: listed, counted, and closed one by one or together.

use std::time::Duration;
#[cfg(feature = "auth")]
use std::time::SystemTime;

use super::setup::*;

#[cfg(feature = "auth")]
#[test]
fn the_list_tells_the_facts_of_each_connection() {
    let before = SystemTime::now();
    let server = Server::new().basic_auth("chat", [("ann", "secret")]);
    let server = start(server, echo);
    let url = format!("ws://ann:secret@{}/rooms/blue?tab=1", server.address);
    let mut ws = block_on(connect(&url)).unwrap();
    send(&ws, "Hello");
    assert_eq!(recv(&mut ws), "Hello");
    let list = server.handle.list();
    let [connection] = &*list else { panic!("{list:?}") };
    assert_eq!(connection.peer_addr(), ws.local_addr());
    assert_eq!(connection.local_addr(), Some(server.address));
    assert_eq!(connection.client_ip(), Some(server.address.ip()));
    assert_eq!((connection.path(), connection.query("tab").as_deref()), ("/rooms/blue", Some("1")));
    assert_eq!((connection.user(), connection.subprotocol(), connection.latency()), (Some("ann"), None, None));
    assert!(connection.opened_at() + Duration::from_millis(1) >= before && connection.opened_at() <= SystemTime::now());
    assert!(format!("{connection:?}").contains("/rooms/blue"));

    // Both ends count the same, and the server's sum is that of its only connection.
    let (ours, theirs) = (connection.stats(), ws.stats());
    assert_eq!((ours.received.messages, ours.received.payload_bytes), (1, 5));
    assert_eq!((ours.received, ours.sent.messages), (theirs.sent, 1));
    assert_eq!(ours.sent, theirs.received);
    assert_eq!(ws.sender().stats(), theirs);
    assert_eq!(server.handle.stats().traffic, ours);

    // A message from outside of the handler.
    block_on(connection.sender().send("to you alone")).unwrap();
    assert_eq!(recv(&mut ws), "to you alone");
    server.stop();
}

#[test]
fn one_connection_is_closed_and_the_others_stay() {
    let server = start(Server::new(), echo);
    let mut peers: Vec<_> = (0..3).map(|_| server.connect()).collect();
    until(|| server.handle.connections() == 3);
    let address = peers[1].local_addr();
    let one = server.handle.list().into_iter().find(|connection| connection.peer_addr() == address).unwrap();
    assert!(one.close(4000, "you are too loud").unwrap());
    assert!(!one.close(4000, "once more").unwrap() && !one.is_open());
    assert_eq!(ending(&mut peers[1]), (4000, "you are too loud".to_owned()));
    let outcome = block_on(one.closed());
    assert_eq!((outcome.closed_by(), outcome.is_clean()), (ClosedBy::Us, true));
    until(|| server.handle.connections() == 2);
    for peer in [0, 2] {
        send(&peers[peer], "still here");
        assert_eq!(recv(&mut peers[peer]), "still here");
    }
    server.stop();
}

#[test]
fn many_are_closed_by_a_condition_and_waited_for() {
    let server = start(Server::new(), echo);
    let open = |path: &str| block_on(connect(&server.url(path))).unwrap();
    let mut leaving: Vec<_> = (0..5).map(|n| open(&format!("/old/{n}"))).collect();
    let mut staying = open("/new");
    until(|| server.handle.connections() == 6);
    let closing =
        server.handle.close_where_and_wait(1012, "moved", |connection| connection.path().starts_with("/old/"));
    for peer in &mut leaving {
        assert_eq!(ending(peer), (1012, "moved".to_owned()));
    }
    assert_eq!(block_on(closing).unwrap(), 5);
    until(|| server.handle.connections() == 1);
    let stats = server.handle.stats();
    assert_eq!((stats.open, stats.opened, stats.ended), (1, 6, 5));
    let [end] = &*stats.ends else { panic!("{stats:?}") };
    assert_eq!((end.by, end.code, end.connections), (ClosedBy::Us, Some(1012.into()), 5));
    send(&staying, "still here");
    assert_eq!(recv(&mut staying), "still here");
    server.stop();
}

#[test]
fn a_refusal_is_counted() {
    let server = start(Server::new().origins(["https://example.com"]), echo);
    let error = block_on(server.client().origin("https://evil.example").connect()).unwrap_err();
    assert!(error.to_string().contains("403"), "{error}");
    until(|| !server.handle.stats().failed_handshakes.is_empty());
    let stats = server.handle.stats();
    let [failed] = &*stats.failed_handshakes else { panic!("{stats:?}") };
    assert_eq!((failed.reason.to_string(), failed.handshakes), ("403".to_owned(), 1));
    server.stop();
}

#[test]
fn a_connection_ends_when_it_has_lived_for_long_enough() {
    let lifetime = Duration::from_millis(300);
    let server = start(Server::new().max_lifetime(lifetime), echo);
    let mut ws = server.connect();
    assert_eq!(ending(&mut ws), (1001, "connection lifetime".to_owned()));
    server.stop();
}
