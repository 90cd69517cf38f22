//! RFC 6455 §5.5.1 and §7: the closing handshake and close codes. (Who lets go of the transport when is in
//! `transport`.)

mod common;

use common::*;
use ws_proto::{Cause, CloseCode, CloseError, CloseFrame, Config, Outcome, Role, Transport, Violation};

fn outcome(sent: Option<(u16, &str)>, received: Option<(u16, &str)>, cause: Cause) -> Seen {
    let frame = |(code, reason)| close_frame(code, reason);
    Seen::Closed(Outcome { sent: sent.map(frame), received: received.map(frame), cause })
}

// ---- the peer closes ----

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
fn f16_a_close_with_one_byte_fails_the_connection() {
    for byte in [0x00, 0x03, 0xFF] {
        each_role(
            |role| all_to(role, &[(TEXT, b"before"), (CLOSE, &[byte])]),
            |end| {
                assert_eq!(end.before_closed(), [text("before")]);
                end.assert_violated(1002, Violation::TruncatedCloseCode);
            },
        );
    }
}

#[test]
fn f17_codes_that_must_not_travel_fail_the_connection() {
    let edges = [0, 1, 500, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 10_000, 65_535];
    for code in edges {
        for reason in ["", "reason"] {
            each_role(
                |role| all_to(role, &[(TEXT, b"before"), (CLOSE, &close_body(code, reason))]),
                |end| {
                    assert_eq!(end.before_closed(), [text("before")]);
                    end.assert_violated(1002, Violation::InvalidCloseCode(code));
                },
            );
        }
    }
}

#[test]
fn f18_codes_that_may_travel_are_echoed() {
    let edges = (1000..=1003).chain(1007..=1014).chain([3000, 3001, 3999, 4000, 4001, 4999]);
    for code in edges {
        for reason in ["", "a reason, κόσμε"] {
            each_role(
                |role| to(role, CLOSE, close_body(code, reason)),
                |end| {
                    assert_eq!(end.seen, [outcome(Some((code, "")), Some((code, reason)), Cause::Peer)]);
                    assert_eq!(end.written, from(end.role(), CLOSE, code.to_be_bytes()));
                    let outcome = end.outcome().unwrap();
                    assert_eq!((u16::from(outcome.code()), outcome.reason()), (code, reason));
                    assert!(outcome.is_clean());
                    assert_eq!(outcome.is_normal(), matches!(code, 1000 | 1001));
                },
            );
        }
    }
}

#[test]
fn f17_f18_every_code_there_is() {
    for role in ROLES {
        for code in 0..=u16::MAX {
            let may_travel = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            let mut end = End::new(role, &Config::default());
            end.read_frame(CLOSE, code.to_be_bytes());
            let sent = end.payloads(CLOSE).concat();
            assert_eq!(sent[..2], if may_travel { code } else { 1002 }.to_be_bytes(), "{code}");
        }
    }
}

#[test]
fn f19_a_reason_that_is_not_utf8_fails_the_connection() {
    for reason in [&b"\xFF"[..], b"ok\xC3", b"\xED\xA0\x80", b"\xC0\xAF", b"\xF4\x90\x80\x80"] {
        each_role(
            |role| all_to(role, &[(TEXT, b"before"), (CLOSE, &close_body(1000, reason))]),
            |end| {
                assert_eq!(end.before_closed(), [text("before")]);
                end.assert_violated(1007, Violation::InvalidCloseReason);
            },
        );
    }
}

#[test]
fn a_code_that_must_not_travel_counts_before_its_reason() {
    each_role(
        |role| to(role, CLOSE, close_body(1005, b"\xFF")),
        |end| end.assert_violated(1002, Violation::InvalidCloseCode(1005)),
    );
}

#[test]
fn f20_whatever_follows_a_close_is_discarded() {
    let follow: [fn(Role) -> Vec<u8>; 8] = [
        |role| to(role, TEXT, "late"),
        |role| to(role, PING, "late"),
        |role| to(role, CLOSE, close_body(1002, "a second one")),
        |role| to(role, CLOSE, "\x03"),
        |role| to(role, 0x83, "reserved"),
        |role| header_to(role, BINARY, (1 << 63) - 1),
        |role| to(role, TEXT, b"\xFF"),
        |_| vec![0xFF; 5000],
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

// ---- we close ----

#[test]
fn our_close_is_sent_and_the_answer_ends_it() {
    for role in ROLES {
        for (code, reason, body) in
            [(1000, "done", close_body(1000, "done")), (4999, "", close_body(4999, "")), (1005, "", vec![])]
        {
            let mut end = End::new(role, &Config::default());
            end.close(code, reason);
            assert_eq!(end.written, from(role, CLOSE, body));
            assert_eq!(end.seen, []);
            assert!(!end.connection.is_open());
            assert_eq!(end.transport(), Transport::Open);

            end.read_frame(CLOSE, close_body(1000, "fine"));
            assert_eq!(end.seen, [outcome(Some((code, reason)), Some((1000, "fine")), Cause::Local)]);
            assert_eq!(end.payloads(CLOSE).len(), 1, "one Close, no more");
        }
    }
}

#[test]
fn messages_still_come_in_after_our_close_until_the_peers() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.read_frame(TEXT_BEGINS, "un");
        end.close(1000, "");
        end.read_frame(LAST, "finished");
        end.read_frame(BINARY, "b");
        end.read_frame(PONG, "p");
        end.read(all_to(role, &[(TEXT, b"t"), (CLOSE, b"\x03\xE8"), (TEXT, b"discarded")]));
        let end_of_it = outcome(Some((1000, "")), Some((1000, "")), Cause::Local);
        assert_eq!(end.seen, [text("unfinished"), binary("b"), pong("p"), text("t"), end_of_it]);
        assert_eq!(end.written, from(role, CLOSE, b"\x03\xE8"));
    }
}

#[test]
fn between_two_events_of_one_read_the_application_may_close_or_abort() {
    for role in ROLES {
        let input = all_to(role, &[(TEXT, b"1"), (TEXT, b"2"), (PING, b"p"), (CLOSE, b"\x03\xE9"), (TEXT, b"3")]);
        for abort in [false, true] {
            let mut end = End::new(role, &Config::default());
            let mut buffer = input.clone();
            let mut rest = buffer.as_mut_slice();
            let first = end.connection.receive(&mut rest, end.now).map(Seen::from);
            assert_eq!(first, Some(text("1")));
            if abort {
                end.abort();
            } else {
                end.close(1000, "");
            }
            end.read(&*rest);
            let seen = match abort {
                true => vec![outcome(None, None, Cause::Aborted)],
                false => vec![text("2"), ping("p"), outcome(Some((1000, "")), Some((1001, "")), Cause::Local)],
            };
            assert_eq!(end.seen, seen);
        }
    }
}

#[test]
fn closes_that_cross_on_the_wire_are_a_clean_end() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.writable = false;
        end.close(1000, "ours");
        end.read_frame(CLOSE, close_body(1001, "theirs"));
        end.take(usize::MAX);
        assert_eq!(end.seen, [outcome(Some((1000, "ours")), Some((1001, "theirs")), Cause::Local)]);
        assert_eq!(end.written, from(role, CLOSE, close_body(1000, "ours")));
    }
}

#[test]
fn a_fault_after_our_close_ends_it_without_a_second_close() {
    for role in ROLES {
        let faults: [(Vec<u8>, Violation); 4] = [
            (to(role, CLOSE, "\x03"), Violation::TruncatedCloseCode),
            (to(role, CLOSE, close_body(1006, "")), Violation::InvalidCloseCode(1006)),
            (to(role, TEXT, b"\xFF"), Violation::InvalidUtf8),
            (header_to(role, BINARY, 1 << 21), Violation::FrameTooBig { limit: 1 << 20 }),
        ];
        for (fault, violation) in faults {
            for (_, pieces) in ways(&fault) {
                let mut end = End::new(role, &Config::default());
                end.close(1000, "");
                pieces.iter().for_each(|piece| end.read(piece));
                assert_eq!(end.seen, [outcome(Some((1000, "")), None, Cause::Violation(violation))]);
                assert_eq!(end.written, from(role, CLOSE, close_body(1000, "")));
                assert_eq!(end.transport(), Transport::HalfClose);
            }
        }
    }
}

#[test]
fn closing_again_does_nothing() {
    for role in ROLES {
        // After our own Close, after the peer's, after a fault, after the end.
        let closing: [fn(&mut End); 4] = [
            |end| end.close(1000, ""),
            |end| end.read_frame(CLOSE, close_body(1000, "")),
            |end| end.read_frame(0x83, ""),
            |end| end.eof(),
        ];
        for begin in closing {
            let mut end = End::new(role, &Config::default());
            begin(&mut end);
            let (seen, written, deadline) = (end.seen.clone(), end.written.clone(), end.deadline());
            end.wait(TICK);
            end.close(4000, "again");
            assert_eq!(end.deadline(), deadline, "{role:?}");
            assert_eq!((end.seen, end.written), (seen, written), "{role:?}");
        }
    }
}

#[test]
fn codes_that_must_not_travel_are_refused_and_nothing_happens() {
    for role in ROLES {
        for code in [0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65_535] {
            let mut end = End::new(role, &Config::default());
            let refused = end.connection.close(close_frame(code, "reason"), end.now);
            assert_eq!(refused, Err(CloseError(code.into())));
            end.settle();
            end.assert_open();
            assert_eq!(end.written, []);
            end.close(1000, "");
            assert_eq!(end.payloads(CLOSE), [b"\x03\xE8"]);
        }
    }
}

#[test]
fn a_reason_is_cut_to_123_bytes_at_a_character() {
    let x = "x".repeat(122);
    for (reason, expected) in [
        ("x".repeat(123), "x".repeat(123)),
        ("x".repeat(124), "x".repeat(123)),
        ("x".repeat(100_000), "x".repeat(123)),
        (format!("{x}é"), x.clone()),
        (format!("{x}😀"), x.clone()),
        (format!("x{}", "é".repeat(61)), format!("x{}", "é".repeat(61))),
        ("€".repeat(42), "€".repeat(41)),
    ] {
        for role in ROLES {
            for frame in [
                CloseFrame { code: CloseCode::NORMAL, reason: reason.as_str().into() },
                CloseFrame::new(CloseCode::NORMAL, reason.as_str()),
            ] {
                let mut end = End::new(role, &Config::default());
                end.connection.close(frame, end.now).unwrap();
                end.settle();
                assert_eq!(end.written, from(role, CLOSE, close_body(1000, &expected)));
                end.read_frame(CLOSE, close_body(1000, ""));
                assert_eq!(end.seen, [outcome(Some((1000, &expected)), Some((1000, "")), Cause::Local)]);
            }
        }
    }
}

#[test]
fn the_outcome_says_what_was_really_sent() {
    for role in ROLES {
        // There is no reason without a code on the wire (RFC 6455 §5.5.1).
        let mut end = End::new(role, &Config::default());
        end.close(1005, "a reason that has no place");
        assert_eq!(end.written, from(role, CLOSE, ""));
        end.read_frame(CLOSE, "");
        assert_eq!(end.seen, [outcome(Some((1005, "")), Some((1005, "")), Cause::Local)]);
    }
}

#[test]
fn our_fault_frames_fit_a_control_frame() {
    let longest = [
        Violation::FrameTooBig { limit: usize::MAX },
        Violation::MessageTooBig { limit: usize::MAX },
        Violation::TooManyFragments { limit: u32::MAX },
        Violation::InvalidCloseCode(u16::MAX),
    ];
    for violation in longest {
        assert!(violation.to_string().len() <= CloseFrame::MAX_REASON, "{violation}");
    }
}

// ---- the transport ends without a Close ----

#[test]
fn f24_eof_without_a_close_means_1006() {
    each_role(
        |role| to(role, TEXT, "whole"),
        |end| {
            end.eof();
            assert_eq!(end.seen, [text("whole"), outcome(None, None, Cause::Eof)]);
            let outcome = end.outcome().unwrap();
            assert_eq!((outcome.code(), outcome.reason()), (CloseCode::ABNORMAL, ""));
            assert!(!outcome.is_clean());
            assert_eq!(end.written, []);
            end.assert_over();
        },
    );
}

#[test]
fn f24_eof_inside_a_frame_means_1006_and_drops_the_partial_message() {
    for role in ROLES {
        let partial = [
            to(role, TEXT, "partial"),
            to(role, BINARY, [7; 200]),
            to(role, PING, "partial"),
            to(role, CLOSE, close_body(1000, "partial")),
            all_to(role, &[(TEXT_BEGINS, b"a"), (PONG, b""), (LAST, b"b")]),
        ];
        for partial in partial {
            for config in [Config::default(), chunks()] {
                for len in 1..partial.len() {
                    let mut end = End::new(role, &config);
                    end.read_frame(TEXT, "whole");
                    end.read(&partial[..len]);
                    end.eof();
                    assert_eq!(end.seen.last(), Some(&outcome(None, None, Cause::Eof)), "{partial:02x?} cut to {len}");
                    let delivered = |event: &Seen| matches!(event, Seen::Text(_) | Seen::Binary(_) | Seen::Ping(_));
                    assert_eq!(
                        end.seen.iter().filter(|event| delivered(event)).count(),
                        match config.delivery {
                            ws_proto::Delivery::Messages => 1,
                            _ => 0,
                        }
                    );
                    end.assert_over();
                }
            }
        }
    }
}

#[test]
fn f24_eof_after_our_close_but_before_the_peers_means_1006() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.close(1000, "bye");
        end.read_frame(TEXT, "still");
        end.eof();
        assert_eq!(end.seen, [text("still"), outcome(Some((1000, "bye")), None, Cause::Eof)]);
        assert_eq!(end.outcome().map(|outcome| outcome.code()), Some(CloseCode::ABNORMAL));
        end.assert_over();
    }
}

#[test]
fn a_failed_transport_means_1006_with_complete_messages_delivered() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.read(all_to(role, &[(TEXT, b"whole"), (TEXT_BEGINS, b"part")]));
        end.fail();
        assert_eq!(end.seen, [text("whole"), outcome(None, None, Cause::TransportFailed)]);
        end.assert_over();
    }
}

#[test]
fn the_end_is_reported_once_whatever_comes_after() {
    for role in ROLES {
        let endings: [fn(&mut End); 6] = [
            |end| end.read_frame(CLOSE, close_body(1000, "")),
            |end| end.read_frame(0x8F, ""),
            |end| end.eof(),
            |end| end.fail(),
            |end| end.abort(),
            |end| {
                end.close(1000, "");
                end.wait(secs(10));
            },
        ];
        for ending in endings {
            for after in endings {
                let mut end = End::new(role, &Config::default());
                ending(&mut end);
                // `End` refuses any event after the first `Closed`.
                assert!(matches!(end.seen[..], [Seen::Closed(_)]));
                after(&mut end);
                end.read_frame(TEXT, "late");
                end.eof();
                end.wait(secs(100));
                assert!(matches!(end.seen[..], [Seen::Closed(_)]));
                end.assert_over();
            }
        }
    }
}

#[test]
fn an_aborted_connection_writes_nothing_more() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.writable = false;
        end.connection.send("queued".into()).unwrap();
        end.abort();
        end.writable = true;
        end.settle();
        assert_eq!(end.seen, [outcome(None, None, Cause::Aborted)]);
        assert_eq!(end.written, []);
        end.assert_over();
    }
}

// ---- an answer that is put off ----

fn putting_off(role: Role) -> End {
    let mut end = End::new(role, &Config::default());
    end.connection.set_putting_off(true);
    end
}

#[test]
fn the_answer_to_a_close_can_be_put_off_until_messages_are_answered() {
    for role in ROLES {
        let input = all_to(role, &[(TEXT, b"question"), (CLOSE, b"\x03\xE9why"), (TEXT, b"discarded")]);
        for (way, pieces) in ways(&input) {
            let mut end = putting_off(role);
            pieces.iter().for_each(|piece| end.read(piece));
            assert_eq!(end.seen, [text("question")], "{way}");
            assert!(end.connection.is_ending() && end.connection.is_open());
            assert_eq!((end.transport(), end.written.len()), (Transport::Open, 0));

            end.connection.send("answer".into()).unwrap();
            let event = end.connection.conclude(end.now).map(Seen::from);
            end.settle();
            assert_eq!(event, Some(outcome(Some((1001, "")), Some((1001, "why")), Cause::Peer)));
            assert_eq!(end.written, [from(role, TEXT, "answer"), from(role, CLOSE, b"\x03\xE9")].concat());
            assert_eq!(end.connection.conclude(end.now), None);
            assert!(!end.connection.is_ending());
        }
    }
}

#[test]
fn the_answer_to_a_fault_can_be_put_off_as_well() {
    for role in ROLES {
        let input = all_to(role, &[(TEXT, b"question"), (TEXT, b"\xFF"), (TEXT, b"discarded")]);
        for (way, pieces) in ways(&input) {
            let mut end = putting_off(role);
            pieces.iter().for_each(|piece| end.read(piece));
            assert_eq!(end.seen, [text("question")], "{way}");
            assert!(end.connection.is_ending());
            end.connection.send("answer".into()).unwrap();
            let event = end.connection.conclude(end.now).unwrap();
            end.seen.push(event.into());
            end.settle();
            assert!(end.written.starts_with(&from(role, TEXT, "answer")));
            end.assert_violated(1007, Violation::InvalidUtf8);
        }
    }
}

#[test]
fn an_answer_is_put_off_for_a_second_at_most() {
    for role in ROLES {
        let mut end = putting_off(role);
        end.wait_until(at(5));
        end.read_frame(CLOSE, close_body(1000, ""));
        assert_eq!(end.deadline(), Some(at(6)));
        end.wait_until(just_before(6));
        assert_eq!(end.seen, []);
        end.wait_until(at(6));
        assert_eq!(end.seen, [outcome(Some((1000, "")), Some((1000, "")), Cause::Peer)]);
        assert_eq!(end.written, from(role, CLOSE, close_body(1000, "")));
    }
}

#[test]
fn an_answer_is_not_put_off_after_our_own_close() {
    for role in ROLES {
        let mut end = putting_off(role);
        end.close(1000, "");
        end.read_frame(CLOSE, close_body(1001, ""));
        assert_eq!(end.seen, [outcome(Some((1000, "")), Some((1001, "")), Cause::Local)]);
    }
}

#[test]
fn a_transport_that_ends_while_an_answer_is_put_off_changes_nothing_of_the_cause() {
    for role in ROLES {
        // The peer's read side may still be there.
        let mut end = putting_off(role);
        end.read_frame(CLOSE, close_body(1000, ""));
        end.eof();
        assert_eq!((end.transport(), &end.seen[..]), (Transport::Open, &[][..]));
        end.wait(secs(1));
        assert_eq!(end.seen, [outcome(Some((1000, "")), Some((1000, "")), Cause::Peer)]);
        assert_eq!(end.written, from(role, CLOSE, close_body(1000, "")));
        end.assert_over();

        let enders: [fn(&mut End); 2] = [|end| end.fail(), |end| end.abort()];
        for gone in enders {
            let mut end = putting_off(role);
            end.read_frame(CLOSE, close_body(1000, "bye"));
            gone(&mut end);
            assert_eq!(end.seen, [outcome(None, Some((1000, "bye")), Cause::Peer)]);
            assert_eq!(end.connection.conclude(end.now), None);
            end.assert_over();
        }
    }
}

#[test]
fn an_end_is_clean_with_both_closes_and_without_a_fault_and_normal_when_both_codes_are() {
    let normal = || Some(close_frame(1000, ""));
    let other = || Some(close_frame(1011, ""));
    let end = |sent, received, cause| Outcome { sent, received, cause };
    for (outcome, is_clean, is_normal) in [
        (end(normal(), normal(), Cause::Local), true, true),
        (end(normal(), normal(), Cause::Peer), true, true),
        (end(Some(CloseFrame::EMPTY), Some(close_frame(1001, "")), Cause::Peer), true, true),
        (end(normal(), other(), Cause::Peer), true, false),
        (end(other(), normal(), Cause::Local), true, false),
        (end(other(), other(), Cause::Local), true, false),
        (end(normal(), None, Cause::Local), false, false),
        (end(None, normal(), Cause::Peer), false, false),
        (end(None, None, Cause::Local), false, false),
        (end(normal(), normal(), Cause::CloseTimeout), false, false),
        (end(normal(), normal(), Cause::Violation(Violation::Masked)), false, false),
    ] {
        assert_eq!((outcome.is_clean(), outcome.is_normal()), (is_clean, is_normal), "{outcome}");
    }
}
