//! RFC 6455 §5.4: fragmentation.

use crate::common::*;
use ws_proto::{Config, TransportState, Violation};

#[test]
fn fragments_make_one_message() {
    for (fragments, message) in [
        (&[(TEXT_BEGINS, &b"Hel"[..]), (LAST, b"lo")][..], text("Hello")),
        (&[(TEXT_BEGINS, b"a"), (CONTINUES, b"b"), (CONTINUES, b"c"), (LAST, b"d")], text("abcd")),
        (&[(BINARY_BEGINS, b"\xFF"), (CONTINUES, b"\xFE"), (LAST, b"\xFD")], binary(b"\xFF\xFE\xFD")),
        // Empty fragments are fragments.
        (&[(TEXT_BEGINS, b""), (LAST, b"")], text("")),
        (&[(BINARY_BEGINS, b""), (LAST, b"")], binary("")),
        (&[(TEXT_BEGINS, b""), (CONTINUES, b""), (CONTINUES, b"x"), (CONTINUES, b""), (LAST, b"")], text("x")),
        (&[(BINARY_BEGINS, b"x"), (LAST, b"")], binary("x")),
        (&[(TEXT_BEGINS, b""), (LAST, b"x")], text("x")),
    ] {
        each_role(
            |role| all_to(role, fragments),
            |end| {
                assert_eq!(end.seen, std::slice::from_ref(&message));
                end.assert_open();
            },
        );
    }
}

#[test]
fn fragments_may_have_any_length() {
    for role in ROLES {
        let lens = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];
        let payload: Vec<u8> = (0..lens.iter().sum::<usize>()).map(|i| (i % 253) as u8).collect();
        let mut input = vec![];
        let mut rest = payload.as_slice();
        for (i, len) in lens.iter().enumerate() {
            let (fragment, after) = rest.split_at(*len);
            rest = after;
            input.extend(to(role, if i == 0 { BINARY_BEGINS } else { CONTINUES }, fragment));
        }
        input.extend(to(role, LAST, ""));
        each_way(role, &Config::default(), &input, |end| assert_eq!(end.seen, [binary(&payload)]));
    }
}

#[test]
fn control_frames_come_between_fragments_and_are_seen_at_once() {
    each_role(
        |role| {
            all_to(
                role,
                &[
                    (TEXT_BEGINS, b"one "),
                    (PING, b"p1"),
                    (CONTINUES, b"two "),
                    (PONG, b"p2"),
                    (PING, b""),
                    (LAST, b"three"),
                    (PING, b"p3"),
                ],
            )
        },
        |end| {
            assert_eq!(end.seen, [ping("p1"), pong("p2"), ping(""), text("one two three"), ping("p3")]);
            assert_eq!(end.payloads(PONG), [&b"p1"[..], b"", b"p3"]);
        },
    );
}

#[test]
fn a_close_between_fragments_closes_and_the_partial_message_is_gone() {
    each_role(
        |role| all_to(role, &[(TEXT, b"whole"), (TEXT_BEGINS, b"part"), (CLOSE, b"\x03\xE8"), (LAST, b"rest")]),
        |end| {
            assert_eq!(end.before_closed(), [text("whole")]);
            assert_eq!(end.outcome().map(|outcome| outcome.is_normal()), Some(true));
            assert_eq!(end.written, from(end.role(), CLOSE, b"\x03\xE8"));
        },
    );
}

#[test]
fn messages_follow_fragmented_messages() {
    each_role(
        |role| {
            all_to(
                role,
                &[(TEXT_BEGINS, b"a"), (LAST, b"b"), (BINARY, b"c"), (BINARY_BEGINS, b"d"), (LAST, b"e"), (TEXT, b"f")],
            )
        },
        |end| assert_eq!(end.seen, [text("ab"), binary("c"), binary("de"), text("f")]),
    );
}

#[test]
fn f5_a_continuation_without_a_message_fails_the_connection_on_its_first_byte() {
    for (before, seen) in [
        (&[][..], &[][..]),
        (&[(TEXT, &b"a"[..])], &[text("a")]),
        (&[(TEXT_BEGINS, b"a"), (LAST, b"b")], &[text("ab")]),
        (&[(PING, b"")], &[ping("")]),
    ] {
        for bad in [LAST, CONTINUES] {
            for role in ROLES {
                let input = [all_to(role, before), vec![bad]].concat();
                assert_eq!(bytes_until_closed(role, &Config::default(), &input), Some(input.len()));
            }
            each_role(
                |role| [all_to(role, before), to(role, bad, "x"), to(role, TEXT, "after")].concat(),
                |end| {
                    assert_eq!(end.before_closed(), seen);
                    end.assert_violated(1002, Violation::UnexpectedContinuation);
                },
            );
        }
    }
}

#[test]
fn f5_a_new_message_inside_a_fragmented_one_fails_the_connection_on_its_first_byte() {
    for begins in [TEXT_BEGINS, BINARY_BEGINS] {
        for bad in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
            for role in ROLES {
                let input = [all_to(role, &[(begins, b"a"), (CONTINUES, b"")]), vec![bad]].concat();
                assert_eq!(bytes_until_closed(role, &Config::default(), &input), Some(input.len()));
            }
            each_role(
                |role| all_to(role, &[(BINARY, b"before"), (begins, b"a"), (PING, b"p"), (bad, b"b"), (LAST, b"c")]),
                |end| {
                    assert_eq!(end.before_closed(), [binary("before"), ping("p")]);
                    end.assert_violated(1002, Violation::UnfinishedMessage);
                },
            );
        }
    }
}

#[test]
fn f5_holds_for_chunks_as_well() {
    for role in ROLES {
        each_way(role, &chunks(), &to(role, LAST, "x"), |end| {
            end.assert_violated(1002, Violation::UnexpectedContinuation);
        });
        each_way(role, &chunks(), &all_to(role, &[(TEXT_BEGINS, b""), (TEXT, b"x")]), |end| {
            assert_eq!(end.before_closed(), []);
            end.assert_violated(1002, Violation::UnfinishedMessage);
        });
    }
}

#[test]
fn f24_a_message_that_never_ends_is_never_delivered() {
    each_role(
        |role| all_to(role, &[(TEXT, b"whole"), (TEXT_BEGINS, b"part"), (CONTINUES, b"of it")]),
        |end| {
            end.eof();
            assert_eq!(end.before_closed(), [text("whole")]);
            assert_eq!(end.transport(), TransportState::Closed);
        },
    );
}
