//! Valid and invalid contents of a Close frame (RFC 6455 §5.5.1, §7.4).

use ws_proto::{Cause, CloseCode, CloseError, CloseFrame, Config, Violation};

use super::{malformed, outcome};
use crate::common::*;

/// The frame is answered with the code of its fault, and shown as it came.
fn is_refused(code: u16, reason: &[u8], shown: &str, violation: Violation) {
    let body = close_body(code, reason);
    each_role(
        |role| all_to(role, &[(TEXT, b"before"), (CLOSE, &body)]),
        |end| {
            let (why, answer) = (violation.to_string(), violation.close_code().into());
            let cause = Cause::Violation(violation);
            assert_eq!(end.seen, [text("before"), malformed(Some((answer, &why)), (code, shown), &body, cause)]);
            end.assert_wrote_last(answer, &why);
            let outcome = end.outcome().unwrap();
            assert_eq!((u16::from(outcome.code()), outcome.reason()), (code, shown));
            assert!(!outcome.is_clean() && !outcome.is_normal());
        },
    );
}

#[test]
fn f16_a_close_with_one_byte_fails_the_connection() {
    for byte in [0x00, 0x03, 0xFF] {
        each_role(
            |role| all_to(role, &[(TEXT, b"before"), (CLOSE, &[byte])]),
            |end| {
                let cause = Cause::Violation(Violation::TruncatedCloseCode);
                let why = "Close frame with one byte of body";
                assert_eq!(end.seen, [text("before"), malformed(Some((1002, why)), (1005, ""), &[byte], cause)]);
                end.assert_wrote_last(1002, why);
            },
        );
    }
}

#[test]
fn f17_codes_that_must_not_travel_fail_the_connection() {
    let edges = [0, 1, 500, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 10_001, 25_209, 65_535];
    for code in edges {
        for reason in ["", "reason"] {
            assert_eq!(Violation::InvalidCloseCode(code).close_code(), CloseCode::PROTOCOL_ERROR);
            is_refused(code, reason.as_bytes(), reason, Violation::InvalidCloseCode(code));
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
    assert_eq!(Violation::InvalidCloseReason.close_code(), CloseCode::INVALID_DATA);
    for (reason, shown) in [
        (&b"\xFF"[..], "\u{FFFD}"),
        (b"ok\xC3", "ok\u{FFFD}"),
        (b"\xED\xA0\x80", "\u{FFFD}\u{FFFD}\u{FFFD}"),
        (b"\xC0\xAF", "\u{FFFD}\u{FFFD}"),
        (b"\xF4\x90\x80\x80", "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
        // Cut to 123 bytes in the middle of a character.
        ("é".repeat(62).as_bytes().get(..123).unwrap(), &format!("{}\u{FFFD}", "é".repeat(61))),
    ] {
        is_refused(1000, reason, shown, Violation::InvalidCloseReason);
    }
}

#[test]
fn a_code_that_must_not_travel_counts_before_its_reason() {
    is_refused(1005, b"\xFF", "\u{FFFD}", Violation::InvalidCloseCode(1005));
}

#[test]
fn any_close_ends_the_handshake_that_we_began() {
    for role in ROLES {
        for (body, code, shown, is_normal) in [
            (vec![3], 1005, "", true),
            (close_body(1005, "no status"), 1005, "no status", true),
            (close_body(1006, ""), 1006, "", false),
            (close_body(10_001, "of Bokeh's"), 10_001, "of Bokeh's", false),
            (close_body(25_209, "e"), 25_209, "e", false),
            (close_body(1000, b"cut \xC3"), 1000, "cut \u{FFFD}", true),
        ] {
            for (way, pieces) in ways(&to(role, CLOSE, &body)) {
                for holding_close in [false, true] {
                    let mut end = End::new(role, &Config::default());
                    end.connection.hooks().set_hold_close(holding_close);
                    end.close(1000, "");
                    pieces.iter().for_each(|piece| end.read(piece));
                    let expected = malformed(Some((1000, "")), (code, shown), &body, Cause::Local);
                    assert_eq!(end.seen, [expected], "{way}");
                    let outcome = end.outcome().unwrap();
                    assert_eq!((outcome.is_clean(), outcome.is_normal()), (true, is_normal));
                    end.assert_wrote_last(1000, "");
                    end.eof();
                    end.assert_over();
                }
            }
        }
    }
}

#[test]
fn a_close_against_the_rules_is_shown_when_its_answer_was_put_off_too() {
    for role in ROLES {
        let body = close_body(10_001, "why");
        let end = |gone: fn(&mut End)| {
            let mut end = End::new(role, &Config::default());
            end.connection.hooks().set_hold_close(true);
            end.read_frame(CLOSE, &body);
            assert_eq!(end.seen, []);
            gone(&mut end);
            end
        };
        let (why, cause) = ("close code 10001 must not be sent", Cause::Violation(Violation::InvalidCloseCode(10_001)));
        let mut late = end(|end| end.wait(secs(1)));
        assert_eq!(late.seen, [malformed(Some((1002, why)), (10_001, "why"), &body, cause.clone())]);
        late.assert_wrote_last(1002, why);
        assert_eq!(end(|end| end.fail()).seen, [malformed(None, (10_001, "why"), &body, cause)]);
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
