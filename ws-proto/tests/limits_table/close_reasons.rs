//! The reason in a Close frame.

use ws_proto::{CloseCode, CloseFrame, Config, Violation};

use super::*;
use crate::common::*;

#[test]
fn a_close_reason_that_is_sent_is_cut_at_123_bytes() {
    assert_eq!(CloseFrame::MAX_REASON, 123);
    for (reason, cut) in [
        ("x".repeat(122), 122),
        ("x".repeat(123), 123),
        ("x".repeat(124), 123),
        ("x".repeat(100_000), 123),
        ("é".repeat(61), 122),
        ("é".repeat(62), 122),
        (format!("x{}", "é".repeat(61)), 123),
        (format!("x{}", "é".repeat(62)), 123),
        ("€".repeat(41), 123),
        ("€".repeat(42), 123),
        (format!("xx{}", "€".repeat(41)), 122),
        ("😀".repeat(31), 120),
        (format!("xxx{}", "😀".repeat(30)), 123),
        (format!("xxx{}", "😀".repeat(31)), 123),
    ] {
        for role in ROLES {
            for shape in SHAPES {
                let mut end = End::new(role, &Config::default());
                match shape {
                    Shape::OneFrame => {}
                    Shape::Fragments => end.connection.send_fragment("amid a message".into(), false).unwrap(),
                    Shape::Compressed => continue, // control frames never are
                    Shape::Incomplete => end.read(header_to(role, TEXT, 5)),
                }
                end.close(1000, &reason);
                assert_eq!(end.payloads(CLOSE), [close_body(1000, &reason[..cut])]);
                end.read(to(role, CLOSE, close_body(1000, "")).repeat(1));
                if shape != Shape::Incomplete {
                    let sent = end.outcome().unwrap().sent.clone().unwrap();
                    assert_eq!((sent.code, &*sent.reason), (CloseCode::NORMAL, &reason[..cut]));
                }
            }
        }
    }
}

#[test]
fn a_close_reason_that_is_received_has_at_most_123_bytes() {
    for role in ROLES {
        for shape in SHAPES {
            let before = match shape {
                Shape::Compressed => continue, // control frames never are
                Shape::Fragments => to(role, TEXT_BEGINS, "amid a message"),
                Shape::OneFrame | Shape::Incomplete => vec![],
            };
            let fits = to(role, CLOSE, close_body(1000, [b'r'; 123]));
            // Two bytes of header say it all.
            let over = header_to(role, CLOSE, 126)[..2].to_vec();
            let mut end = End::new(role, &Config::default());
            end.read(&before);
            if shape == Shape::Incomplete {
                end.read(&fits[..fits.len() - 1]);
                end.assert_open();
            } else {
                end.read(&fits);
                assert_eq!(end.outcome().map(|outcome| outcome.reason().len()), Some(123));
                assert!(end.outcome().is_some_and(|outcome| outcome.is_normal()));
            }
            let mut end = End::new(role, &Config::default());
            end.read(&before);
            end.read(&over[..1]);
            end.assert_open();
            end.read(&over[1..]);
            end.assert_violated(1002, Violation::ControlTooLong);
        }
    }
}
