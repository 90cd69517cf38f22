//! The peer closes.

use ws_proto::{Cause, CloseCode, Role};

use super::outcome;
use crate::common::*;

#[test]
fn f15_an_empty_close_is_answered_with_an_empty_close_and_means_1005() {
    each_role(
        |role| all_to(role, &[(TEXT, b"before"), (CLOSE, b"")]),
        |end| {
            assert_eq!(end.seen, [text("before"), outcome(Some((1005, "")), Some((1005, "")), Cause::Peer)]);
            assert_eq!(end.written, from(end.role(), CLOSE, ""));
            let outcome = end.outcome().unwrap();
            assert_eq!((outcome.code(), outcome.reason()), (CloseCode::NO_STATUS, ""));
            assert!(outcome.is_clean() && outcome.is_normal());
        },
    );
}

#[test]
fn f20_whatever_follows_a_close_is_discarded() {
    let follow: [fn(Role) -> Vec<u8>; 9] = [
        |role| to(role, TEXT, "late"),
        |role| to(role, PING, "late"),
        |role| to(role, CLOSE, close_body(1002, "a second one")),
        |role| to(role, CLOSE, "\x03"),
        |role| to(role, 0x83, "reserved"),
        |role| header_to(role, BINARY, (1 << 63) - 1),
        |role| to(role, TEXT, b"\xFF"),
        |_| vec![0xFF; 5000],
        // Paho's DISCONNECT, without a frame.
        |_| vec![0xE0, 0],
    ];
    for follow in follow {
        each_role(
            |role| [to(role, TEXT, "t"), to(role, CLOSE, close_body(1000, "")), follow(role)].concat(),
            |end| {
                assert_eq!(end.seen, [text("t"), outcome(Some((1000, "")), Some((1000, "")), Cause::Peer)]);
                assert_eq!(end.written, from(end.role(), CLOSE, close_body(1000, "")));
            },
        );
    }
}

#[test]
fn messages_before_a_close_in_the_same_read_come_first() {
    each_role(
        |role| {
            all_to(role, &[(TEXT, b"1"), (BINARY_BEGINS, b"2"), (LAST, b"3"), (PING, b"4"), (CLOSE, b"\x03\xE9bye")])
        },
        |end| {
            let end_of_it = outcome(Some((1001, "")), Some((1001, "bye")), Cause::Peer);
            assert_eq!(end.seen, [text("1"), binary("23"), ping("4"), end_of_it]);
            let pong_and_close = [from(end.role(), PONG, "4"), from(end.role(), CLOSE, b"\x03\xE9")].concat();
            assert_eq!(end.written, pong_and_close);
        },
    );
}
