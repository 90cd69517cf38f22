//! Limits of a connection and of a server, and the answer to a peer that exceeds them.

use std::time::Duration;

use super::setup::*;

fn small() -> Config {
    config(|config| {
        config.limits.message = Some(1000);
        config.limits.frame = Some(800);
        config.limits.fragments = Some(4);
    })
}

const FRAME: &str = "frame over the receiver's limit of 800 bytes (limits.frame)";

#[test]
fn the_peer_is_told_which_limit_it_went_over() {
    let server = start(Server::new().config(small()), echo);
    let fragments = |count: usize, size: usize| {
        let mut bytes = masked(0x02, vec![0; size]);
        (1..count).for_each(|_| bytes.extend(masked(0x00, vec![0; size])));
        bytes
    };
    for (bytes, says) in [
        (masked(0x82, vec![0; 801]), FRAME),
        (header(0x81, 1 << 40, Some(MASK)), FRAME),
        (fragments(2, 501), "message over the receiver's limit of 1000 bytes (limits.message)"),
        (fragments(5, 0), "message over the receiver's limit of 4 fragments (limits.fragments)"),
    ] {
        let mut peer = server.upgraded();
        peer.write(masked(0x81, "before"));
        peer.write(bytes);
        assert_eq!(peer.frame(), (0x81, b"before".to_vec()), "what was complete is still answered");
        assert_eq!(peer.close_frame(), (1009, says.to_owned()));
        assert_eq!(peer.rest(), b"");
    }
    server.stop();
}

#[test]
fn both_ends_know_whose_limit_it_was() {
    let (handler, told) = telling();
    let server = start(Server::new().config(small()), handler);
    let mut ws = server.connect();
    send(&ws, Random(1).bytes(900));
    let error = failure(&mut ws);
    assert_eq!((u16::from(outcome(&error).code()), outcome(&error).reason()), (1009, FRAME));
    assert_eq!(outcome(&error).cause, Cause::Peer);
    let error = hear(&told).1.unwrap_err();
    assert_eq!(outcome(&error).cause, Cause::Violation(Violation::FrameTooBig { limit: 800 }));
    assert!(error.to_string().contains(FRAME), "{error}");
    server.stop();
}

#[test]
fn a_client_has_limits_too() {
    let (mut ws, mut peer) = connected(Client::new("ws://test/").config(small()));
    peer.write(frame(0x81, [b'x'; 801], None));
    assert_eq!(peer.close_frame(), (1009, FRAME.to_owned()));
    peer.finish();
    assert_eq!(outcome(&failure(&mut ws)).cause, Cause::Violation(Violation::FrameTooBig { limit: 800 }));
}

#[test]
fn exactly_at_the_limit_is_fine_and_one_byte_more_is_not() {
    let server = start(uncompressed(), echo);
    let mut ws = server.connect();
    send(&ws, pattern(MIB));
    assert!(recv(&mut ws) == Message::from(pattern(MIB)));
    send(&ws, pattern(MIB + 1));
    let outcome = block_on(ws.closed());
    assert_eq!(outcome.code(), CloseCode::MESSAGE_TOO_BIG);
    assert!(outcome.reason().contains("1048576"), "{outcome}");
    server.stop();
}

#[test]
fn a_full_queue_hands_the_message_back() {
    let small = config(|config| (config.limits.high_water, config.limits.hard_cap) = (4 * KIB, 16 * KIB));
    let (ws, mut peer) = accepted(Server::new().config(small));
    let sender = ws.sender();
    let message = Message::from(pattern(3 * KIB));
    let mut sent = 0;
    // Until the socket takes no more either.
    let refused = loop {
        match sender.try_send(message.clone()) {
            Ok(()) => sent += 1,
            Err(refused) if for_a_while(ws.flush()).is_none() => break refused,
            Err(_) => {}
        }
        assert!(sent < 30_000, "90 MB are on their way to somebody who reads nothing");
    };
    assert_eq!(refused, SendError::Full(message.clone()));
    for _ in 0..sent {
        assert_eq!(peer.frame().1, message.as_bytes());
    }
    block_on(ws.flush()).unwrap();
    sender.try_send(refused.into_message()).unwrap();
    assert_eq!(peer.frame().1, message.as_bytes());
}

// ---- servers ----

#[test]
fn one_more_connection_than_there_may_be_gets_503() {
    let server = start(Server::new().max_connections(2), echo);
    let (first, second) = (server.connect(), server.connect());
    for _ in 0..2 {
        let error = block_on(server.client().connect()).unwrap_err();
        let response = error.response().expect("a response");
        assert_eq!(response.status(), 503);
        assert!(response.body().starts_with(b"The server has as many connections as it allows."), "{response:?}");
    }
    until(|| server.handle.connections() == 2);
    close(first);
    close(second);
    server.stop();
}

#[test]
fn a_client_that_leaves_makes_room() {
    let server = start(Server::new().max_connections(1), echo);
    close(server.connect());
    until(|| server.handle.connections() == 0);
    // One that goes without a word, too.
    let peer = server.upgraded();
    until(|| server.handle.connections() == 1);
    peer.reset();
    until(|| server.handle.connections() == 0);
    close(server.connect());
    server.stop();
}

#[test]
fn a_server_that_takes_nobody() {
    let server = start(Server::new().max_connections(0), echo);
    let mut peer = server.peer();
    peer.write(request("/", &[]));
    let reply = peer.reply();
    assert_eq!((reply.status, reply.header("connection")), (503, Some("close")));
    drop(peer);
    server.stop();
}

#[test]
fn further_handshakes_wait_for_those_under_way() {
    let server = start(Server::new().max_handshakes(1).handshake_grace(NEVER), echo);
    let mut slow = server.peer();
    slow.write("GET / HTTP/1.1\r\n");
    settle();
    let mut waiting = server.peer();
    waiting.write(request("/", &[]));
    assert!(waiting.hears_nothing());
    slow.write("Host: test\r\n\r\n");
    assert_eq!(slow.reply().status, 426);
    drop(slow);
    assert!(waiting.head().starts_with("HTTP/1.1 101 "));
    drop(waiting);
    server.stop();
}

#[test]
fn handshakes_that_come_together_wait_too() {
    // All are there before the server accepts the first.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (mut slow, mut waiting) = (Peer::connect(address), Peer::connect(address));
    slow.write("GET / HTTP/1.1\r\n");
    waiting.write(request("/", &[]));
    let listening =
        block_on(async { Server::new().max_handshakes(1).handshake_grace(NEVER).listen_on(listener) }).unwrap();
    let handle = listening.handle();
    let serving = spawn(listening.serve(echo));
    assert!(waiting.hears_nothing(), "the second handshake was done beside the first");
    drop(slow);
    assert!(waiting.head().starts_with("HTTP/1.1 101 "));
    handle.shutdown();
    drop(waiting);
    block_on(serving).unwrap();
}

#[test]
fn silent_clients_make_room_for_one_that_asks() {
    let server = Server::new().max_handshakes(3).handshake_timeout(NEVER).handshake_grace(Duration::from_millis(10));
    let server = start(server, echo);
    let mut silent: Vec<_> = (0..10).map(|_| server.peer()).collect();
    let mut honest = server.peer();
    honest.write(request("/", &[]));
    assert!(honest.head().starts_with("HTTP/1.1 101 "));
    // Eight places were needed: the oldest went, without an answer.
    silent[..8].iter_mut().for_each(|peer| assert_eq!(peer.rest(), b""));
    assert!(silent[9].hears_nothing());
    drop(honest);
    server.stop();
}

/// All clients here have one address. `ws-session` tests the addresses, and the rates in virtual time.
#[test]
fn an_address_has_limits_of_its_own() {
    let status = |server: &Running| {
        let error = block_on(server.client().connect()).unwrap_err();
        let response = error.response().expect("a response");
        assert!(response.headers().contains_key("retry-after"), "{response:?}");
        response.status().as_u16()
    };
    let server = start(Server::new().max_connections_per_ip(2), echo);
    let (first, second) = (server.connect(), server.connect());
    assert_eq!(status(&server), 429);
    close(first);
    close(second);
    until(|| server.handle.connections() == 0);
    close(server.connect());
    server.stop();

    let server = start(Server::new().connection_rate_per_ip(Rate::new(2, NEVER)), echo);
    close(server.connect());
    close(server.connect());
    assert_eq!(status(&server), 429);
    server.stop();
}

#[test]
fn messages_come_at_their_rate() {
    // A burst at once, and each further message 100 ms after the one before it.
    let server = start(uncompressed().message_rate(Rate::per_second(10).with_burst(3)), echo);
    let mut ws = server.connect();
    let begun = std::time::Instant::now();
    for n in 0..6 {
        send(&ws, n.to_string());
    }
    for n in 0..6 {
        assert_eq!(text(&mut ws), n.to_string());
    }
    assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
    close(ws);
    server.stop();

    let server = start(uncompressed().message_rate(Rate::new(3, NEVER)).over_rate(OverRate::Close), echo);
    let mut ws = server.connect();
    for n in 0..4 {
        send(&ws, n.to_string());
    }
    for n in 0..3 {
        assert_eq!(text(&mut ws), n.to_string());
    }
    let (code, reason) = ending(&mut ws);
    assert!(code == 1008 && reason.contains("limits.message_rate"), "{code} {reason}");
    server.stop();
}
