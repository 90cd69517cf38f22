//! The ways in which a stream ends, by either end, and the outcomes that follow.

use std::time::Instant;

use h2::Reason;
use ws_test_support::frames::{CLOSE, TEXT, close, close_body, text};
use ws_tokio::CloseCode;
use ws_tokio::http::HeaderMap;

use super::raw::End;
use super::*;

/// Chromium: its Close comes with END_STREAM, and it waits for ours.
#[tokio::test]
async fn a_close_with_end_stream_is_answered_before_our_end() {
    let (running, mut ends) = reporting(server()).await;
    let mut peer = Peer::connect(running.address).await;
    let mut stream = peer.open().await;
    stream.echo("a").await;
    stream.send_close(1000, true);
    assert_eq!(stream.frame().await, close(1000, ""));
    assert_eq!(stream.end().await, End::Stream);
    let ended = next(&mut ends).await;
    assert!(ended.outcome.is_normal() && ended.messages == ["a"], "{ended:?}");
    running.stop().await;
}

/// Firefox: it never ends its half. Ours ends, and then the stream is reset.
#[tokio::test]
async fn a_peer_that_never_ends_its_half_is_reset_with_no_error() {
    let (running, mut ends) = reporting(server().configure(|config| config.deadlines.stream_end = SHORT)).await;
    let mut peer = Peer::connect(running.address).await;
    let mut stream = peer.open().await;
    stream.send_close(1000, false);
    let data = stream.data().await.unwrap();
    assert_eq!(&data[..], b"\x88\x02\x03\xE8");
    assert!(!stream.receive.is_end_stream(), "never in one frame: to Firefox such a Close is not clean");
    let started = Instant::now();
    assert_eq!(stream.end().await, End::Stream);
    assert_eq!(stream.reset().await, Reason::NO_ERROR);
    assert!(started.elapsed() >= SHORT / 2, "the peer has a moment to end its half");
    assert!(next(&mut ends).await.outcome.is_normal());
    peer.open().await.echo("the connection continues").await;
    running.stop().await;
}

#[tokio::test]
async fn when_we_close_first_both_kinds_of_peers_end_clean() {
    for end in [true, false] {
        let (running, mut ends) = {
            let (told, ends) = unbounded_channel();
            let handler = move |ws: WebSocket| {
                let told = told.clone();
                async move {
                    let outcome = ws.close(CloseCode::NORMAL, "done").await?;
                    told.send(Ended { messages: vec![], outcome, io: None }).unwrap();
                    HandlerResult::Ok(())
                }
            };
            (start(server().configure(|config| config.deadlines.stream_end = SHORT), handler).await, ends)
        };
        let mut peer = Peer::connect(running.address).await;
        let mut stream = peer.open().await;
        assert_eq!(stream.frame().await, close(1000, "done"));
        assert!(!stream.receive.is_end_stream());
        stream.send_close(1000, end);
        assert_eq!(stream.end().await, End::Stream);
        assert!(next(&mut ends).await.outcome.is_normal());
        if !end {
            assert_eq!(stream.reset().await, Reason::NO_ERROR);
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn end_stream_and_trailers_without_a_close_are_a_loss() {
    for trailers in [false, true] {
        let (running, mut ends) = reporting(server()).await;
        let mut peer = Peer::connect(running.address).await;
        let mut stream = peer.open().await;
        stream.send_frame(TEXT, "last", false);
        match trailers {
            false => stream.send.send_data(Default::default(), true).unwrap(),
            true => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-a", "1".parse().unwrap());
                stream.send.send_trailers(trailers).unwrap();
            }
        }
        assert_eq!(stream.frame().await, text("last"));
        assert_eq!(stream.end().await, End::Stream);
        let ended = next(&mut ends).await;
        ended.assert_lost(Cause::Eof);
        assert_eq!(ended.messages, ["last"]);
        running.stop().await;
    }
}

/// Every code of RFC 9113 §7, and one that does not exist.
#[tokio::test]
async fn a_reset_is_a_loss_that_names_its_code() {
    let (running, mut ends) = reporting(server()).await;
    let mut peer = Peer::connect(running.address).await;
    for code in (0..=0xD).chain([0x1234]) {
        let mut stream = peer.open().await;
        stream.echo("a").await;
        let reason = Reason::from(code);
        stream.send.send_reset(reason);
        let ended = next(&mut ends).await;
        ended.assert_lost(Cause::TransportFailed);
        let io = ended.io.unwrap();
        assert!(io.contains(&format!("{reason:?}")) && io.contains("reset"), "{code}: {io}");
    }
    peer.open().await.echo("the connection continues").await;
    running.stop().await;
}

/// Chromium answers a Close with END_STREAM by RST CANCEL; others leave so. What came before counts.
#[tokio::test]
async fn a_reset_right_behind_a_close_does_not_undo_it() {
    let (running, mut ends) = reporting(server()).await;
    let mut peer = Peer::connect(running.address).await;
    for end in [false, true] {
        let mut stream = peer.open().await;
        stream.echo("a").await;
        stream.send_close(1000, end);
        assert_eq!(stream.frame().await, close(1000, ""));
        stream.send.send_reset(Reason::CANCEL);
        assert!(next(&mut ends).await.outcome.is_normal());
    }
    running.stop().await;
}

#[tokio::test]
async fn an_error_close_reaches_the_peer() {
    let (running, mut ends) = reporting(server().max_message(1000)).await;
    let mut peer = Peer::connect(running.address).await;
    for (bytes, code) in [
        (ws_test_support::frames::frame(0x83, "", Some([0; 4])), 1002),
        (ws_test_support::frames::frame(TEXT, "unmasked", None), 1002),
        (ws_test_support::frames::frame(TEXT, b"\xFF", Some([0; 4])), 1007),
        (ws_test_support::frames::frame(TEXT, vec![b'a'; 100_000], Some([0; 4])), 1009),
        (ws_test_support::frames::frame(CLOSE, close_body(1005, ""), Some([0; 4])), 1002),
    ] {
        let mut stream = peer.open().await;
        // More follows, which nobody reads.
        stream.send.send_data([&bytes[..], &[0; 10_000]].concat().into(), false).unwrap();
        let frame = stream.frame().await;
        assert_eq!((frame.0, &frame.1[..2]), (CLOSE, &u16::to_be_bytes(code)[..]));
        assert_eq!(stream.end().await, End::Stream);
        stream.send.send_data(Default::default(), true).unwrap();
        let ended = next(&mut ends).await;
        assert!(matches!(ended.outcome.cause, Cause::Violation(_)), "{ended:?}");
    }
    peer.open().await.echo("the connection continues").await;
    running.stop().await;
}

#[tokio::test]
async fn the_end_of_the_connection_is_the_end_of_each_stream() {
    for goes_away in [false, true] {
        let (running, mut ends) = reporting(server()).await;
        let mut peer = Peer::connect(running.address).await;
        let (mut a, mut b) = (peer.open().await, peer.open().await);
        // In mid-message.
        a.send_frame(0x01, "begun", false);
        b.echo("b").await;
        // A client that drops its handles sends GOAWAY. One whose task is gone does not.
        if goes_away {
            drop((a, b));
            let Peer { requests, task, .. } = peer;
            drop(requests);
            in_time(task).await.unwrap().unwrap();
        } else {
            peer.task.abort();
        }
        for _ in 0..2 {
            let ended = next(&mut ends).await;
            assert_eq!(u16::from(ended.outcome.code()), 1006, "{ended:?}");
            assert!(ended.io.is_some() || ended.outcome.cause == Cause::Eof, "{ended:?}");
        }
        running.stop().await;
    }
}

/// A frame of HTTP/2.
fn http2_frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// RFC 9113 §6.8: streams that are open continue after GOAWAY.
#[tokio::test]
async fn goaway_in_mid_message_does_not_end_the_stream() {
    let (running, mut ends) = reporting(server()).await;
    let mut raw = running.raw().await;
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "a"),
        ("sec-websocket-version", "13"),
    ];
    // Literal fields, which are not indexed (RFC 7541 §6.2.2).
    let literal = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let block: Vec<u8> =
        fields.iter().flat_map(|(name, value)| [&[0][..], &literal(name), &literal(value)].concat()).collect();
    raw.write([PREFACE, &http2_frame(1, 4, 1, &block)].concat()).await;
    let message = ws_test_support::frames::frame(TEXT, "two parts", Some([0; 4]));
    raw.write(http2_frame(0, 0, 1, &message[..8])).await;
    let goaway = [&i32::MAX.to_be_bytes()[..], &[0; 4]].concat();
    raw.write(http2_frame(7, 0, 0, &goaway)).await;
    raw.write(http2_frame(0, 0, 1, &message[8..])).await;
    let last = ws_test_support::frames::frame(CLOSE, close_body(1000, ""), Some([0; 4]));
    raw.write(http2_frame(0, 1, 1, &last)).await;
    let ended = next(&mut ends).await;
    assert_eq!(ended.messages, ["two parts"]);
    assert!(ended.outcome.is_normal(), "{ended:?}");
    let answer = raw.rest().await;
    let has = |bytes: &[u8]| answer.windows(bytes.len()).any(|part| part == bytes);
    assert!(has(b"\x81\x09two parts") && has(b"\x88\x02\x03\xE8"), "{answer:?}");
    assert!(has(&http2_frame(0, 1, 1, b"")), "END_STREAM in a frame of its own: {answer:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_violation_of_http_2_ends_all_streams_with_its_cause() {
    let (running, mut ends) = reporting(server()).await;
    let mut raw = running.raw().await;
    // A preface, SETTINGS, then a PING on a stream.
    raw.write([PREFACE, &http2_frame(6, 0, 1, b"abcdefgh")].concat()).await;
    let answer = raw.rest().await;
    let goaway = answer.windows(9).any(|frame| frame[3] == 7 && frame[..3] == [0, 0, 8]);
    assert!(goaway, "{answer:?}");
    assert!(ends.try_recv().is_err());
    running.stop().await;
}

#[tokio::test]
async fn a_handler_that_fails_closes_with_1011_and_others_continue() {
    let running = start(server(), |ws: WebSocket| async move {
        match ws.request().uri().path() {
            "/fails" => Err("as it should".into()),
            "/panics" => panic!("as it should"),
            _ => echo(ws).await,
        }
    })
    .await;
    let mut peer = Peer::connect(running.address).await;
    let mut other = peer.open().await;
    for path in ["/fails", "/panics"] {
        let request = peer.connect_request(path, &[]);
        let (response, _send) = peer.send(request, false).await;
        let mut receive = in_time(response).await.unwrap().into_body();
        let data = in_time(receive.data()).await.unwrap().unwrap();
        assert_eq!(&data[2..4], 1011_u16.to_be_bytes());
    }
    other.echo("still there").await;
    running.stop().await;
}

#[tokio::test]
async fn keepalive_pings_each_stream_and_ends_one_that_is_silent() {
    let server = server().ping_interval(SHORT).pong_timeout(SHORT * 3);
    let (running, mut ends) = reporting(server).await;
    let mut peer = Peer::connect(running.address).await;
    let mut silent = peer.open().await;
    assert_eq!(silent.frame().await.0, 0x89);
    let frame = loop {
        let frame = silent.frame().await;
        if frame.0 != 0x89 {
            break frame;
        }
    };
    assert_eq!((frame.0, &frame.1[..2]), (CLOSE, &1011_u16.to_be_bytes()[..]));
    next(&mut ends).await.assert_lost(Cause::KeepaliveTimeout);
    running.stop().await;
}
