//! RFC 6455 §10.4: limits on what comes in. Each is found on the header that goes over it, so that no payload is ever
//! waited for, let alone kept.

use std::borrow::Cow;

use crate::common::*;
use ws_proto::{Config, Connection, Event, Incoming, Role, Violation};

const MIB: usize = 1 << 20;

fn limits(message: Option<usize>, frame: Option<usize>) -> Config {
    config(|config| {
        config.limits.message = message;
        config.limits.frame = frame;
    })
}

/// Both ways to hand messages out obey the same limits.
fn both(config: &Config) -> [Config; 2] {
    let mut streaming = config.clone();
    streaming.delivery = ws_proto::Delivery::Chunks;
    [config.clone(), streaming]
}

#[test]
fn f8_a_frame_over_the_limit_fails_the_connection_on_its_header() {
    let frame = |limit| Violation::FrameTooBig { limit };
    let message = |limit| Violation::MessageTooBig { limit };
    for (message_limit, frame_limit, len, violation) in [
        (Some(MIB), Some(MIB), MIB as u64 + 1, frame(MIB)),
        (Some(MIB), Some(MIB), u64::from(u32::MAX), frame(MIB)),
        (Some(MIB), Some(MIB), (1 << 63) - 1, frame(MIB)),
        (Some(MIB), None, MIB as u64 + 1, message(MIB)),
        (Some(MIB), None, (1 << 63) - 1, message(MIB)),
        (None, Some(MIB), MIB as u64 + 1, frame(MIB)),
        (Some(10), Some(20), 11, message(10)),
        (Some(20), Some(10), 11, frame(10)),
        (Some(0), None, 1, message(0)),
        (None, Some(0), 1, frame(0)),
        (Some(125), None, 126, message(125)),
        (Some(65_535), None, 65_536, message(65_535)),
    ] {
        for config in both(&limits(message_limit, frame_limit)) {
            for role in ROLES {
                for first in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
                    let bad = header_to(role, first, len);
                    assert_eq!(bytes_until_closed(role, &config, &bad), Some(bad.len()));
                    let input = [to(role, PING, "before"), bad].concat();
                    each_way(role, &config, &input, |end| {
                        assert_eq!(end.before_closed(), [ping("before")]);
                        end.assert_violated(1009, violation);
                    });
                }
            }
        }
    }
}

#[test]
fn f8_the_default_limits_are_one_mib() {
    let config = Config::default();
    assert_eq!((config.limits.message, config.limits.frame), (Some(MIB), Some(MIB)));
    let payload = vec![b'x'; MIB];
    // In one read, in some, and byte by byte, where each is unmasked on its own.
    for (role, size) in
        [(Role::Client, usize::MAX), (Role::Client, 4093), (Role::Server, usize::MAX), (Role::Server, 1)]
    {
        let mut end = End::new(role, &config);
        to(role, TEXT, &payload).chunks(size).for_each(|piece| end.read(piece));
        assert!(matches!(&end.seen[..], [Seen::Text(text)] if text.as_bytes() == payload));
        end.assert_open();
        end.read(header_to(role, TEXT, MIB as u64 + 1));
        end.assert_violated(1009, Violation::FrameTooBig { limit: MIB });
    }
}

#[test]
fn f8_a_message_at_the_limit_is_fine() {
    for role in ROLES {
        for limit in [0, 1, 5, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; limit];
            each_way(role, &limits(Some(limit), Some(limit)), &to(role, BINARY, &payload), |end| {
                assert_eq!(end.seen, [binary(&payload)]);
                end.assert_open();
            });
        }
    }
}

#[test]
fn f8_the_payload_of_a_frame_over_the_limit_is_not_looked_at() {
    for role in ROLES {
        // Its text is invalid, but it is too big first.
        let input = [header_to(role, TEXT, 11), vec![0xFF; 11], to(role, TEXT, "after")].concat();
        each_way(role, &limits(Some(10), None), &input, |end| {
            assert_eq!(end.before_closed(), []);
            end.assert_violated(1009, Violation::MessageTooBig { limit: 10 });
        });
    }
}

#[test]
fn f8_no_limit_is_no_limit() {
    for role in ROLES {
        let payload = vec![3; MIB + 1];
        let mut end = End::new(role, &limits(None, None));
        end.read_frame(BINARY, &payload);
        for piece in to(role, BINARY, &payload).chunks(4096) {
            end.read(piece);
        }
        end.read_frame(BINARY_BEGINS, &payload);
        end.read_frame(LAST, &payload);
        let lens: Vec<usize> = end
            .seen
            .iter()
            .map(|event| match event {
                Seen::Binary(bytes) => bytes.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lens, [MIB + 1, MIB + 1, 2 * MIB + 2]);
    }
}

#[test]
fn f9_fragments_that_add_up_to_more_than_the_limit_fail_the_connection_at_the_crossing_header() {
    // Fragments that fit, and the length of the one that does not.
    for (fits, crossing) in [
        (&[6usize][..], 5u64),
        (&[10], 1),
        (&[0, 0, 10, 0], 1),
        (&[1; 10], 1),
        (&[5, 5], (1 << 63) - 1),
        (&[0], 11),
        (&[9], u64::from(u32::MAX)),
    ] {
        for config in both(&limits(Some(10), None)) {
            for role in ROLES {
                for last in [CONTINUES, LAST] {
                    let mut input = to(role, PING, "before");
                    for (i, len) in fits.iter().enumerate() {
                        input.extend(to(role, if i == 0 { TEXT_BEGINS } else { CONTINUES }, vec![b'x'; *len]));
                        input.extend(to(role, PONG, [b'p'; 125])); // control frames do not count
                    }
                    input.extend(header_to(role, last, crossing));
                    assert_eq!(bytes_until_closed(role, &config, &input), Some(input.len()));
                    each_way(role, &config, &input, |end| {
                        let is_message = |event: &Seen| matches!(event, Seen::Text(_) | Seen::Binary(_));
                        assert!(!end.seen.iter().any(is_message));
                        end.assert_violated(1009, Violation::MessageTooBig { limit: 10 });
                    });
                }
            }
        }
    }
}

#[test]
fn f9_a_later_fragment_has_the_frame_limit_too() {
    for config in both(&limits(None, Some(10))) {
        for role in ROLES {
            let input = [to(role, BINARY_BEGINS, "x"), header_to(role, LAST, 11)].concat();
            each_way(role, &config, &input, |end| end.assert_violated(1009, Violation::FrameTooBig { limit: 10 }));
        }
    }
}

#[test]
fn f9_fragments_that_add_up_to_the_limit_are_fine_and_the_next_message_starts_from_zero() {
    for role in ROLES {
        let message = [(TEXT_BEGINS, &b"12345"[..]), (CONTINUES, b""), (LAST, b"67890")];
        let input = all_to(role, &[message, message].concat());
        each_way(role, &limits(Some(10), Some(5)), &input, |end| {
            assert_eq!(end.seen, [text("1234567890"), text("1234567890")]);
            end.assert_open();
        });
    }
}

#[test]
fn f9_the_default_limit_holds_for_a_message_in_many_fragments() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        let fragment = vec![b'x'; 64 << 10];
        end.read_frame(TEXT_BEGINS, &fragment);
        for _ in 1..16 {
            end.read_frame(CONTINUES, &fragment);
        }
        end.read_frame(CONTINUES, "");
        end.assert_open();
        end.read(header_to(role, LAST, 1));
        assert_eq!(end.before_closed(), []);
        end.assert_violated(1009, Violation::MessageTooBig { limit: MIB });
    }
}

/// A message of `n` fragments, each of `payload`, and without an end unless it is `finished`.
fn fragmented(role: Role, n: usize, payload: &str, finished: bool) -> Vec<u8> {
    (1..=n)
        .flat_map(|i| {
            let first = if i == 1 { TEXT_BEGINS } else { CONTINUES };
            to(role, if finished && i == n { first | 0x80 } else { first }, payload)
        })
        .collect()
}

#[test]
fn f10_16384_fragments_are_fine() {
    assert_eq!(Config::default().limits.fragments, Some(16_384));
    for role in ROLES {
        for payload in ["", "x"] {
            let input = fragmented(role, 16_384, payload, true);
            each_way(role, &Config::default(), &[&input[..], &input].concat(), |end| {
                assert_eq!(end.seen, [text(&payload.repeat(16_384)), text(&payload.repeat(16_384))]);
                end.assert_open();
            });
        }
    }
}

#[test]
fn f10_the_fragment_after_16384_fails_the_connection_on_its_header() {
    for role in ROLES {
        for (payload, last, len) in [("", CONTINUES, 0), ("", LAST, 1), ("x", LAST, 0)] {
            let input = [fragmented(role, 16_384, payload, false), header_to(role, last, len)].concat();
            assert_eq!(bytes_until_closed(role, &Config::default(), &input), Some(input.len()));
            each_way(role, &Config::default(), &input, |end| {
                assert_eq!(end.before_closed(), []);
                end.assert_violated(1009, Violation::TooManyFragments { limit: 16_384 });
            });
        }
    }
}

#[test]
fn f10_the_number_of_fragments_can_be_set_and_control_frames_do_not_count() {
    for limit in [1u32, 2, 3, 10] {
        let config = config(|config| config.limits.fragments = Some(limit));
        for config in both(&config) {
            for role in ROLES {
                let mut fits = vec![];
                for i in 1..=limit {
                    fits.extend(to(role, PING, "p"));
                    fits.extend(to(role, if i == 1 { BINARY_BEGINS } else { CONTINUES }, "x"));
                    fits.extend(to(role, PONG, ""));
                }
                let mut end = End::new(role, &config);
                end.read(&fits);
                end.assert_open();
                end.read(header_to(role, LAST, 0));
                end.assert_violated(1009, Violation::TooManyFragments { limit });
            }
        }
    }
}

#[test]
fn f10_without_the_limit_there_is_none() {
    let config = config(|config| config.limits.fragments = None);
    for role in ROLES {
        let mut end = End::new(role, &config);
        end.read(fragmented(role, 50_000, "x", true));
        assert_eq!(end.seen, [text(&"x".repeat(50_000))]);
    }
}

#[test]
fn limits_on_messages_are_none_of_the_control_frames_business() {
    for config in both(&limits(Some(0), Some(0))) {
        for role in ROLES {
            let input = all_to(role, &[(PING, &[b'p'; 125]), (CLOSE, b"\x03\xE8reason")]);
            each_way(role, &config, &input, |end| {
                assert_eq!(end.before_closed(), [ping([b'p'; 125])]);
                assert_eq!(end.outcome().map(|outcome| outcome.is_normal()), Some(true));
            });
        }
    }
}

#[test]
fn the_reason_names_the_limit_and_the_setting() {
    for (config, input, reason) in [
        (
            limits(None, Some(9)),
            header(TEXT, 10, Some(KEY)),
            "frame over the receiver's limit of 9 bytes (limits.frame)",
        ),
        (
            limits(Some(9), None),
            header(TEXT, 10, Some(KEY)),
            "message over the receiver's limit of 9 bytes (limits.message)",
        ),
        (
            config(|config| config.limits.fragments = Some(1)),
            [frame(TEXT_BEGINS, b"", Some(KEY)), header(LAST, 0, Some(KEY))].concat(),
            "message over the receiver's limit of 1 fragments (limits.fragments)",
        ),
    ] {
        let mut end = End::new(Role::Server, &config);
        end.read(input);
        assert_eq!(end.written, from(Role::Server, CLOSE, close_body(1009, reason)));
    }
}

#[test]
fn many_messages_at_the_limit_do_not_add_up() {
    for role in ROLES {
        let mut end = End::new(role, &limits(Some(100), Some(100)));
        for _ in 0..1000 {
            end.read_frame(BINARY, [0; 100]);
            end.read_frame(TEXT_BEGINS, "x".repeat(60));
            end.read_frame(LAST, "x".repeat(40));
        }
        assert_eq!(end.seen.len(), 2000);
        end.assert_open();
    }
}

#[test]
fn a_connection_tells_what_it_was_configured_with() {
    let config = limits(Some(100), None);
    for role in ROLES {
        assert_eq!(End::new(role, &config).connection.config(), &config);
    }
}

// ---- memory of what is put together ----

/// How long the message is that `pieces` make, and how much memory was taken for it.
fn len_and_capacity(pieces: &[Vec<u8>]) -> (usize, usize) {
    let mut connection = Connection::client(limits(Some(1000), None), || [0; 4], at(0));
    let mut found = None;
    for piece in pieces {
        let mut piece = piece.clone();
        let mut input = &mut piece[..];
        while let Some(event) = connection.receive(&mut input, at(0)) {
            found = match event {
                Event::Message(Incoming::Text(Cow::Owned(text))) => Some((text.len(), text.capacity())),
                Event::Message(Incoming::Binary(Cow::Owned(bytes))) => Some((bytes.len(), bytes.capacity())),
                other => panic!("{other:?}"),
            };
        }
    }
    found.unwrap()
}

#[test]
fn a_message_in_one_frame_takes_no_more_than_the_frame_declares() {
    for opcode in [TEXT, BINARY] {
        let frame = to(Role::Client, opcode, "€12345678");
        for cut in 3..frame.len() {
            let (head, tail) = frame.split_at(cut);
            assert_eq!(len_and_capacity(&[head.into(), tail.into()]), (11, 11), "cut at {cut}");
        }
        assert_eq!(len_and_capacity(&frame.chunks(1).map(Vec::from).collect::<Vec<_>>()), (11, 11));
    }
}

#[test]
fn a_message_of_unknown_length_takes_room_for_twice_what_has_come() {
    for (begins, unit) in [(TEXT_BEGINS, "€uro"), (BINARY_BEGINS, "bytes!")] {
        let begun = to(Role::Client, begins, unit.repeat(20));
        let mut pieces: Vec<Vec<u8>> = begun.chunks(2 + 50).map(Vec::from).collect();
        pieces.push(to(Role::Client, LAST, "end"));
        // After 50 bytes there is room for 100, after 102 for 204, and that lasts.
        assert_eq!(len_and_capacity(&pieces), (123, 204), "{begins:x}");
    }
}
