//! RFC 6455 §5.1 and §5.3: who masks, and with which key.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::common::*;
use ws_proto::{Config, Connection, Message, Role, Timestamp, Violation};

const OPCODES: [u8; 6] = [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS, PING, PONG];

#[test]
fn f1_an_unmasked_client_frame_fails_the_connection() {
    for first in OPCODES.into_iter().chain([CLOSE]) {
        for len in [0, 1, 125] {
            let bad = frame(first, vec![b'x'; len], None);
            assert_eq!(bytes_until_closed(Role::Server, &Config::default(), &bad), Some(2), "{bad:02x?}");
            let input = [to(Role::Server, BINARY, "before"), bad].concat();
            each_way(Role::Server, &Config::default(), &input, |end| {
                assert_eq!(end.before_closed(), [binary("before")]);
                end.assert_violated(1002, Violation::Unmasked);
            });
        }
    }
}

#[test]
fn f1_a_masked_server_frame_fails_the_connection() {
    for first in OPCODES.into_iter().chain([CLOSE]) {
        for (len, key) in [(0, KEY), (1, KEY), (125, KEY), (5, [0; 4])] {
            let bad = frame(first, vec![b'x'; len], Some(key));
            assert_eq!(bytes_until_closed(Role::Client, &Config::default(), &bad), Some(2), "{bad:02x?}");
            let input = [to(Role::Client, BINARY, "before"), bad].concat();
            each_way(Role::Client, &Config::default(), &input, |end| {
                assert_eq!(end.before_closed(), [binary("before")]);
                end.assert_violated(1002, Violation::Masked);
            });
        }
    }
}

#[test]
fn f1_a_later_fragment_must_be_masked_too() {
    let input = [frame(TEXT_BEGINS, b"a", Some(KEY)), frame(LAST, b"b", None)].concat();
    each_way(Role::Server, &Config::default(), &input, |end| {
        assert_eq!(end.before_closed(), []);
        end.assert_violated(1002, Violation::Unmasked);
    });
}

#[test]
fn payloads_of_every_length_are_unmasked_wherever_they_are_cut() {
    for key in [KEY, [0; 4], [0xFF; 4], [1, 0, 0, 0], [0, 0, 0, 0x80]] {
        for len in 0..=40 {
            let payload: Vec<u8> = (0..len).map(|i| (i * 11) as u8).collect();
            each_way(Role::Server, &Config::default(), &frame(BINARY, &payload, Some(key)), |end| {
                assert_eq!(end.seen, [binary(&payload)]);
            });
        }
    }
}

#[test]
fn a_payload_cut_into_many_pieces_is_unmasked_across_all_of_them() {
    let payload: Vec<u8> = (0..1000u32).map(|i| (i * 7) as u8).collect();
    let bytes = frame(BINARY, &payload, Some(KEY));
    for size in [1, 2, 3, 5, 7, 16, 17, 100, 999] {
        let mut end = End::new(Role::Server, &Config::default());
        bytes.chunks(size).for_each(|piece| end.read(piece));
        assert_eq!(end.seen, [binary(&payload)], "in pieces of {size}");
    }
}

#[test]
fn each_frame_has_its_own_key() {
    let input = [
        frame(TEXT_BEGINS, b"fragments ", Some([1, 2, 3, 4])),
        frame(PING, b"ping", Some([5, 6, 7, 8])),
        frame(CONTINUES, b"with different ", Some([9, 10, 11, 12])),
        frame(LAST, b"keys", Some([0; 4])),
        frame(CLOSE, close_body(1000, "bye"), Some([0xFF, 0, 0xFF, 0])),
    ]
    .concat();
    each_way(Role::Server, &Config::default(), &input, |end| {
        assert_eq!(end.before_closed(), [ping("ping"), text("fragments with different keys")]);
        assert_eq!(end.outcome().unwrap().reason(), "bye");
    });
}

#[test]
fn a_client_takes_a_fresh_key_for_each_frame_of_whatever_kind() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let keys = || (CALLS.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes();
    let mut end = End::new(Role::Client, &Config::default());
    end.connection = Connection::client(Config::default(), keys, Timestamp::ZERO);

    end.connection.send("text".into()).unwrap();
    end.connection.send_binary(b"").unwrap();
    end.connection.send_fragment(Message::from(&b"frag"[..]), false).unwrap();
    end.connection.send_fragment(Message::from(&b"ment"[..]), true).unwrap();
    end.connection.send(Message::from(vec![0; 100_000])).unwrap();
    end.connection.ping(end.now).unwrap();
    end.read_frame(PING, "ping");
    end.close(1000, "");

    let frames = end.frames();
    assert_eq!(
        frames.iter().map(|frame| frame.first).collect::<Vec<_>>(),
        [TEXT, BINARY, BINARY_BEGINS, LAST, BINARY, PING, PONG, CLOSE]
    );
    for (i, frame) in frames.iter().enumerate() {
        assert_eq!(frame.key, Some((i as u32 + 1).to_be_bytes()), "frame {i}");
    }
    assert_eq!(frames[0].payload, b"text");
    assert_eq!(frames[4].payload, vec![0; 100_000]);
    assert_eq!(CALLS.load(Ordering::Relaxed), 8, "no key is wasted");
}

#[test]
fn a_client_masks_what_it_sends_and_a_server_does_not() {
    for (role, bytes) in [
        (Role::Server, &b"\x81\x05Hello\x82\x00"[..]),
        (Role::Client, b"\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58\x82\x80\x37\xFA\x21\x3D"),
    ] {
        let mut end = End::new(role, &Config::default());
        end.connection.send("Hello".into()).unwrap();
        end.connection.send_binary(b"").unwrap();
        end.settle();
        assert_eq!(end.written, bytes);
    }
}

#[test]
fn masking_leaves_the_senders_payload_alone() {
    let payload = ws_proto::Bytes::from(vec![0x55; 10_000]);
    let mut end = End::new(Role::Client, &Config::default());
    end.connection.send(Message::Binary(payload.clone())).unwrap();
    end.settle();
    assert!(payload.iter().all(|&byte| byte == 0x55));
    assert_eq!(end.payloads(BINARY), [payload.to_vec()]);
}
