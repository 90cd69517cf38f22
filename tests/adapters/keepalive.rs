//! Pings, pongs, and peers that have gone silent.

use std::time::Duration;

use super::setup::*;

/// Pings often; a pong may take `pong`.
fn lively(pong: Duration) -> Config {
    config(|config| {
        config.deadlines.ping_interval = Some(Duration::from_millis(20));
        config.deadlines.pong = Some(pong);
    })
}

#[test]
fn a_ping_is_answered_with_its_payload() {
    let (_ws, mut peer) = accepted(Server::new());
    peer.write(masked(0x89, "are you there?"));
    assert_eq!(peer.frame(), (0x8A, b"are you there?".to_vec()));
}

#[test]
fn a_ping_tells_the_round_trip_time() {
    let (server, client) = both_ends(Server::new(), Client::new("ws://test/"));
    assert_eq!((server.latency(), client.latency()), (None, None));
    let took = block_on(client.ping()).unwrap().time;
    assert_eq!(client.latency(), Some(took));
    let took = block_on(server.ping()).unwrap().time;
    assert_eq!(server.latency(), Some(took));
}

#[test]
fn many_may_wait_for_their_pongs_at_once() {
    let (_server, client) = both_ends(Server::new(), Client::new("ws://test/"));
    let (one, other) = block_on(async { futures_util::join!(client.ping(), client.ping()) });
    assert!(one.is_ok() && other.is_ok());
}

#[test]
fn pings_are_answered_while_the_handler_is_busy() {
    let (open, gate) = gate();
    let server = start(Server::new(), move |ws| {
        let gate = gate.clone();
        async move {
            let _ws = ws;
            Ok(gate.await?)
        }
    });
    let mut ws = server.connect();
    block_on(ws.ping()).unwrap();
    open.send(()).unwrap();
    assert_eq!(ending(&mut ws), (1000, String::new()));
    server.stop();
}

#[test]
fn a_ping_on_a_connection_that_ends_fails() {
    let (ws, peer) = accepted(Server::new());
    let sender = ws.sender();
    let pinging = spawn(async move { sender.ping().await });
    drop(peer);
    assert!(block_on(pinging).is_err());
}

#[test]
fn keepalive_pings_by_itself() {
    let (ws, mut peer) = accepted(Server::new().config(lively(NEVER)));
    for _ in 0..3 {
        let (first, payload) = peer.frame();
        assert_eq!(first, 0x89);
        peer.write(masked(0x8A, payload));
    }
    until(|| ws.latency().is_some());
}

#[test]
fn a_peer_that_answers_pings_is_left_alone() {
    let (server, client) =
        both_ends(Server::new().config(lively(TOO_LONG)), Client::new("ws://test/").config(lively(TOO_LONG)));
    until(|| server.latency().is_some() && client.latency().is_some());
    settle();
    assert!(server.sender().is_open() && client.sender().is_open());
}

#[test]
fn a_silent_peer_is_found_dead() {
    let (mut ws, mut peer) = accepted(Server::new().config(lively(SOON)));
    assert_eq!(outcome(&failure(&mut ws)).cause, Cause::KeepaliveTimeout);
    assert_eq!(peer.frame().0, 0x89);
    loop {
        match peer.frame() {
            (0x89, _) => {}
            (first, payload) => {
                assert_eq!((first, payload), (0x88, close_body(1011, "keepalive ping timeout")));
                break;
            }
        }
    }
}

#[test]
fn a_silent_server_is_found_dead_too() {
    let (mut ws, _peer) = connected(Client::new("ws://test/").config(lively(SOON)));
    let error = failure(&mut ws);
    assert_eq!(outcome(&error).cause, Cause::KeepaliveTimeout);
    assert_eq!(outcome(&error).sent, Some(CloseFrame::new(CloseCode::INTERNAL_ERROR, "keepalive ping timeout")));
}

#[test]
fn without_keepalive_nobody_is_pinged() {
    let quiet = config(|config| config.deadlines.ping_interval = None);
    let (_ws, mut peer) = accepted(Server::new().config(quiet));
    assert!(peer.hears_nothing());
}

#[test]
fn a_message_that_stands_still_is_not_waited_for() {
    let strict = config(|config| config.deadlines.message_progress = Some(SOON));
    let (mut ws, mut peer) = accepted(Server::new().config(strict));
    peer.write(header(0x82, 1000, Some(MASK)));
    assert_eq!(peer.close_frame().0, 1008);
    peer.finish();
    assert_eq!(outcome(&failure(&mut ws)).cause, Cause::MessageTimeout);
}

/// More than the systems of both ends hold, so its end is written long after its first ping. The system tells
/// what the peer takes.
#[cfg(all(feature = "tcp-info", target_os = "linux"))]
#[test]
fn a_peer_that_reads_a_long_message_slowly_is_alive() {
    const LENGTH: usize = 12 * MIB;
    let mut settings = lively(Duration::from_millis(400));
    settings.deadlines.ping_interval = Some(Duration::from_millis(100));
    // What the peer's system has is waited for at this pace; here nothing but progress counts.
    settings.limits.slowest_reading = usize::MAX;
    (settings.limits.message, settings.limits.frame) = (Some(LENGTH), Some(LENGTH));
    let (ws, mut peer) = accepted(uncompressed().config(settings));
    send(&ws, vec![7; LENGTH]);
    assert_eq!(peer.take(10)[0], 0x82);
    for _ in 0..LENGTH / (64 * KIB) {
        assert!(peer.take(64 * KIB).iter().all(|&byte| byte == 7));
        std::thread::sleep(Duration::from_millis(10));
    }
    // Nobody has answered a ping until now.
    let (first, payload) = peer.frame();
    assert_eq!(first, 0x89);
    peer.write(masked(0x8A, payload));
    peer.write(masked(0x81, "still here"));
    let mut ws = ws;
    assert_eq!(text(&mut ws), "still here");
}
