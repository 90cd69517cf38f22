//! Messages that come in, and messages that go out (RFC 7692 §6, §7.2).

use ws_proto::deflate::{Agreed, Compress, Compressor};
use ws_proto::{Cause, Config, Delivery, Message, Prepared, Role, SendError, Violation};

use crate::common::*;
use crate::samples::*;

/// The bit that a compressed message begins with.
const RSV1: u8 = 0x40;
const DELIVERIES: [Delivery; 2] = [Delivery::Messages, Delivery::Chunks];

fn end(role: Role, config: &Config, agreed: Agreed) -> End {
    let mut end = End::new(role, config);
    end.connection.set_deflate(Some(agreed));
    end
}

/// What an end of each role makes of frames, in whatever pieces they come, in messages and in chunks.
#[track_caller]
fn each(agreed: Agreed, frames: &[(u8, &[u8])], check: impl Fn(&mut End)) {
    for role in ROLES {
        let input = all_to(role, frames);
        for delivery in DELIVERIES {
            for (way, pieces) in ways(&input) {
                let mut end = end(role, &config(|config| config.delivery = delivery), agreed);
                for piece in pieces {
                    end.read(piece);
                }
                end.seen = put_together_so_far(&end.seen);
                println!("{role:?}, {delivery:?}, {way}: {frames:02x?}");
                check(&mut end);
            }
        }
    }
}

/// Messages made of chunks; chunks of one that never ended are left out.
#[track_caller]
fn put_together_so_far(seen: &[Seen]) -> Vec<Seen> {
    let complete = seen.iter().rposition(|event| matches!(event, Seen::Chunk { last: true, .. })).map_or(0, |i| i + 1);
    let (complete, rest) = seen.split_at(complete);
    let rest = rest.iter().filter(|event| !matches!(event, Seen::Chunk { .. }));
    put_together(complete).into_iter().chain(rest.cloned()).collect()
}

#[track_caller]
fn delivered(agreed: Agreed, frames: &[(u8, &[u8])], expected: &[Seen]) {
    each(agreed, frames, |end| {
        assert_eq!(end.seen, expected);
        end.assert_open();
    });
}

#[track_caller]
fn refused(agreed: Agreed, frames: &[(u8, &[u8])], code: u16, violation: Violation) {
    each(agreed, frames, |end| end.assert_violated(code, violation));
}

const HELLO: &[u8] = &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];

// ---- the examples of the RFC ----

/// RFC 7692 §7.2.3.1.
#[test]
fn one_compressed_block() {
    delivered(WIDE, &[(TEXT | RSV1, HELLO)], &[text("Hello")]);
    // In two frames, of which only the first says so.
    delivered(WIDE, &[(TEXT_BEGINS | RSV1, &HELLO[..3]), (LAST, &HELLO[3..])], &[text("Hello")]);
    delivered(
        WIDE,
        &[(TEXT_BEGINS | RSV1, &HELLO[..3]), (PING, b"amid"), (CONTINUES, &[]), (LAST, &HELLO[3..])],
        &[ping("amid"), text("Hello")],
    );
}

/// RFC 7692 §7.2.3.2.
#[test]
fn sharing_the_window() {
    let again: &[u8] = &[0xF2, 0x00, 0x11, 0x00, 0x00];
    delivered(WIDE, &[(TEXT | RSV1, HELLO), (TEXT | RSV1, again)], &[text("Hello"), text("Hello")]);
    delivered(WIDE, &[(TEXT | RSV1, HELLO), (TEXT | RSV1, HELLO)], &[text("Hello"), text("Hello")]);
    // Messages that are not compressed are not looked back on.
    delivered(
        WIDE,
        &[(TEXT | RSV1, HELLO), (BINARY, b"plain, and not looked at"), (TEXT | RSV1, again)],
        &[text("Hello"), binary("plain, and not looked at"), text("Hello")],
    );
    // Without context takeover there is nothing to look back on.
    each(ALONE, &[(TEXT | RSV1, HELLO), (TEXT | RSV1, again)], |end| {
        assert_eq!(end.before_closed(), [text("Hello")]);
        end.assert_violated(1007, Violation::CorruptData);
    });
}

/// RFC 7692 §7.2.3.3.
#[test]
fn a_block_without_compression() {
    let stored = &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00];
    delivered(WIDE, &[(TEXT | RSV1, stored)], &[text("Hello")]);
}

/// RFC 7692 §7.2.3.4.
#[test]
fn a_block_that_says_it_is_the_last() {
    let last = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
    let again: &[u8] = &[0xF2, 0x00, 0x11, 0x00, 0x00];
    delivered(WIDE, &[(TEXT | RSV1, &last), (TEXT | RSV1, again)], &[text("Hello"), text("Hello")]);
    // Some leave the empty block out, and some go on after it.
    delivered(WIDE, &[(TEXT | RSV1, &last[..7]), (TEXT | RSV1, again)], &[text("Hello"), text("Hello")]);
    delivered(WIDE, &[(TEXT | RSV1, &[&last[..7], HELLO].concat())], &[text("HelloHello")]);
}

/// RFC 7692 §7.2.3.5.
#[test]
fn two_blocks() {
    let blocks = [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00];
    delivered(WIDE, &[(TEXT | RSV1, &blocks)], &[text("Hello")]);
    delivered(WIDE, &[(TEXT_BEGINS | RSV1, &blocks[..8]), (LAST, &blocks[8..])], &[text("Hello")]);
}

/// RFC 7692 §7.2.3.6.
#[test]
fn an_empty_message() {
    delivered(WIDE, &[(TEXT | RSV1, &[0x00])], &[text("")]);
    delivered(ALONE, &[(BINARY | RSV1, &[0x00]), (TEXT | RSV1, HELLO)], &[binary(""), text("Hello")]);
    // And with nothing at all in it, which some send.
    delivered(WIDE, &[(TEXT | RSV1, &[]), (TEXT | RSV1, HELLO)], &[text(""), text("Hello")]);
    delivered(WIDE, &[(TEXT_BEGINS | RSV1, &[]), (CONTINUES, HELLO), (LAST, &[])], &[text("Hello")]);
}

/// RFC 7692 §7.2.3.1 to §7.2.3.6, as we send them.
#[test]
fn what_is_sent_is_what_the_examples_show() {
    for role in ROLES {
        let mut end = end(role, &Config::default(), WIDE);
        for _ in 0..2 {
            end.connection.send_text("Hello").unwrap();
        }
        end.connection.send_binary(b"").unwrap();
        end.settle();
        let sent: Vec<_> = end.frames().into_iter().map(|frame| (frame.first, frame.payload)).collect();
        // The example sends the first letter once more; the whole word is there already, which takes a byte less.
        let again = vec![0x02, 0x13, 0x00, 0x00];
        assert_eq!(sent, [(TEXT | RSV1, HELLO.to_vec()), (TEXT | RSV1, again), (BINARY | RSV1, vec![0x00])]);
    }
}

// ---- D1 to D6 ----

#[test]
fn d1_the_bit_on_any_other_frame_is_refused() {
    for role in ROLES {
        for first in [PING, PONG, CLOSE] {
            let mut end = end(role, &Config::default(), WIDE);
            end.read(&to(role, first | RSV1, HELLO)[..1]);
            end.assert_violated(1002, Violation::ReservedBits);
        }
        for begins in [TEXT_BEGINS, TEXT_BEGINS | RSV1] {
            let mut end = end(role, &Config::default(), WIDE);
            end.read_frame(begins, "");
            end.read(&to(role, LAST | RSV1, "")[..1]);
            end.assert_violated(1002, Violation::ReservedBits);
        }
        for bits in [0x20, 0x10, 0x30, 0x60, 0x50, 0x70] {
            let mut end = end(role, &Config::default(), WIDE);
            end.read(&to(role, TEXT | bits, HELLO)[..1]);
            end.assert_violated(1002, Violation::ReservedBits);
        }
        // And on any frame when nothing was agreed on, or no longer.
        let mut end = end(role, &Config::default(), WIDE);
        end.connection.set_deflate(None);
        end.read_frame(TEXT | RSV1, HELLO);
        end.assert_violated(1002, Violation::ReservedBits);
    }
}

#[test]
fn d2_corrupt_data_is_refused() {
    let corrupt: [&[u8]; 8] = [
        &[0x07],                                           // a block of a type that there is not
        &[0x00, 0x05, 0x00, 0xFA, 0xFE],                   // a stored length and its complement do not agree
        &[0xF2, 0x48, 0xCD, 0xC9],                         // ends inside a block
        &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07],             // ends without its empty block
        &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C], // ends inside a stored block
        &[0xF2, 0x00, 0x11, 0x00, 0x00],                   // looks back on nothing
        &[0x04, 0xFF, 0xFF, 0xFF],                         // too many codes
        b"this is not compressed at all",
    ];
    for data in corrupt {
        for first in [TEXT, BINARY] {
            refused(WIDE, &[(first | RSV1, data)], 1007, Violation::CorruptData);
            refused(ALONE, &[(first | RSV1, data)], 1007, Violation::CorruptData);
        }
        let (front, back) = data.split_at(data.len() / 2);
        refused(WIDE, &[(TEXT_BEGINS | RSV1, front), (PING, b""), (LAST, back)], 1007, Violation::CorruptData);
    }
    // At once, not at the end of the message.
    for role in ROLES {
        let mut end = end(role, &Config::default(), WIDE);
        end.read(&to(role, BINARY_BEGINS | RSV1, [0x07; 100])[..12]);
        end.assert_violated(1007, Violation::CorruptData);
    }
}

#[test]
fn d3_a_bomb_is_refused_while_it_is_inflated() {
    let bomb = alone(&vec![0; 50_000_000]);
    assert!(bomb.len() < 60_000);
    for role in ROLES {
        for delivery in DELIVERIES {
            for (size, frame) in [(1, None), (100, Some(1 << 20)), (16 << 10, None), (usize::MAX, Some(1 << 20))] {
                let config = config(|config| {
                    config.delivery = delivery;
                    config.limits.frame = frame;
                });
                let mut end = end(role, &config, ALONE);
                let input = to(role, BINARY | RSV1, &bomb);
                let mut read = 0;
                for piece in input.chunks(size.min(input.len())) {
                    end.read(piece);
                    read += piece.len();
                    if end.outcome().is_some() {
                        break;
                    }
                }
                assert!(read < 4000 || size > 4000, "{read} bytes were read");
                let limit = 1 << 20;
                let violation =
                    frame.map_or(Violation::MessageTooBig { limit }, |limit| Violation::FrameTooBig { limit });
                assert_eq!(end.cause(), Some(&Cause::Violation(violation)));
                end.assert_violated(1009, violation);
                let handed_out: usize = end.seen.iter().map(chunk_len).sum();
                assert!(handed_out <= limit);
            }
        }
    }
}

fn chunk_len(event: &Seen) -> usize {
    match event {
        Seen::Chunk { payload, .. } => payload.len(),
        _ => 0,
    }
}

/// The limits are on what a message and its frames inflate to; what they declare may be more by the headers of blocks.
#[test]
fn limits_hold_exactly() {
    let payload = vec![b'x'; 1000];
    let data = alone(&payload);
    for role in ROLES {
        for delivery in DELIVERIES {
            let limited = |message, frame| {
                config(|config| {
                    config.delivery = delivery;
                    (config.limits.message, config.limits.frame) = (Some(message), Some(frame));
                })
            };
            let mut exact = end(role, &limited(1000, 1000), WIDE);
            exact.read_frame(TEXT | RSV1, &data);
            assert_eq!(put_together(&exact.seen), [Seen::Text("x".repeat(1000))]);
            exact.assert_open();

            let mut over = end(role, &limited(999, 1000), WIDE);
            over.read_frame(TEXT | RSV1, &data);
            over.assert_violated(1009, Violation::MessageTooBig { limit: 999 });

            let mut over = end(role, &limited(1000, 999), WIDE);
            over.read_frame(TEXT | RSV1, &data);
            over.assert_violated(1009, Violation::FrameTooBig { limit: 999 });

            // Frame by frame, however small they are as they come.
            let (front, back) = data.split_at(data.len() / 2);
            let mut parts = end(role, &limited(1000, 999), WIDE);
            parts.read_frame(TEXT_BEGINS | RSV1, front);
            parts.read_frame(LAST, back);
            assert_eq!(put_together(&parts.seen), [Seen::Text("x".repeat(1000))]);

            let mut over = end(role, &limited(2000, 800), WIDE);
            over.read(header_to(role, TEXT | RSV1, 800 + 800 / 16 + 64));
            over.assert_open();
            let mut over = end(role, &limited(2000, 800), WIDE);
            over.read(header_to(role, TEXT | RSV1, 800 + 800 / 16 + 64 + 1));
            over.assert_violated(1009, Violation::FrameTooBig { limit: 800 });

            // What is declared and not even there counts too, but for the headers of blocks.
            let mut over = end(role, &limited(1000, 2000), WIDE);
            over.read(header_to(role, TEXT | RSV1, 1000 + 1000 / 16 + 64));
            over.assert_open();
            let mut over = end(role, &limited(1000, 2000), WIDE);
            over.read(header_to(role, TEXT | RSV1, 1000 + 1000 / 16 + 64 + 1));
            over.assert_violated(1009, Violation::MessageTooBig { limit: 1000 });
        }
    }
}

#[test]
fn d4_blocks_of_every_kind_are_delivered() {
    let mut random = Random(4);
    for payload in samples() {
        let text = String::from_utf8(payload.clone()).ok();
        let mut data = vec![alone(&payload)];
        for level in [0, 1, 6] {
            data.push(other_compressed(&mut other(level, 15, 1), &payload));
        }
        for data in data {
            for role in ROLES {
                for delivery in DELIVERIES {
                    let (first, expected) = match &text {
                        Some(text) => (TEXT, Seen::Text(text.clone())),
                        None => (BINARY, Seen::Binary(payload.clone())),
                    };
                    let mut end = end(role, &config(|config| config.delivery = delivery), ALONE);
                    let (front, back) = data.split_at(random.below(data.len() + 1));
                    end.read(to(role, first | RSV1, &data));
                    end.read(
                        [to(role, first & !LAST | RSV1, front), to(role, PING, "p"), to(role, LAST, back)].concat(),
                    );
                    let seen = put_together(
                        &end.seen.iter().filter(|&event| *event != ping("p")).cloned().collect::<Vec<_>>(),
                    );
                    assert!(seen == [expected.clone(), expected], "{} bytes", payload.len());
                    end.assert_open();
                    for event in &end.seen {
                        assert!(chunk_len(event) <= 10 << 10, "a chunk of {} bytes", chunk_len(event));
                    }
                }
            }
        }
    }
}

#[test]
fn d5_what_looks_back_too_far_is_refused() {
    let mut random = Random(5);
    for bits in 9..=15 {
        let window = 1_usize << bits;
        let narrow = Agreed { receive_window_bits: bits, ..WIDE };
        let part = noise(&mut random, 300);
        // The same 300 bytes again, so far behind their first beginning.
        let message = |distance: usize| {
            let between = noise(&mut Random(9), distance - part.len());
            [&part[..], &between, &part].concat()
        };
        for (distance, is_fine) in [(window - 1, true), (window + 1, bits == 15)] {
            let payload = message(distance);
            let data = alone(&payload);
            for role in ROLES {
                // In one message, and over the border between two.
                let mut end_one = end(role, &Config::default(), narrow);
                end_one.read_frame(BINARY | RSV1, &data);
                let mut both = Compressor::new(15, 9, 8);
                let (front, back) = payload.split_at(distance);
                let mut end_two = end(role, &Config::default(), narrow);
                end_two.read_frame(BINARY | RSV1, compressed(&mut both, front));
                end_two.read_frame(BINARY | RSV1, compressed(&mut both, back));
                for mut end in [end_one, end_two] {
                    if is_fine && distance < 1 << 15 {
                        end.assert_open();
                    } else if !is_fine {
                        end.assert_violated(1007, Violation::CorruptData);
                    }
                }
            }
        }
    }
}

/// Exactly as far as the window, which compressors hardly ever do: built by hand.
#[test]
fn d5_the_window_is_exact() {
    for bits in 9..=14_u8 {
        let window = 1_u16 << bits;
        for (distance, is_fine) in [(window, true), (window + 1, false)] {
            // A stored block of twice the window; then, by fixed codes, three bytes from `distance` before.
            let stored = vec![b'x'; usize::from(window) * 2];
            let len = stored.len() as u16;
            let mut data = [&[0x00][..], &len.to_le_bytes(), &(!len).to_le_bytes(), &stored].concat();
            let (symbol, extra_bits, extra) = match distance - 1 {
                x if x.is_power_of_two() => (2 * x.ilog2() as u16, x.ilog2() - 1, 0),
                x => (2 * x.ilog2() as u16 + 1, x.ilog2() - 1, x & ((1 << (x.ilog2() - 1)) - 1)),
            };
            let mut bits_out = vec![];
            let mut put = |value: u16, n: u32, high_first: bool| {
                (0..n).for_each(|i| bits_out.push(value >> if high_first { n - 1 - i } else { i } & 1 == 1));
            };
            put(0b010, 3, false);
            put(0b000_0001, 7, true); // a length of 3
            put(symbol, 5, true);
            put(extra, extra_bits, false);
            put(0, 7, true); // the block ends
            put(0, 3, false); // an empty stored block
            data.extend(
                bits_out.chunks(8).map(|byte| byte.iter().rev().fold(0, |value, &bit| value << 1 | u8::from(bit))),
            );
            for role in ROLES {
                let mut end = end(role, &Config::default(), Agreed { receive_window_bits: bits, ..WIDE });
                end.read_frame(BINARY | RSV1, &data);
                if is_fine {
                    assert_eq!(end.seen, [binary(vec![b'x'; stored.len() + 3])]);
                    end.assert_open();
                } else {
                    end.assert_violated(1007, Violation::CorruptData);
                }
            }
        }
    }
}

#[test]
fn d6_text_is_checked_as_it_is_inflated() {
    let bad: [&[u8]; 4] = [b"ab\xFFcd", b"\xC0\xAF", b"\xED\xA0\x80", b"cut short \xF0\x9F\x98"];
    for payload in bad {
        let data = alone(payload);
        refused(WIDE, &[(TEXT | RSV1, &data)], 1007, Violation::InvalidUtf8);
        let (front, back) = data.split_at(data.len() / 2);
        refused(ALONE, &[(TEXT_BEGINS | RSV1, front), (LAST, back)], 1007, Violation::InvalidUtf8);
        delivered(WIDE, &[(BINARY | RSV1, &data)], &[binary(payload)]);
    }
    // A character may be cut anywhere, by frames and by blocks.
    let text_of_all = "κόσμε 😀 naïve 日本語";
    let data = alone(text_of_all.as_bytes());
    for at in 0..data.len() {
        let (front, back) = data.split_at(at);
        delivered(ALONE, &[(TEXT_BEGINS | RSV1, front), (LAST, back)], &[text(text_of_all)]);
    }
    // What is wrong is seen before the message ends.
    for role in ROLES {
        let mut data = vec![];
        Compressor::new(15, 6, 8).compress(b"ab\xFFcd", &mut data);
        let mut end = end(role, &Config::default(), WIDE);
        end.read_frame(TEXT_BEGINS | RSV1, &data);
        end.assert_violated(1007, Violation::InvalidUtf8);
    }
}

// ---- what is sent ----

/// What `end` wrote, read by another end with the parameters turned around.
#[track_caller]
fn read_back(end: &End, agreed: Agreed) -> Vec<Seen> {
    let turned = Agreed {
        receive_window_bits: agreed.send_window_bits,
        receive_context_takeover: agreed.send_context_takeover,
        ..agreed
    };
    let role = if end.role() == Role::Server { Role::Client } else { Role::Server };
    let mut other = crate::messages::end(role, &Config::default(), turned);
    for piece in end.written.chunks(1000) {
        other.read(piece);
    }
    other.assert_open();
    other.seen.clone()
}

#[test]
fn all_that_is_sent_is_understood() {
    for role in ROLES {
        for takeover in [false, true] {
            for bits in 8..=15 {
                let agreed = Agreed { send_window_bits: bits, send_context_takeover: takeover, mem_level: 5, ..WIDE };
                let mut end = end(role, &config(|config| config.limits.hard_cap = usize::MAX), agreed);
                let mut expected = vec![];
                for payload in samples() {
                    end.connection.send(Message::from(payload.clone())).unwrap();
                    end.connection.send_binary(&payload).unwrap();
                    let (front, back) = payload.split_at(payload.len() / 3);
                    end.connection.send_fragment(Message::from(front), false).unwrap();
                    end.connection.ping(end.now).unwrap();
                    end.connection.send_fragment(Message::from(back), true).unwrap();
                    expected.extend([payload.clone(), payload.clone(), payload].map(Seen::Binary));
                    end.settle();
                }
                let seen = read_back(&end, agreed);
                let seen: Vec<_> = seen.into_iter().filter(|event| matches!(event, Seen::Binary(_))).collect();
                assert!(seen == expected, "{role:?}, takeover {takeover}, window {bits}");
            }
        }
    }
}

#[test]
fn what_is_compressed_is_chosen_by_length_and_by_message() {
    let agreed = Agreed { threshold: 100, ..WIDE };
    let (short, long) = ("x".repeat(99), "x".repeat(100));
    for role in ROLES {
        let mut end = end(role, &Config::default(), agreed);
        let connection = &mut end.connection;
        connection.send_text(&short).unwrap();
        connection.send_text(&long).unwrap();
        connection.send(short.clone().into()).unwrap();
        connection.send(long.clone().into()).unwrap();
        for (message, compress) in [
            (&short, Compress::Default),
            (&long, Compress::Default),
            (&short, Compress::Always),
            (&long, Compress::Always),
            (&short, Compress::Never),
            (&long, Compress::Never),
        ] {
            connection.send_with(message.clone().into(), compress).unwrap();
        }
        end.settle();
        let sent: Vec<_> = end.frames().iter().map(|frame| frame.first & RSV1 != 0).collect();
        assert_eq!(sent, [false, true, false, true, false, true, true, true, false, false]);
        let expected = [&short, &long, &short, &long, &short, &long, &short, &long, &short, &long];
        assert_eq!(read_back(&end, agreed), expected.map(|message| text(message)));
    }
}

#[test]
fn fragments_say_it_once_and_can_be_read_as_they_come() {
    for role in ROLES {
        for takeover in [false, true] {
            let agreed = Agreed { send_context_takeover: takeover, threshold: 1000, ..WIDE };
            let mut end = end(role, &Config::default(), agreed);
            for (compress, expected) in [
                (Compress::Default, [RSV1 | TEXT_BEGINS, CONTINUES, LAST]),
                (Compress::Always, [RSV1 | TEXT_BEGINS, CONTINUES, LAST]),
                (Compress::Never, [TEXT_BEGINS, CONTINUES, LAST]),
            ] {
                end.written.clear();
                end.connection.send_fragment_with("Hello, ".into(), false, compress).unwrap();
                // A whole message in between is refused, and changes nothing.
                let refused = end.connection.send_with("amid".into(), Compress::Always);
                assert_eq!(refused, Err(SendError::Unfinished("amid".into())));
                end.connection.send_fragment_with("".into(), false, Compress::Never).unwrap();
                end.connection.send_fragment_with("world".into(), true, Compress::Never).unwrap();
                end.settle();
                let frames = end.frames();
                assert_eq!(frames.iter().map(|frame| frame.first).collect::<Vec<_>>(), expected);
                if compress != Compress::Never {
                    let payloads: Vec<_> = frames.iter().map(|frame| frame.payload.ends_with(&TAIL)).collect();
                    assert_eq!(payloads, [true, true, false], "the tail goes at the end of the message only");
                }
            }
            // One fragment that is all there is goes by its length.
            end.written.clear();
            end.connection.send_fragment("short".into(), true).unwrap();
            end.settle();
            assert_eq!(end.payloads(TEXT), [b"short"]);
        }
    }
}

#[test]
fn what_does_not_become_shorter_goes_as_it_is() {
    let payload = noise(&mut Random(1), 1000);
    for role in ROLES {
        for takeover in [false, true] {
            let agreed = Agreed { send_context_takeover: takeover, ..WIDE };
            let mut end = end(role, &Config::default(), agreed);
            for _ in 0..3 {
                end.connection.send(payload.clone().into()).unwrap();
                end.connection.send_text(&"text ".repeat(100)).unwrap();
            }
            end.settle();
            let bits: Vec<_> = end.frames().iter().map(|frame| frame.first & RSV1 != 0).collect();
            // With takeover the next message may look back on it, so the peer must have it too.
            assert_eq!(bits, [takeover, true, takeover, true, takeover, true]);
            let expected = [Seen::Binary(payload.clone()), text(&"text ".repeat(100))];
            assert!(read_back(&end, agreed) == expected.iter().cycle().take(6).cloned().collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_refused_message_leaves_no_trace() {
    for role in ROLES {
        let tight = config(|config| (config.limits.high_water, config.limits.hard_cap) = (10, 200));
        let mut end = end(role, &tight, WIDE);
        end.writable = false;
        end.connection.send_text("Hello").unwrap();
        end.connection.send_text("Hello").unwrap();
        let refused = Message::from("not this one, which is longer ".repeat(20));
        let result = end.connection.send_with(refused.clone(), Compress::Always);
        assert_eq!(result, Err(SendError::Full(refused)));
        end.writable = true;
        end.settle();
        end.connection.send_text("Hello").unwrap();
        end.settle();
        assert_eq!(read_back(&end, WIDE), [text("Hello"), text("Hello"), text("Hello")]);
    }
}

/// Each way on its own: what one side may look back on says nothing of the other.
#[test]
fn context_takeover_is_one_ways_affair() {
    for (send, receive) in [(false, false), (false, true), (true, false), (true, true)] {
        let agreed = Agreed { send_context_takeover: send, receive_context_takeover: receive, ..WIDE };
        for role in ROLES {
            let mut end = end(role, &Config::default(), agreed);
            end.connection.send_text("Hello").unwrap();
            end.connection.send_text("Hello").unwrap();
            end.settle();
            let frames = end.frames();
            assert_eq!(frames[1].payload.len() < frames[0].payload.len(), send);
            end.read_frame(TEXT | RSV1, HELLO);
            end.read_frame(TEXT | RSV1, [0xF2, 0x00, 0x11, 0x00, 0x00]);
            match receive {
                true => end.assert_open(),
                false => end.assert_violated(1007, Violation::CorruptData),
            }
        }
    }
}

/// Compressed once, the same bytes for every server with these parameters; what comes after looks back on it where it may.
#[test]
fn prepared_messages_are_compressed_once_and_can_be_looked_back_on() {
    let long = vec![b'x'; 10_000];
    for (payload, bit) in [(&b"Hello, hello, hello, hello"[..], RSV1), (&long, RSV1), (&noise(&mut Random(3), 500), 0)]
    {
        let prepared = Prepared::new(payload);
        for role in ROLES {
            for bits in [9, 12, 15] {
                let mut frames = vec![];
                for takeover in [false, true] {
                    let agreed =
                        Agreed { send_window_bits: bits, send_context_takeover: takeover, threshold: 9, ..WIDE };
                    let mut end = end(role, &Config::default(), agreed);
                    for _ in 0..2 {
                        end.connection.send_prepared(&prepared).unwrap();
                    }
                    end.connection.send_with(payload.into(), Compress::Always).unwrap();
                    end.connection.send_prepared(&"short".into()).unwrap();
                    end.settle();
                    let seen = read_back(&end, agreed);
                    let mut expected = vec![Seen::Binary(payload.into()); 3];
                    expected.push(Seen::Text("short".into()));
                    assert!(seen == expected, "{role:?}, takeover {takeover}, window {bits}");
                    frames.push(end.frames().into_iter().map(|frame| (frame.first, frame.payload)).collect::<Vec<_>>());
                }
                let [alone, looking_back] = &frames[..] else { unreachable!() };
                assert!(alone[..2] == looking_back[..2] && alone[0] == alone[1], "the same for all");
                assert_eq!((alone[0].0, alone[3].0), (BINARY | bit, TEXT));
                if payload.len() < 100 {
                    assert!(looking_back[2].1.len() < alone[2].1.len(), "it looks back on what was prepared");
                }
            }
        }
    }
}

/// Both ends of a connection, many messages each way, whole and in fragments, compressed and not.
#[test]
fn two_ends_talk() {
    let mut random = Random(77);
    for takeover in [false, true] {
        for bits in [9, 12, 15] {
            let agreed = Agreed {
                send_window_bits: bits,
                receive_window_bits: bits,
                send_context_takeover: takeover,
                receive_context_takeover: takeover,
                mem_level: 5,
                level: 4,
                threshold: 32,
            };
            let mut ends = ROLES.map(|role| end(role, &Config::default(), agreed));
            let mut sent = [vec![], vec![]];
            for _ in 0..150 {
                let from = random.below(2);
                let len = random.pick(&[0, 1, 31, 32, 200, 1000, 5000, 20_000]);
                let payload = if random.below(4) == 0 { noise(&mut random, len) } else { json(&mut random, len) };
                let compress = random.pick(&[Compress::Default, Compress::Always, Compress::Never]);
                let end = &mut ends[from];
                let whole = random.below(4);
                if whole == 0 {
                    let (front, back) = payload.split_at(random.below(len + 1));
                    end.connection.send_fragment_with(front.into(), false, compress).unwrap();
                    end.connection.send_fragment_with(back.into(), true, compress).unwrap();
                } else if whole == 1 {
                    end.connection.send_prepared(&Prepared::new(payload.clone())).unwrap();
                } else {
                    end.connection.send_with(payload.clone().into(), compress).unwrap();
                }
                sent[from].push(Seen::Binary(payload));
                end.settle();
                let written = std::mem::take(&mut end.written);
                let size = 1 + random.below(3000);
                written.chunks(size).for_each(|piece| ends[1 - from].read(piece));
            }
            assert!(ends[1].seen == sent[0] && ends[0].seen == sent[1], "takeover {takeover}, window {bits}");
        }
    }
}
