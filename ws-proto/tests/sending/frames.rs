//! Which frames are written, and in which order.

use ws_proto::{Buf, Config, Message, Prepared, Role, SendError};

use super::*;
use crate::common::*;

#[test]
fn lengths_take_their_shortest_form() {
    for (len, header) in [
        (0, &[0x82, 0][..]),
        (1, &[0x82, 1]),
        (125, &[0x82, 125]),
        (126, &[0x82, 126, 0, 126]),
        (127, &[0x82, 126, 0, 127]),
        (65_535, &[0x82, 126, 0xFF, 0xFF]),
        (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        (100_000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xA0]),
    ] {
        let payload = vec![0xAB; len];
        let mut end = End::new(Role::Server, &Config::default());
        end.connection.send_binary(&payload).unwrap();
        end.settle();
        assert_eq!(end.written, [header, &payload].concat());
    }
}

#[test]
fn all_ways_to_send_a_message_write_the_same_bytes() {
    for role in ROLES {
        // On both sides of where payloads begin to be kept by reference, and over a segment.
        for len in [0, 1, 125, 126, 4095, 4096, 4097, 65_535, 65_536, 70_000, 200_000] {
            let letters = alphabet(len);
            let text: [&dyn Fn(&mut End); 4] = [
                &|end| end.connection.send(letters.as_str().into()).unwrap(),
                &|end| end.connection.send_text(&letters).unwrap(),
                &|end| end.connection.send_fragment(letters.as_str().into(), true).unwrap(),
                &|end| end.connection.send_prepared(&letters.as_str().into()).unwrap(),
            ];
            let binary: [&dyn Fn(&mut End); 4] = [
                &|end| end.connection.send(letters.as_bytes().into()).unwrap(),
                &|end| end.connection.send_binary(letters.as_bytes()).unwrap(),
                &|end| end.connection.send_fragment(letters.as_bytes().into(), true).unwrap(),
                &|end| end.connection.send_prepared(&letters.as_bytes().into()).unwrap(),
            ];
            for (first, ways) in [(TEXT, text), (BINARY, binary)] {
                for send in ways {
                    let mut end = End::new(role, &Config::default());
                    send(&mut end);
                    end.settle();
                    assert!(end.written == from(role, first, &letters), "{role:?}: {first:#x} of {len} bytes");
                }
            }
        }
    }
}

#[test]
fn servers_share_the_memory_of_a_long_prepared_message() {
    for (message, shared) in
        [(Message::from(vec![7; 5000]), true), (alphabet(5000).into(), true), ("short".into(), false)]
    {
        let prepared = Prepared::new(message.clone());
        assert_eq!(prepared.message(), &message);
        let payload = prepared.message().as_bytes().as_ptr_range();
        for _ in 0..2 {
            let mut end = End::new(Role::Server, &Config::default());
            end.connection.send_prepared(&prepared).unwrap();
            assert_eq!(end.connection.outgoing().chunk().as_ptr_range().end == payload.end, shared);
        }
    }
}

#[test]
fn fragments_are_a_first_frame_continuations_and_a_last() {
    for role in ROLES {
        for (fragments, expected) in [
            (&["a", "b", "c"][..], &[(TEXT_BEGINS, "a"), (CONTINUES, "b"), (LAST, "c")][..]),
            (&["a", ""], &[(TEXT_BEGINS, "a"), (LAST, "")]),
            (&["", "", "x", ""], &[(TEXT_BEGINS, ""), (CONTINUES, ""), (CONTINUES, "x"), (LAST, "")]),
            (&["only"], &[(TEXT, "only")]),
        ] {
            let mut end = End::new(role, &Config::default());
            // Twice: the second message begins afresh.
            for _ in 0..2 {
                for (i, fragment) in fragments.iter().enumerate() {
                    end.connection.send_fragment((*fragment).into(), i + 1 == fragments.len()).unwrap();
                }
            }
            end.settle();
            let bytes: Vec<u8> = expected.iter().flat_map(|(first, payload)| from(role, *first, payload)).collect();
            assert_eq!(end.written, bytes.repeat(2));
        }
    }
}

#[test]
fn between_fragments_control_frames_may_go_and_nothing_else() {
    for role in ROLES {
        let mut end = End::new(role, &config(|config| config.ping_between_fragments = true));
        end.connection.send_fragment("one ".into(), false).unwrap();
        end.settle();

        let text = Message::from("whole");
        assert_eq!(end.connection.send(text.clone()), Err(SendError::Unfinished(text)));
        assert_eq!(end.connection.send_text("whole"), Err(SendError::Unfinished(())));
        assert_eq!(end.connection.send_binary(b"whole"), Err(SendError::Unfinished(())));
        assert_eq!(end.connection.send_prepared(&"whole".into()), Err(SendError::Unfinished(())));
        let other = Message::from(&b"other kind"[..]);
        for last in [false, true] {
            assert_eq!(end.connection.send_fragment(other.clone(), last), Err(SendError::Unfinished(other.clone())));
        }

        end.connection.ping(end.now).unwrap();
        end.read_frame(PING, "p");
        end.connection.send_fragment("two".into(), true).unwrap();
        end.connection.send("three".into()).unwrap();
        end.settle();
        let firsts: Vec<u8> = end.frames().iter().map(|frame| frame.first).collect();
        assert_eq!(firsts, [TEXT_BEGINS, PING, PONG, LAST, TEXT]);
    }
}

#[test]
fn a_close_may_cut_a_fragmented_message_short() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.connection.send_fragment("never ".into(), false).unwrap();
        end.close(1001, "");
        let rest = Message::from("finished");
        assert_eq!(end.connection.send_fragment(rest.clone(), true), Err(SendError::Closed(rest)));
        assert_eq!(end.written, [from(role, TEXT_BEGINS, "never "), from(role, CLOSE, b"\x03\xE9")].concat());
    }
}

#[test]
fn pongs_go_out_in_order_among_the_messages() {
    for role in ROLES {
        let mut end = stuck(role, &Config::default());
        for n in 0..5u8 {
            end.read_frame(PING, [n]);
            end.connection.outgoing();
            end.connection.send_binary(&[n]).unwrap();
        }
        end.close(1000, "");
        end.take(usize::MAX);
        let expected: Vec<u8> = (0..5u8)
            .flat_map(|n| [from(role, PONG, [n]), from(role, BINARY, [n])].concat())
            .chain(from(role, CLOSE, b"\x03\xE8"))
            .collect();
        assert_eq!(end.written, expected);
    }
}

#[test]
fn a_close_is_the_last_thing_whatever_waits() {
    for role in ROLES {
        let closings: [fn(&mut End); 3] =
            [|end| end.close(1000, ""), |end| end.read_frame(CLOSE, b"\x03\xE8"), |end| end.read_frame(0x83, "")];
        for closing in closings {
            let mut end = stuck(role, &Config::default());
            end.connection.send(alphabet(10_000).into()).unwrap();
            for n in 0..30u8 {
                end.read_frame(PING, [n]);
            }
            closing(&mut end);
            end.read_frame(PING, "late");
            end.take(usize::MAX);
            let frames = end.frames();
            assert_eq!(frames.len(), 1 + 16 + 1);
            assert_eq!(frames[0].payload.len(), 10_000);
            assert_eq!(frames.last().map(|frame| frame.first), Some(CLOSE));
        }
    }
}
