//! RFC 6455 §5.2, the base framing protocol, and the examples of §5.7.

use crate::common::*;
use ws_proto::{Config, Role, Violation};

// ---- RFC 6455 §5.7 ----

#[test]
fn rfc_example_unmasked_text() {
    let input = [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
    each_way(Role::Client, &Config::default(), &input, |end| assert_eq!(end.seen, [text("Hello")]));
}

#[test]
fn rfc_example_masked_text() {
    let input = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
    each_way(Role::Server, &Config::default(), &input, |end| assert_eq!(end.seen, [text("Hello")]));
}

#[test]
fn rfc_example_fragmented_unmasked_text() {
    let input = [0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F];
    each_way(Role::Client, &Config::default(), &input, |end| assert_eq!(end.seen, [text("Hello")]));
}

#[test]
fn rfc_example_unmasked_ping_and_masked_pong() {
    let request = [0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
    let response = [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
    each_way(Role::Client, &Config::default(), &request, |end| {
        assert_eq!(end.seen, [ping("Hello")]);
        assert_eq!(end.written, response);
    });
    each_way(Role::Server, &Config::default(), &response, |end| {
        assert_eq!(end.seen, [pong("Hello")]);
        assert_eq!(end.written, []);
    });
}

#[test]
fn rfc_example_256_bytes_of_binary() {
    let payload: Vec<u8> = (0..=255).collect();
    let input = [&[0x82, 0x7E, 0x01, 0x00], payload.as_slice()].concat();
    each_way(Role::Client, &Config::default(), &input, |end| assert_eq!(end.seen, [binary(&payload)]));
}

#[test]
fn rfc_example_64_kib_of_binary() {
    let payload: Vec<u8> = (0..65_536u32).map(|i| (i % 251) as u8).collect();
    let input = [&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], payload.as_slice()].concat();
    each_way(Role::Client, &Config::default(), &input, |end| assert_eq!(end.seen, [binary(&payload)]));
}

// ---- what a frame may be ----

#[test]
fn every_length_form_is_read() {
    for role in ROLES {
        for len in [0, 1, 2, 3, 4, 5, 15, 16, 17, 124, 125, 126, 127, 128, 255, 256, 65_534, 65_535, 65_536, 65_537] {
            let letters: String = ('a'..='z').cycle().take(len).collect();
            each_way(role, &Config::default(), &to(role, TEXT, &letters), |end| {
                assert_eq!(end.seen, [text(&letters)]);
                end.assert_open();
            });
            let bytes: Vec<u8> = (0..len).map(|i| !(i as u8)).collect();
            each_way(role, &Config::default(), &to(role, BINARY, &bytes), |end| assert_eq!(end.seen, [binary(&bytes)]));
        }
    }
}

#[test]
fn frames_come_one_behind_the_other() {
    each_role(
        |role| all_to(role, &[(TEXT, b"1"), (PING, b"2"), (BINARY, b""), (TEXT, b""), (PONG, b""), (TEXT, b"3")]),
        |end| {
            assert_eq!(end.seen, [text("1"), ping("2"), binary(""), text(""), pong(""), text("3")]);
            assert_eq!(end.written, from(end.role(), PONG, "2"));
        },
    );
}

#[test]
fn a_message_in_one_read_borrows_the_callers_buffer() {
    use std::borrow::Cow;
    use ws_proto::{Event, Incoming};

    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        let mut buffer = all_to(role, &[(TEXT, b"text"), (BINARY, b"binary"), (PING, b"ping"), (PONG, b"pong")]);
        let mut input = buffer.as_mut_slice();
        let mut borrowed = 0;
        while let Some(event) = end.connection.receive(&mut input, end.now) {
            borrowed += u32::from(match event {
                Event::Message(Incoming::Text(text)) => matches!(text, Cow::Borrowed("text")),
                Event::Message(Incoming::Binary(bytes)) => matches!(bytes, Cow::Borrowed(b"binary")),
                Event::Ping(payload) => matches!(payload, Cow::Borrowed(b"ping")),
                Event::Pong(pong) => matches!(pong.payload, Cow::Borrowed(b"pong")),
                _ => false,
            });
        }
        assert_eq!(borrowed, 4, "{role:?}");
    }
}

#[test]
fn an_incomplete_frame_gives_no_event_yet() {
    for role in ROLES {
        for (first, payload) in [(TEXT, &b"text"[..]), (BINARY, &[7; 300]), (PING, b"ping"), (CLOSE, b"\x03\xE8")] {
            let whole = to(role, first, payload);
            for len in 0..whole.len() {
                let mut end = End::new(role, &Config::default());
                end.read(&whole[..len]);
                assert_eq!(end.seen, [], "{role:?}: {first:#x} cut to {len}");
                end.assert_open();
                end.read(&whole[len..]);
                assert_eq!(end.seen.len(), 1, "{role:?}: {first:#x} split at {len}");
            }
        }
    }
}

// ---- what a frame may not be ----

/// Each case fails the connection with 1002 for its violation, at its last byte and not before, behind a message that
/// is still delivered.
fn assert_all_refused(role: Role, cases: &[(Vec<u8>, Violation)]) {
    for (bad, violation) in cases {
        assert_eq!(bytes_until_closed(role, &Config::default(), bad), Some(bad.len()), "{role:?}: {bad:02x?}");
        let input = [to(role, TEXT, "before"), bad.clone(), to(role, TEXT, "after")].concat();
        each_way(role, &Config::default(), &input, |end| {
            assert_eq!(end.before_closed(), [text("before")]);
            end.assert_violated(1002, *violation);
        });
    }
}

#[test]
fn f2_reserved_bits_fail_the_connection() {
    for role in ROLES {
        let opcodes = [0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0x01, 0x02];
        let bits = (1..8).map(|bits| bits << 4);
        let cases: Vec<_> = opcodes
            .into_iter()
            .flat_map(|opcode| bits.clone().map(move |bits| (vec![opcode | bits], Violation::ReservedBits)))
            .collect();
        assert_all_refused(role, &cases);
    }
}

#[test]
fn f3_reserved_opcodes_fail_the_connection_on_their_byte_whatever_follows() {
    for role in ROLES {
        for opcode in (0x3..=0x7).chain(0xB..=0xF) {
            for bits in [0x00, 0x80, 0xC0, 0x40] {
                assert_all_refused(role, &[(vec![opcode | bits], Violation::ReservedOpcode(opcode))]);
            }
            for len in [0, 125, 126, 65_536, (1 << 63) - 1] {
                each_way(role, &Config::default(), &header_to(role, 0x80 | opcode, len), |end| {
                    end.assert_violated(1002, Violation::ReservedOpcode(opcode));
                });
            }
        }
    }
}

/// A text frame's first byte, `short` with the mask bit that the role expects, and the extended length.
fn with_length(role: Role, short: u8, extended: &[u8]) -> Vec<u8> {
    let masked = if role == Role::Server { 0x80 } else { 0 };
    [&[0x82, masked | short], extended].concat()
}

#[test]
fn f6_a_length_in_more_bytes_than_it_needs_fails_the_connection() {
    for role in ROLES {
        let two = [0u16, 1, 124, 125].map(|len| with_length(role, 126, &len.to_be_bytes()));
        // Six zeros tell that two bytes would have done.
        let eight = with_length(role, 127, &[0; 6]);
        let cases: Vec<_> = two.into_iter().chain([eight]).map(|bad| (bad, Violation::NonMinimalLength)).collect();
        assert_all_refused(role, &cases);
        for len in [0u64, 1, 125, 126, 65_535] {
            each_way(role, &Config::default(), &with_length(role, 127, &len.to_be_bytes()), |end| {
                end.assert_violated(1002, Violation::NonMinimalLength);
            });
        }
    }
}

#[test]
fn f7_a_length_of_2_to_the_63_or_more_fails_the_connection_at_its_first_byte() {
    for role in ROLES {
        for first in [0x80, 0x81, 0xFF] {
            assert_all_refused(role, &[(with_length(role, 127, &[first]), Violation::LengthTooLarge)]);
        }
        for len in [1u64 << 63, (1 << 63) + 1, u64::MAX, (1 << 63) | 125] {
            each_way(role, &Config::default(), &with_length(role, 127, &len.to_be_bytes()), |end| {
                end.assert_violated(1002, Violation::LengthTooLarge);
            });
        }
    }
}

#[test]
fn f7_the_longest_length_there_is_is_only_a_matter_of_limits() {
    let unlimited = config(|config| {
        config.limits.frame = None;
        config.limits.message = None;
    });
    for role in ROLES {
        each_way(role, &unlimited, &header_to(role, BINARY, (1 << 63) - 1), |end| {
            end.assert_open();
            end.read([1; 1000]);
            assert_eq!(end.seen, []);
            end.assert_open();
        });
    }
}

#[test]
fn the_first_fault_on_the_wire_is_the_one_that_counts() {
    for (input, violation) in [
        // In the first byte: the opcode, then FIN of a control frame, then the reserved bits.
        (vec![0x73, 0x00], Violation::ReservedOpcode(3)),
        (vec![0x79, 0x00], Violation::FragmentedControl),
        (vec![0xF0, 0x00], Violation::ReservedBits),
        (vec![0x80, 0x00], Violation::UnexpectedContinuation),
        // In the second: masking before the length.
        (vec![0x89, 0x7E, 0xFF, 0xFF], Violation::Unmasked),
        (vec![0x89, 0xFE, 0xFF, 0xFF], Violation::ControlTooLong),
        (vec![0x81, 0x7F, 0xFF], Violation::Unmasked),
        // Then the length, and only then its limit.
        (vec![0x81, 0xFF, 0xFF], Violation::LengthTooLarge),
        (vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1], Violation::NonMinimalLength),
    ] {
        each_way(Role::Server, &Config::default(), &input, |end| end.assert_violated(1002, violation));
    }
}

#[test]
fn after_a_fault_nothing_is_read_any_more() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.read(all_to(role, &[(TEXT, b"a"), (0x83, b""), (TEXT, b"b"), (CLOSE, b"\x03\xE8"), (0x84, b"")]));
        end.read_frame(PING, "p");
        end.read_frame(CLOSE, "\x03");
        assert_eq!(end.before_closed(), [text("a")]);
        end.assert_violated(1002, Violation::ReservedOpcode(3));
    }
}
