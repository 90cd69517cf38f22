//! Messages that come in (RFC 7692 §6.2, §7.2.2): what is refused, what is delivered, and the limits.

use ws_deflate::Compressor;
use ws_proto::{Cause, Config, Violation};

use super::ends::*;
use super::samples::*;
use crate::common::*;

#[test]
fn d1_the_bit_on_any_other_frame_is_refused() {
    for role in ROLES {
        for first in [PING, PONG, CLOSE] {
            let mut end = End::compressing(role, &Config::default(), WIDE);
            end.read(&to(role, first | RSV1, HELLO)[..1]);
            end.assert_violated(1002, Violation::ReservedBits);
        }
        for begins in [TEXT_BEGINS, TEXT_BEGINS | RSV1] {
            let mut end = End::compressing(role, &Config::default(), WIDE);
            end.read_frame(begins, "");
            end.read(&to(role, LAST | RSV1, "")[..1]);
            end.assert_violated(1002, Violation::ReservedBits);
        }
        for bits in [0x20, 0x10, 0x30, 0x60, 0x50, 0x70] {
            let mut end = End::compressing(role, &Config::default(), WIDE);
            end.read(&to(role, TEXT | bits, HELLO)[..1]);
            end.assert_violated(1002, Violation::ReservedBits);
        }
        // And on any frame when nothing was agreed on, or no longer.
        let mut end = End::compressing(role, &Config::default(), WIDE);
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
        let mut end = End::compressing(role, &Config::default(), WIDE);
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
                let mut end = End::compressing(role, &config, ALONE);
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
            let mut exact = End::compressing(role, &limited(1000, 1000), WIDE);
            exact.read_frame(TEXT | RSV1, &data);
            assert_eq!(put_together(&exact.seen), [Seen::Text("x".repeat(1000))]);
            exact.assert_open();

            let message = |limit| Violation::MessageTooBig { limit };
            let frame = |limit| Violation::FrameTooBig { limit };
            for (config, violation) in [(limited(999, 1000), message(999)), (limited(1000, 999), frame(999))] {
                let mut over = End::compressing(role, &config, WIDE);
                over.read_frame(TEXT | RSV1, &data);
                over.assert_violated(1009, violation);
            }

            // Frame by frame, however small they are as they come.
            let (front, back) = data.split_at(data.len() / 2);
            let mut parts = End::compressing(role, &limited(1000, 999), WIDE);
            parts.read_frame(TEXT_BEGINS | RSV1, front);
            parts.read_frame(LAST, back);
            assert_eq!(put_together(&parts.seen), [Seen::Text("x".repeat(1000))]);

            // What is declared and not even there counts too, but for the headers of blocks.
            for (config, limit, violation) in
                [(limited(2000, 800), 800, frame(800)), (limited(1000, 2000), 1000, message(1000))]
            {
                let most = limit + limit / 16 + 64;
                let mut end = End::compressing(role, &config, WIDE);
                end.read(header_to(role, TEXT | RSV1, most));
                end.assert_open();
                let mut over = End::compressing(role, &config, WIDE);
                over.read(header_to(role, TEXT | RSV1, most + 1));
                over.assert_violated(1009, violation);
            }
        }
    }
}

/// RFC 7692 §7.2.2: what is left out at the end is put there, whatever it means then.
#[test]
fn d4_what_comes_of_the_bytes_that_were_left_out_is_delivered() {
    let data = &[0x00, 0x06, 0x00, 0xF9, 0xFF, b'a', b'b'][..];
    let (inflated, _) = other_inflated(&mut zlib_rs::Inflate::new(false, 15), data, 100).unwrap();
    assert_eq!(inflated, b"ab\x00\x00\xFF\xFF");
    let frames = [(BINARY | RSV1, data), (BINARY_BEGINS | RSV1, data), (LAST, b"")];
    for agreed in [WIDE, ALONE] {
        delivered(agreed, &frames, &[binary(&inflated), binary(&inflated)]);
    }
    refused(WIDE, &[(TEXT | RSV1, data)], 1007, Violation::InvalidUtf8);
    for role in ROLES {
        for delivery in DELIVERIES {
            let most = config(|config| (config.limits.message, config.delivery) = (Some(5), delivery));
            let mut end = End::compressing(role, &most, WIDE);
            end.read_frame(BINARY | RSV1, data);
            end.assert_violated(1009, Violation::MessageTooBig { limit: 5 });
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
                    let mut end = End::compressing(role, &config(|config| config.delivery = delivery), ALONE);
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
fn d5_references_too_far_back_are_refused() {
    let mut random = Random(5);
    for bits in 9..=15 {
        let window = 1_usize << bits;
        let narrow = wide(|agreed| agreed.receive_window_bits = bits);
        let part = random.bytes(300);
        // The same 300 bytes again, so far behind their first beginning.
        let message = |distance: usize| {
            let between = Random(9).bytes(distance - part.len());
            [&part[..], &between, &part].concat()
        };
        for (distance, is_fine) in [(window - 1, true), (window + 1, bits == 15)] {
            let payload = message(distance);
            let data = alone(&payload);
            for role in ROLES {
                // In one message, and over the border between two.
                let mut end_one = End::compressing(role, &Config::default(), narrow);
                end_one.read_frame(BINARY | RSV1, &data);
                let mut both = Compressor::new(settings(15, 9, 8));
                let (front, back) = payload.split_at(distance);
                let mut end_two = End::compressing(role, &Config::default(), narrow);
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
                let mut end =
                    End::compressing(role, &Config::default(), wide(|agreed| agreed.receive_window_bits = bits));
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
        Compressor::new(settings(15, 6, 8)).compress(b"ab\xFFcd", &mut data);
        let mut end = End::compressing(role, &Config::default(), WIDE);
        end.read_frame(TEXT_BEGINS | RSV1, &data);
        end.assert_violated(1007, Violation::InvalidUtf8);
    }
}
