//! Messages that go out (RFC 7692 §6.1, §7.2.1).

use ws_deflate::TAIL;
use ws_proto::permessage_deflate::{Compress, DeflateParams};
use ws_proto::{Config, Message, Prepared, Role, SendError, Violation};

use super::ends::*;
use super::samples::*;
use crate::common::*;

/// What `end` wrote, read by another end with the parameters turned around.
#[track_caller]
fn read_back(end: &End, agreed: DeflateParams) -> Vec<Seen> {
    let mut turned = agreed;
    turned.receive_window_bits = agreed.send_window_bits;
    turned.receive_context_takeover = agreed.send_context_takeover;
    let role = if end.role() == Role::Server { Role::Client } else { Role::Server };
    let mut other = End::compressing(role, &Config::default(), turned);
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
                let agreed = wide(|agreed| {
                    agreed.send_window_bits = bits;
                    agreed.send_context_takeover = takeover;
                    agreed.mem_level = 5;
                });
                let config = config(|config| {
                    config.limits.hard_cap = usize::MAX;
                    config.ping_between_fragments = true;
                });
                let mut end = End::compressing(role, &config, agreed);
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
fn compression_is_chosen_by_length_and_by_message() {
    let agreed = wide(|agreed| agreed.threshold = 100);
    let (short, long) = ("x".repeat(99), "x".repeat(100));
    for role in ROLES {
        let mut end = End::compressing(role, &Config::default(), agreed);
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
            let agreed = wide(|agreed| {
                agreed.send_context_takeover = takeover;
                agreed.threshold = 1000;
            });
            let mut end = End::compressing(role, &Config::default(), agreed);
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
fn a_message_that_does_not_become_shorter_is_sent_uncompressed() {
    let payload = Random(1).bytes(1000);
    for role in ROLES {
        for takeover in [false, true] {
            let agreed = wide(|agreed| agreed.send_context_takeover = takeover);
            let mut end = End::compressing(role, &Config::default(), agreed);
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
        let mut end = End::compressing(role, &tight, WIDE);
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
        let agreed = wide(|agreed| {
            agreed.send_context_takeover = send;
            agreed.receive_context_takeover = receive;
        });
        for role in ROLES {
            let mut end = End::compressing(role, &Config::default(), agreed);
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
    for (payload, bit) in [(&b"Hello, hello, hello, hello"[..], RSV1), (&long, RSV1), (&Random(3).bytes(500), 0)] {
        let prepared = Prepared::new(payload);
        for role in ROLES {
            for bits in [9, 12, 15] {
                let mut frames = vec![];
                for takeover in [false, true] {
                    let agreed = wide(|agreed| {
                        agreed.send_window_bits = bits;
                        agreed.send_context_takeover = takeover;
                        agreed.threshold = 9;
                    });
                    let mut end = End::compressing(role, &Config::default(), agreed);
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
            let agreed = wide(|agreed| {
                (agreed.send_window_bits, agreed.receive_window_bits) = (bits, bits);
                (agreed.send_context_takeover, agreed.receive_context_takeover) = (takeover, takeover);
                (agreed.level, agreed.mem_level, agreed.threshold) = (4, 5, 32);
            });
            let mut ends = ROLES.map(|role| End::compressing(role, &Config::default(), agreed));
            let mut sent = [vec![], vec![]];
            for _ in 0..150 {
                let from = random.below(2);
                let len = random.pick(&[0, 1, 31, 32, 200, 1000, 5000, 20_000]);
                let payload = if random.below(4) == 0 { random.bytes(len) } else { json(&mut random, len) };
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
