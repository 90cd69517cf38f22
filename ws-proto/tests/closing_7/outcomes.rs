//! The outcome of a connection: the Close frames sent and received, whether the end was clean and whether it was normal.

use ws_proto::{Cause, CloseFrame, Config, Outcome, Violation};

use super::outcome;
use crate::common::*;

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
fn an_end_is_clean_with_the_peers_close_and_without_a_fault_and_normal_when_no_code_says_otherwise() {
    let normal = || Some(close_frame(1000, ""));
    let other = || Some(close_frame(1011, ""));
    let end = |sent, received, cause| Outcome::new(sent, received, cause);
    for (outcome, is_clean, is_normal) in [
        (end(normal(), normal(), Cause::Local), true, true),
        (end(normal(), normal(), Cause::Peer), true, true),
        (end(Some(CloseFrame::EMPTY), Some(close_frame(1001, "")), Cause::Peer), true, true),
        (end(normal(), other(), Cause::Peer), true, false),
        (end(other(), normal(), Cause::Local), true, false),
        (end(other(), other(), Cause::Local), true, false),
        (end(normal(), None, Cause::Local), false, false),
        (end(None, normal(), Cause::Peer), true, true),
        (end(None, normal(), Cause::Local), true, true),
        (end(None, other(), Cause::Peer), true, false),
        (end(None, normal(), Cause::TransportFailed), false, false),
        (end(None, None, Cause::Local), false, false),
        (end(normal(), normal(), Cause::CloseTimeout), false, false),
        (end(normal(), normal(), Cause::Violation(Violation::Masked)), false, false),
    ] {
        assert_eq!((outcome.is_clean(), outcome.is_normal()), (is_clean, is_normal), "{outcome}");
    }
}
