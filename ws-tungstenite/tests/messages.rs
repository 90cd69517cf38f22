//! Messages in and out, both roles, however the bytes are cut.

use ws_tungstenite::protocol::frame::Frame as Raw;
use ws_tungstenite::protocol::frame::coding::{Data, OpCode};
use ws_tungstenite::protocol::{Role, WebSocketConfig};
use ws_tungstenite::{Bytes, Message, WebSocket};

use crate::common::*;

fn conversation(role: Role) -> (Vec<u8>, Vec<Message>) {
    let long = letters(70_000);
    let input = [
        to(role, TEXT, "Hello"),
        to(role, PING, [1, 2]),
        to(role, BINARY, ""),
        to(role, TEXT_BEGINS, "frag\u{e9}".as_bytes().split_at(5).0),
        to(role, PONG, "unasked"),
        to(role, CONTINUES, ""),
        to(role, LAST, "frag\u{e9}".as_bytes().split_at(5).1),
        to(role, BINARY, &long),
        to(role, BINARY, letters(126)),
        to(role, CLOSE, close_body(1001, "bye")),
    ]
    .concat();
    let messages = vec![
        Message::text("Hello"),
        Message::Ping(vec![1, 2].into()),
        Message::binary(""),
        Message::Pong("unasked".into()),
        Message::text("frag\u{e9}"),
        Message::binary(long),
        Message::binary(letters(126)),
        Message::Close(Some(ws_tungstenite::protocol::CloseFrame { code: 1001.into(), reason: "bye".into() })),
    ];
    (input, messages)
}

#[test]
fn messages_are_the_same_however_they_arrive() {
    for role in ROLES {
        let (input, expected) = conversation(role);
        for step in [1, 2, 3, 7, 126, 4096, 65_537, input.len()] {
            let script = Script::new(input.chunks(step).map(<[u8]>::to_vec));
            let mut ws = WebSocket::from_raw_socket(script, role, None);
            let mut messages = vec![];
            while messages.len() < expected.len() {
                messages.push(ws.read().unwrap());
            }
            assert!(messages == expected, "{role:?} in steps of {step}");
        }
    }
}

#[test]
fn small_read_buffers_make_no_difference() {
    for role in ROLES {
        let (input, expected) = conversation(role);
        for size in [0, 1, 100, 5000] {
            let config = WebSocketConfig::default().read_buffer_size(size);
            let mut ws = WebSocket::from_raw_socket(Script::new([input.clone()]), role, Some(config));
            let messages: Vec<_> = expected.iter().map(|_| ws.read().unwrap()).collect();
            assert!(messages == expected, "{role:?}, {size}");
        }
    }
}

#[test]
fn bytes_read_before_come_first() {
    for role in ROLES {
        let (input, expected) = conversation(role);
        for cut in [0, 1, 8, 9, 100, input.len()] {
            let (part, rest) = input.split_at(cut);
            let reads = (!rest.is_empty()).then(|| rest.to_vec());
            let mut ws = WebSocket::from_partially_read(Script::new(reads), part.to_vec(), role, None);
            let messages: Vec<_> = expected.iter().map(|_| ws.read().unwrap()).collect();
            assert!(messages == expected, "{role:?}, {cut} bytes");
        }
    }
}

#[test]
fn two_connections_on_a_thread_keep_their_input_apart() {
    let reads = |n: u8| Script::new([(0..50).flat_map(|m| to(Role::Client, BINARY, [n, m])).collect::<Vec<_>>()]);
    let mut ends = [1, 2, 3].map(|n| WebSocket::from_raw_socket(reads(n), Role::Client, None));
    for m in 0..50 {
        for (n, ws) in ends.iter_mut().enumerate() {
            assert_eq!(ws.read().unwrap(), Message::binary(vec![n as u8 + 1, m]));
        }
    }
}

#[test]
fn messages_are_written_as_frames() {
    for role in ROLES {
        let mut ws = receiving(role, &[]);
        let long = Bytes::from(letters(70_000));
        for message in [
            Message::text("Hello"),
            Message::binary(vec![1, 2, 3]),
            Message::Ping("ping".into()),
            Message::Pong("pong".into()),
            Message::Frame(Raw::message("be", OpCode::Data(Data::Text), false)),
            Message::Frame(Raw::message("gun", OpCode::Data(Data::Continue), true)),
            Message::Binary(long.clone()),
        ] {
            ws.send(message).unwrap();
        }
        let frames = [
            Frame(TEXT, b"Hello".to_vec()),
            Frame(BINARY, vec![1, 2, 3]),
            Frame(PING, b"ping".to_vec()),
            Frame(PONG, b"pong".to_vec()),
            Frame(TEXT_BEGINS, b"be".to_vec()),
            Frame(LAST, b"gun".to_vec()),
            Frame(BINARY, long.to_vec()),
        ];
        assert_eq!(ws.get_ref().frames(role), frames);
    }
}

#[test]
fn clients_mask_with_a_key_for_each_frame() {
    let mut ws = receiving(Role::Client, &[]);
    for _ in 0..20 {
        ws.send(Message::text("same")).unwrap();
    }
    let frames: std::collections::BTreeSet<_> = ws.get_ref().written.chunks(10).collect();
    assert_eq!(frames.len(), 20);
}

#[test]
fn unmasked_frames_are_accepted_where_that_is_set() {
    let config = WebSocketConfig::default().accept_unmasked_frames(true);
    let script = Script::new([[frame(TEXT, "bare", None), frame(TEXT, "masked", Some(KEY))].concat()]);
    let mut ws = WebSocket::from_raw_socket(script, Role::Server, Some(config));
    assert_eq!(read_all(&mut ws), [Message::text("bare"), Message::text("masked")]);
}
