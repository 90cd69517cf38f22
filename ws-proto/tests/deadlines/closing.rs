//! The closing handshake, the end of the transport, and how long input is discarded.

use ws_proto::{Buf, Cause, CloseCode, Config, Transport, Violation};

use crate::common::*;

#[test]
fn a_close_must_be_answered_within_10_seconds() {
    for role in ROLES {
        for close in [10, 3] {
            let mut end = End::new(role, &config(|config| config.deadlines.close = secs(close)));
            end.wait_until(at(5));
            end.close(1000, "bye");
            end.wait_until(at(5 + 2));
            assert_eq!(end.deadline(), Some(at(5 + close)));
            end.wait_until(just_before(5 + close));
            end.read_frame(TEXT, "this is no answer");
            assert_eq!(end.outcome(), None);
            end.wait_until(at(5 + close));
            let outcome = end.outcome().unwrap();
            assert_eq!((outcome.cause.clone(), outcome.code()), (Cause::CloseTimeout, CloseCode::ABNORMAL));
            assert_eq!(outcome.sent, Some(close_frame(1000, "bye")));
            end.assert_over();
        }
    }
}

#[test]
fn the_transport_must_end_within_the_same_10_seconds() {
    for role in ROLES {
        // We closed at 5 and the peer answered at 12; or the peer closed at 5. Then nobody ends the transport.
        let mut ours = End::new(role, &Config::default());
        ours.wait_until(at(5));
        ours.close(1000, "");
        ours.wait_until(at(12));
        ours.read_frame(CLOSE, close_body(1000, ""));

        let mut theirs = End::new(role, &Config::default());
        theirs.wait_until(at(5));
        theirs.read_frame(CLOSE, close_body(1000, ""));

        for mut end in [ours, theirs] {
            let outcome = end.outcome().cloned().unwrap();
            assert!(outcome.is_normal());
            end.wait_until(just_before(15));
            assert_ne!(end.transport(), Transport::Close);
            end.wait_until(at(15));
            assert_eq!(end.outcome(), Some(&outcome));
            end.assert_over();
        }
    }
}

#[test]
fn a_close_that_cannot_be_written_is_given_up_after_10_seconds() {
    for role in ROLES {
        let closings: [fn(&mut End); 3] = [
            |end| end.close(1000, ""),
            |end| end.read_frame(CLOSE, close_body(1000, "")),
            |end| end.read_frame(0x83, ""),
        ];
        for closing in closings {
            let mut end = End::new(role, &Config::default());
            end.writable = false;
            end.wait_until(at(5));
            closing(&mut end);
            end.wait_until(just_before(15));
            assert_eq!(end.transport(), Transport::Open);
            assert!(end.connection.outgoing().has_remaining());
            end.wait_until(at(15));
            end.assert_over();
        }
    }
}

#[test]
fn input_is_discarded_for_2_seconds_after_an_error_close_was_written() {
    for role in ROLES {
        // When it is written, and when it is over: 2 s later, but never after the closing deadline.
        for (written, over) in [(5, 7), (9, 11), (13, 15), (14, 15)] {
            let mut end = End::new(role, &Config::default());
            end.writable = false;
            end.wait_until(at(5));
            end.read_frame(0x83, "");
            end.wait_until(at(written));
            end.writable = true;
            end.settle();
            end.assert_violated(1002, Violation::ReservedOpcode(3));
            assert_eq!(end.deadline(), Some(at(over)));
            end.wait_until(just_before(over));
            end.read_frame(TEXT, "discarded");
            assert_eq!(end.transport(), Transport::HalfClose);
            end.wait_until(at(over));
            end.assert_over();
        }
    }
}

#[test]
fn the_time_for_discarding_can_be_set() {
    for role in ROLES {
        let mut end = End::new(role, &config(|config| config.deadlines.discard = secs(4)));
        end.read_frame(0x83, "");
        assert_eq!(end.deadline(), Some(at(4)));
    }
}
