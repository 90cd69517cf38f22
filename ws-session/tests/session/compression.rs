//! Negotiated compression (RFC 7692 §7.1), the messages that are compressed then, and limits on their inflated size.

use std::iter;

use futures_util::FutureExt as _;
use ws_deflate::{Compressor, Inflater, Settings};
use ws_proto::Role;
use ws_session::{
    Cause, CloseCode, Compress, ConnectError, Deflate, HandlerResult, InvalidAnswer, Message, Prepared, Violation,
    WebSocket,
};

use crate::sim::*;

const OFFER: &str = "permessage-deflate; client_max_window_bits";

// First bytes of frames that begin a compressed message.
const TEXT_DEFLATED: u8 = TEXT | 0x40;
const BINARY_DEFLATED: u8 = BINARY | 0x40;

fn with(deflate: Deflate, change: impl FnOnce(&mut Deflate)) -> Option<Deflate> {
    let mut deflate = deflate;
    change(&mut deflate);
    Some(deflate)
}

fn no_takeover(deflate: &mut Deflate) {
    deflate.send_context_takeover = false;
    deflate.receive_context_takeover = false;
}

/// A head with one more header.
fn add(head: &[u8], extensions: &str) -> Vec<u8> {
    let end = head.len() - 2;
    [&head[..end], b"Sec-WebSocket-Extensions: ", extensions.as_bytes(), b"\r\n\r\n"].concat()
}

/// The value of the header in a head.
fn extensions_in(head: &str) -> Option<String> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-extensions")).map(|(_, value)| value.to_owned())
}

/// A server, and a client played by hand that offers this. What the server answered is in the response.
fn accept(world: &World, server: Server, offer: Option<&str>) -> (WebSocket, Driver, Peer, Option<String>) {
    let (ours, theirs) = link(LinkOptions { capacity: 1 << 20, ..LinkOptions::default() }, &mut world.rng());
    let mut peer = Peer::new(Role::Client, theirs);
    peer.to.push(&offer.map_or(REQUEST.to_vec(), |offer| add(REQUEST, offer)));
    let (socket, driver) = world.block_on(async move { server.accept(ours, Default::default()).await.unwrap() });
    let head = peer.head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let answer = extensions_in(&head);
    let told = socket.response().headers().get("sec-websocket-extensions");
    assert_eq!(told.map(|value| value.to_str().unwrap()), answer.as_deref());
    (socket, driver, peer, answer)
}

/// A client, and a server played by hand that answers this; the request it got.
fn connect(
    world: &World,
    client: Client,
    answer: Option<&str>,
) -> (Result<(WebSocket, Driver), ConnectError>, Peer, String) {
    let (ours, theirs) = link(LinkOptions { capacity: 1 << 20, ..LinkOptions::default() }, &mut world.rng());
    let mut peer = Peer::new(Role::Server, theirs);
    let opening = world.spawn("client", async move { client.handshake(ours, Default::default()).await });
    world.run();
    let request = peer.bytes();
    let response = response_to(&request);
    peer.to.push(&answer.map_or(response.clone(), |answer| add(&response, answer)));
    (world.finish(&opening), peer, String::from_utf8(request).unwrap())
}

fn client() -> Client {
    Client::new("ws://example.com/")
}

/// Reads compressed messages, as a peer with context takeover does.
#[derive(Default)]
struct Reader {
    history: Vec<u8>,
}

impl Reader {
    fn read(&mut self, mut payload: &[u8]) -> Vec<u8> {
        let start = self.history.len();
        let mut inflater = Inflater::new(15);
        inflater.inflate(&mut payload, &mut self.history, usize::MAX).unwrap();
        inflater.finish(&mut self.history).unwrap();
        self.history[start..].to_vec()
    }
}

/// A message as a peer compresses it.
fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Compressor::new(Settings::new().window_bits(12).level(6).memory_level(5)).compress(payload, &mut out);
    out.truncate(out.len() - 4);
    out
}

#[test]
fn a_server_answers_what_it_was_set_to() {
    let server = Deflate::server();
    let windows = |send: u8, receive: u8| {
        with(server, |deflate| (deflate.send_window_bits, deflate.receive_window_bits) = (send, receive))
    };
    let both = "permessage-deflate; client_max_window_bits=12";
    let alone = "permessage-deflate; client_no_context_takeover; client_max_window_bits=12";
    let world = World::new(1);
    for (settings, offer, answer) in [
        (Some(server), Some(OFFER), Some(both)),
        (Some(server), Some("permessage-deflate"), Some("permessage-deflate; client_no_context_takeover")),
        (Some(server), Some("permessage-deflate; unknown, permessage-deflate; client_max_window_bits"), Some(both)),
        (Some(server), Some("permessage-deflate; x, permessage-deflate; client_max_window_bits"), Some(both)),
        (Some(server), Some("permessage-deflate; unknown"), None),
        // On two lines (RFC 6455 §9.1).
        (
            Some(server),
            Some("x-other\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
            Some(both),
        ),
        (
            Some(server),
            Some("permessage-deflate; x\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
            Some(both),
        ),
        (Some(server), Some("x-other"), None),
        (Some(server), None, None),
        (None, Some(OFFER), None),
        (with(server, no_takeover), Some(OFFER), Some(alone)),
        (windows(15, 15), Some(OFFER), Some("permessage-deflate")),
        (windows(9, 10), Some(OFFER), Some("permessage-deflate; client_max_window_bits=10")),
    ] {
        let case = format!("{settings:?}, offered {offer:?}");
        let (.., answered) = accept(&world, Server::new().compression(settings), offer);
        assert_eq!(answered.as_deref(), answer, "{case}");
    }
    let (.., answered) = accept(&world, Server::new(), Some(OFFER));
    assert_eq!(answered.as_deref(), Some(both), "the default");
}

#[test]
fn a_client_offers_what_it_was_set_to() {
    let defaults = Deflate::client();
    let world = World::new(1);
    for (client, offer) in [
        (client(), Some(OFFER)),
        (client().compression(Some(defaults)), Some(OFFER)),
        (client().compression(None), None),
        (
            client().compression(with(defaults, no_takeover)),
            Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"),
        ),
        (
            client().compression(with(defaults, |deflate| {
                deflate.send_window_bits = 10;
                deflate.receive_window_bits = 11;
            })),
            Some("permessage-deflate; server_max_window_bits=11; client_max_window_bits=10"),
        ),
    ] {
        let (opened, _, request) = connect(&world, client, None);
        assert_eq!(extensions_in(&request).as_deref(), offer);
        assert!(opened.is_ok(), "a server may decline");
    }
}

#[test]
fn k4_an_invalid_answer_opens_no_connection() {
    let world = World::new(1);
    let asks = || client().compression(with(Deflate::client(), no_takeover));
    let narrow = || client().compression(with(Deflate::client(), |deflate| deflate.receive_window_bits = 11));
    let taken_back = "permessage-deflate; server_no_context_takeover";
    for (client, answer, error) in [
        (client(), "permessage-deflate; unknown", InvalidAnswer::Unknown("unknown".into())),
        (
            client(),
            "permessage-deflate; server_max_window_bits=16",
            InvalidAnswer::Value("server_max_window_bits".into()),
        ),
        (client(), "permessage-deflate; client_max_window_bits", InvalidAnswer::Value("client_max_window_bits".into())),
        (
            client(),
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            InvalidAnswer::Duplicate("server_no_context_takeover".into()),
        ),
        (client(), "permessage-deflate, permessage-deflate", InvalidAnswer::Twice("permessage-deflate".into())),
        (asks(), "permessage-deflate", InvalidAnswer::Missing("server_no_context_takeover")),
        (narrow(), "permessage-deflate", InvalidAnswer::Missing("server_max_window_bits")),
        (narrow(), taken_back, InvalidAnswer::Missing("server_max_window_bits")),
        (
            narrow(),
            "permessage-deflate; server_max_window_bits=12",
            InvalidAnswer::Value("server_max_window_bits".into()),
        ),
    ] {
        let (opened, mut peer, _) = connect(&world, client, Some(answer));
        let found = opened.map(drop).unwrap_err();
        assert!(matches!(&found, ConnectError::Compression(found) if *found.answer() == error), "{answer}: {found:?}");
        assert_eq!(found.to_string(), error.to_string());
        assert!(peer.from.is_writer_gone(), "{answer}");
        assert_eq!(peer.bytes(), b"", "{answer}: nothing follows the request");
    }
    // What was not offered at all is found by the handshake itself.
    for (client, answer) in [(client(), "x-other"), (client().compression(None), "permessage-deflate")] {
        let (opened, peer, _) = connect(&world, client, Some(answer));
        assert!(matches!(opened.map(drop).unwrap_err(), ConnectError::Handshake(_)), "{answer}");
        assert!(peer.from.is_writer_gone());
    }
}

#[test]
fn a_message_is_compressed_when_it_is_long_enough_or_when_asked() {
    let long = "compressed, ".repeat(20);
    for agreed in [true, false] {
        let world = World::new(1);
        let (socket, driver, mut peer, _) = accept(&world, Server::new(), agreed.then_some(OFFER));
        world.spawn("driver", driver);
        let (text, bytes) = (long.clone(), long.clone().into_bytes());
        let _socket = world.block_on(async move {
            let sender = socket.sender();
            socket.send("short").await.unwrap();
            socket.send(text.clone()).await.unwrap();
            sender.send(bytes).await.unwrap();
            sender.send_with("short", Compress::Default).await.unwrap();
            sender.send_with(text.clone(), Compress::Never).await.unwrap();
            socket.send_with("always", Compress::Always).await.unwrap();
            socket.send_with(text, Compress::Never).await.unwrap();
            socket.flush().await.unwrap();
            socket
        });
        let long = long.as_bytes();
        let mut expected = vec![
            (TEXT, b"short".as_slice()),
            (TEXT_DEFLATED, long),
            (BINARY_DEFLATED, long),
            (TEXT, b"short"),
            (TEXT, long),
            (TEXT_DEFLATED, b"always"),
            (TEXT, long),
        ];
        if !agreed {
            expected.iter_mut().for_each(|(first, _)| *first &= !0x40);
        }
        let mut reader = Reader::default();
        let frames = peer.frames();
        assert_eq!(frames.len(), expected.len());
        for (Frame(first, payload), (expected, message)) in iter::zip(frames, expected) {
            assert_eq!(first, expected, "{}", message.len());
            if first & 0x40 == 0 {
                assert_eq!(payload, message);
            } else {
                assert!(payload.len() < message.len() + 4, "{} bytes of {}", payload.len(), message.len());
                assert_eq!(reader.read(&payload), message);
            }
        }
    }
}

#[test]
fn a_prepared_message_is_compressed_alike_for_all_that_agreed_alike() {
    let text = "to all: ".repeat(50);
    let prepared = Prepared::new(text.clone());
    let world = World::new(1);
    let alone = || Server::new().compression(with(Deflate::server(), no_takeover));
    let mut sent = Vec::new();
    for (server, offer) in [
        (alone(), Some(OFFER)),
        (alone(), Some(OFFER)),
        (Server::new(), Some(OFFER)),
        (Server::new(), None),
        (Server::new().compression(None), Some(OFFER)),
    ] {
        let (socket, driver, mut peer, answer) = accept(&world, server, offer);
        world.spawn("driver", driver);
        let (prepared, message) = (prepared.clone(), text.clone());
        let _socket = world.block_on(async move {
            socket.send_prepared(&prepared).await.unwrap();
            socket.sender().try_send_prepared(&prepared).unwrap();
            socket.send(message).await.unwrap();
            socket.flush().await.unwrap();
            socket
        });
        let frames = peer.frames();
        let mut reader = Reader::default();
        for Frame(first, payload) in &frames {
            let plain = match answer {
                Some(_) => reader.read(payload),
                None => payload.clone(),
            };
            assert_eq!(*first, if answer.is_some() { TEXT_DEFLATED } else { TEXT });
            assert_eq!(plain, text.as_bytes());
        }
        assert_eq!(frames.len(), 3);
        sent.push(frames);
    }
    assert_eq!(sent[0], sent[1]);
    assert_eq!(sent[0][0], sent[0][1], "nothing is looked back on");
    assert_eq!(sent[2][0], sent[2][1], "encoded once");
    assert!(sent[2][2].1.len() < sent[2][0].1.len(), "what follows looks back on it");
    assert_eq!(sent[3], vec![crate::sim::text(&text); 3]);
    assert_eq!(sent[4], sent[3]);
}

#[test]
fn d3_limits_are_on_what_a_message_inflates_to() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let mut config = ws_session::Config::default();
        config.limits.message = Some(1000);
        let (mut socket, driver, mut peer) = match role {
            Role::Server => {
                let (socket, driver, peer, _) = accept(&world, Server::new().config(config), Some(OFFER));
                (socket, driver, peer)
            }
            Role::Client => {
                let (opened, peer, _) = connect(&world, client().config(config), Some("permessage-deflate"));
                let (socket, driver) = opened.unwrap();
                (socket, driver, peer)
            }
        };
        world.spawn("driver", driver);
        let bomb = deflated(&[0; 1001]);
        assert!(bomb.len() < 50);
        peer.send_together(&[
            peer.frame(BINARY_DEFLATED, deflated(&[0; 1000])),
            peer.frame(BINARY_DEFLATED, bomb),
            peer.frame(TEXT, "nobody reads this"),
        ]);
        let limit = Violation::MessageTooBig { limit: 1000 };
        world.block_on(async move {
            assert_eq!(socket.recv().await.unwrap(), Some(Message::from(vec![0; 1000])), "{role:?}");
            let error = socket.recv().await.unwrap_err();
            let outcome = error.closed().expect("the end").outcome().clone();
            assert_eq!(outcome.cause, Cause::Violation(limit), "{role:?}");
            assert_eq!(outcome.sent.map(|frame| frame.code), Some(CloseCode::MESSAGE_TOO_BIG));
        });
        let reason = "message over the receiver's limit of 1000 bytes (limits.message)";
        assert_eq!(peer.frames(), [close(1009, reason)], "{role:?}");
        peer.leave();
        world.run();
    }
}

#[test]
fn invalid_deflate_ends_the_connection_with_1007() {
    let world = World::new(1);
    let (mut socket, driver, mut peer, _) = accept(&world, Server::new(), Some(OFFER));
    world.spawn("driver", driver);
    // A block of the type that there is not.
    peer.send(TEXT_DEFLATED, [0x07]);
    world.block_on(async move { assert!(socket.recv().await.is_err()) });
    let frames = peer.frames();
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].0, &frames[0].1[..2]), (CLOSE, &1007_u16.to_be_bytes()[..]));
}

/// The most that one poll may bring: its share of work, one step more, and the message that was under way before.
const MOST_PER_POLL: usize = (256 + 44 + 64) << 10;

#[test]
fn a_poll_ends_when_much_has_been_inflated() {
    const MESSAGES: usize = 200;
    let message = vec![0; 64 << 10];
    for (role, beside) in [Role::Server, Role::Client].into_iter().flat_map(|role| [(role, true), (role, false)]) {
        let world = World::new(1);
        let (mut socket, driver, peer) = match role {
            Role::Server => {
                let (socket, driver, peer, _) = accept(&world, Server::new().inbound_queue(1_000_000), Some(OFFER));
                (socket, driver, peer)
            }
            Role::Client => {
                let answer = Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover");
                let (opened, peer, _) = connect(&world, client().inbound_queue(1_000_000), answer);
                let (socket, driver) = opened.unwrap();
                (socket, driver, peer)
            }
        };
        peer.to.push(&peer.frame(BINARY_DEFLATED, deflated(&message)).repeat(MESSAGES));
        let received = Log::new();
        let receive = |received: Log<usize>| async move {
            while let Some(message) = socket.recv().await? {
                received.push(message.len());
            }
            Ok(())
        };
        let (mut driving, mut receiving) = match beside {
            true => (driver.run(receive(received.clone())).map(drop).boxed_local(), None),
            false => (driver.boxed_local(), Some(receive(received.clone()).map(|_: HandlerResult| ()).boxed_local())),
        };
        let mut polls = 0;
        let (mut all, mut most) = (0, 0);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        while all < MESSAGES * message.len() {
            assert!(driving.as_mut().poll(&mut cx).is_pending());
            receiving.iter_mut().for_each(|receiving| assert!(receiving.as_mut().poll(&mut cx).is_pending()));
            polls += 1;
            let inflated = received.take().iter().sum::<usize>();
            (all, most) = (all + inflated, most.max(inflated));
            assert!(polls < 1000, "{role:?}, {beside}: it does not end");
        }
        assert!(most <= MOST_PER_POLL, "{role:?}, {beside}: {most} bytes in one poll");
    }
}
