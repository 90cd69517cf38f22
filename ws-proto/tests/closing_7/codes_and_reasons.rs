//! What a Close frame may say (RFC 6455 §5.5.1, §7.4).

use ws_proto::{Cause, CloseCode, CloseError, CloseFrame, Config, Violation};

use crate::common::*;
use crate::outcome;

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
