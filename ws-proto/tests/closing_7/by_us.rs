//! We close, alone or while the peer does.

use ws_proto::{Cause, Config, TransportState, Violation};

use super::outcome;
use crate::common::*;

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
            assert_eq!(end.transport(), TransportState::Open);

            end.read_frame(CLOSE, close_body(1000, "fine"));
            assert_eq!(end.seen, [outcome(Some((code, reason)), Some((1000, "fine")), Cause::Local)]);
            assert_eq!(end.payloads(CLOSE).len(), 1, "one Close, no more");
        }
    }
}

/// Eclipse Paho C answers each Close with 1001, and sends an MQTT packet without a frame behind it.
#[test]
fn bytes_behind_the_answer_to_our_close_do_not_make_the_end_unclean() {
    for role in ROLES {
        for in_one_read in [true, false] {
            let mut end = End::new(role, &Config::default());
            end.close(1000, "bye");
            let answer = to(role, CLOSE, close_body(1001, ""));
            if in_one_read {
                end.read([&answer[..], b"\xE0\0"].concat());
            } else {
                end.read(answer);
                end.read(b"\xE0\0");
            }
            assert_eq!(end.seen, [outcome(Some((1000, "bye")), Some((1001, "")), Cause::Local)]);
            assert_eq!(end.written, from(role, CLOSE, close_body(1000, "bye")), "one Close, no more");
            assert!(end.outcome().unwrap().is_clean());
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
        let faults: [(Vec<u8>, Violation); 2] = [
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
                assert_eq!(end.transport(), TransportState::HalfClosed);
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
