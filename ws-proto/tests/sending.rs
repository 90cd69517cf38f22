//! The sending side: frames as RFC 6455 §5 wants them, the queue's two marks, and what is refused.

mod common;

use common::*;
use ws_proto::{Buf, Bytes, Config, Message, Prepared, Role, SendError};

fn marks(high_water: usize, hard_cap: usize) -> Config {
    config(|config| {
        config.limits.high_water = high_water;
        config.limits.hard_cap = hard_cap;
    })
}

fn stuck(role: Role, config: &Config) -> End {
    let mut end = End::new(role, config);
    end.writable = false;
    end
}

fn letters(len: usize) -> String {
    ('a'..='z').cycle().take(len).collect()
}

// ---- frames ----

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
            let letters = letters(len);
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
        [(Message::from(vec![7; 5000]), true), (letters(5000).into(), true), ("short".into(), false)]
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
        let mut end = End::new(role, &Config::default());
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
            end.connection.send(letters(10_000).into()).unwrap();
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

// ---- the queue ----

#[test]
fn written_and_queued_count_all_bytes() {
    for role in ROLES {
        let mut end = stuck(role, &Config::default());
        let first = from(role, TEXT, "0123456789").len() as u64;
        let counters = |end: &mut End| {
            let outgoing = end.connection.outgoing();
            assert_eq!(outgoing.remaining(), outgoing.len());
            assert_eq!(outgoing.queued() - outgoing.written(), outgoing.len() as u64);
            assert_eq!(outgoing.is_empty(), !outgoing.has_remaining());
            (outgoing.written(), outgoing.queued())
        };
        assert_eq!(counters(&mut end), (0, 0));
        end.connection.send("0123456789".into()).unwrap();
        assert_eq!(counters(&mut end), (0, first));
        assert_eq!(end.connection.queued() as u64, first);
        end.take(3);
        assert_eq!(counters(&mut end), (3, first));
        end.connection.send(vec![0; 100_000].into()).unwrap();
        let second = first + from(role, BINARY, vec![0; 100_000]).len() as u64;
        assert_eq!(counters(&mut end), (3, second));
        end.take(50_000);
        assert_eq!(counters(&mut end), (50_003, second));
        end.take(usize::MAX);
        assert_eq!(counters(&mut end), (second, second));
        assert_eq!(end.written.len() as u64, second);
    }
}

#[test]
fn a_pong_that_waits_is_counted_among_what_waits() {
    // A driver may ask for `queued` to know whether there is something to write.
    for role in ROLES {
        let mut end = stuck(role, &Config::default());
        end.read_frame(PING, "p");
        assert_eq!(end.connection.queued(), from(role, PONG, "p").len());
    }
}

#[test]
fn the_same_bytes_come_out_whatever_the_steps() {
    let fill = |end: &mut End| {
        for len in [0, 1, 125, 126, 4095, 4096, 5000, 65_536, 7, 70_000, 3] {
            end.connection.send(letters(len).into()).unwrap();
            end.read_frame(PING, len.to_be_bytes());
        }
        end.close(1000, "done");
    };
    for role in ROLES {
        let mut whole = stuck(role, &Config::default());
        fill(&mut whole);
        whole.take(usize::MAX);
        for step in [1, 2, 3, 7, 100, 4096, 65_535, 65_536] {
            let mut end = stuck(role, &Config::default());
            fill(&mut end);
            while end.connection.outgoing().has_remaining() {
                end.take(step);
            }
            assert!(end.written == whole.written, "{role:?} in steps of {step}");
        }
    }
}

#[test]
fn a_server_keeps_a_large_payload_by_reference() {
    let payload = Bytes::from(vec![0xCD; 100_000]);
    let mut end = stuck(Role::Server, &Config::default());
    end.connection.send(Message::Binary(payload.clone())).unwrap();
    let outgoing = end.connection.outgoing();
    assert_eq!(outgoing.chunk(), [0x82, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xA0]);
    outgoing.advance(10);
    assert_eq!((outgoing.chunk().as_ptr(), outgoing.chunk().len()), (payload.as_ptr(), payload.len()));
}

#[test]
fn small_messages_lie_next_to_each_other() {
    for role in ROLES {
        let mut end = stuck(role, &Config::default());
        for _ in 0..100 {
            end.connection.send("small".into()).unwrap();
        }
        let outgoing = end.connection.outgoing();
        assert_eq!(outgoing.chunk().len(), outgoing.len(), "one write takes them all");
    }
}

#[test]
fn below_the_high_water_mark_there_is_room_for_anything() {
    for role in ROLES {
        let header = from(role, BINARY, "").len();
        let mut end = stuck(role, &marks(100, 200));
        assert!(!end.connection.is_above_high_water());
        end.connection.send_binary(&vec![0; 99 - header]).unwrap();
        assert_eq!((end.connection.queued(), end.connection.is_above_high_water()), (99, false));
        end.connection.send_binary(&[0; 10_000]).unwrap();
        assert!(end.connection.is_above_high_water());
    }
}

#[test]
fn from_the_high_water_mark_on_there_is_room_up_to_the_cap() {
    for role in ROLES {
        let header = from(role, BINARY, "").len();
        let mut end = stuck(role, &marks(100, 200));
        end.connection.send_binary(&vec![0; 100 - header]).unwrap();
        assert_eq!((end.connection.queued(), end.connection.is_above_high_water()), (100, true));
        // A header counts for its 14 bytes at most.
        assert_eq!(end.connection.send_binary(&[0; 87]), Err(SendError::Full(())));
        end.connection.send_binary(&[0; 86]).unwrap();
        assert!(end.connection.queued() <= 200);
    }
}

#[test]
fn a_refused_message_comes_back_and_nothing_is_queued() {
    for role in ROLES {
        let mut end = stuck(role, &marks(100, 200));
        end.connection.send_binary(&[0; 150]).unwrap();
        let before = end.connection.queued();
        let text = Message::from(letters(100));
        let binary = Message::from(vec![1; 100]);
        assert_eq!(end.connection.send(text.clone()), Err(SendError::Full(text.clone())));
        assert_eq!(end.connection.send(binary.clone()), Err(SendError::Full(binary.clone())));
        assert_eq!(end.connection.send_text(&letters(100)), Err(SendError::Full(())));
        assert_eq!(end.connection.send_binary(&[1; 100]), Err(SendError::Full(())));
        assert_eq!(end.connection.send_prepared(&text.clone().into()), Err(SendError::Full(())));
        for last in [false, true] {
            let refused = end.connection.send_fragment(text.clone(), last);
            assert_eq!(refused.clone(), Err(SendError::Full(text.clone())));
            assert_eq!(refused.unwrap_err().into_message(), text);
        }
        assert_eq!(end.connection.queued(), before);

        // A refused fragment has begun nothing; once there is room all goes on as if it had never been.
        end.take(before - 99);
        end.connection.send(binary.clone()).unwrap();
        end.take(usize::MAX);
        assert_eq!(end.payloads(BINARY), [vec![0; 150], vec![1; 100]]);
        assert_eq!(end.frames().len(), 2);
    }
}

#[test]
fn a_fragment_refused_in_the_middle_can_be_sent_again() {
    for role in ROLES {
        let mut end = stuck(role, &marks(100, 200));
        end.connection.send_fragment(vec![b'a'; 150].into(), false).unwrap();
        let next = Message::from(vec![b'b'; 150]);
        let back = end.connection.send_fragment(next, true).unwrap_err().into_message();
        end.take(usize::MAX);
        end.connection.send_fragment(back, true).unwrap();
        end.take(usize::MAX);
        let frames: Vec<(u8, usize)> = end.frames().iter().map(|frame| (frame.first, frame.payload.len())).collect();
        assert_eq!(frames, [(BINARY_BEGINS, 150), (LAST, 150)]);
    }
}

#[test]
fn at_the_cap_pings_are_refused_but_pongs_and_the_close_are_not() {
    for role in ROLES {
        let mut end = stuck(role, &marks(100, 200));
        end.connection.send_binary(&[0; 300]).unwrap();
        assert_eq!(end.connection.ping(end.now), Err(SendError::Full(())));
        end.read_frame(PING, "p");
        end.close(1000, "");
        end.take(usize::MAX);
        let firsts: Vec<u8> = end.frames().iter().map(|frame| frame.first).collect();
        assert_eq!(firsts, [BINARY, PONG, CLOSE]);
    }
}

#[test]
fn a_keepalive_ping_that_finds_no_room_waits_for_its_next_turn() {
    for role in ROLES {
        let mut config = marks(100, 200);
        config.deadlines.write_stall = None;
        let mut end = stuck(role, &config);
        end.connection.send_binary(&[0; 300]).unwrap();
        end.wait_until(at(30));
        end.writable = true;
        end.settle();
        assert_eq!(end.payloads(PING).len(), 0);
        end.wait_until(at(40));
        assert_eq!(end.payloads(PING).len(), 1);
        end.assert_open();
    }
}

#[test]
fn the_default_marks_are_64_kib_and_one_mib_over_it() {
    let limits = Config::default().limits;
    assert_eq!((limits.high_water, limits.hard_cap), (64 << 10, (1 << 20) + (64 << 10)));
    for role in ROLES {
        let mut end = stuck(role, &Config::default());
        let kib = [0; 1024];
        let mut sent = 0;
        while end.connection.send_binary(&kib).is_ok() {
            sent += 1;
            assert_eq!(end.connection.is_above_high_water(), end.connection.queued() >= 64 << 10);
        }
        let frame = from(role, BINARY, kib).len();
        assert_eq!(sent, (limits.hard_cap - 14 - 1024) / frame + 1);
        assert!(end.connection.queued() <= limits.hard_cap);
    }
}

// ---- after the end ----

#[test]
fn nothing_is_sent_after_a_close_and_what_was_to_be_comes_back() {
    for role in ROLES {
        let endings: [fn(&mut End); 6] = [
            |end| end.close(1000, ""),
            |end| end.read_frame(CLOSE, b"\x03\xE8"),
            |end| end.read_frame(0x83, ""),
            |end| end.eof(),
            |end| end.fail(),
            |end| end.abort(),
        ];
        for ending in endings {
            let mut end = End::new(role, &Config::default());
            ending(&mut end);
            let written = end.written.clone();
            let message = Message::from("late");
            assert_eq!(end.connection.send(message.clone()), Err(SendError::Closed(message.clone())));
            assert_eq!(end.connection.send_text("late"), Err(SendError::Closed(())));
            assert_eq!(end.connection.send_binary(b"late"), Err(SendError::Closed(())));
            assert_eq!(end.connection.send_prepared(&"late".into()), Err(SendError::Closed(())));
            assert_eq!(end.connection.send_fragment(message.clone(), true), Err(SendError::Closed(message)));
            assert_eq!(end.connection.ping(end.now), Err(SendError::Closed(())));
            end.settle();
            assert_eq!(end.written, written);
        }
    }
}

#[test]
fn what_was_queued_before_the_close_still_goes_out() {
    for role in ROLES {
        let closings: [fn(&mut End); 3] =
            [|end| end.close(1000, ""), |end| end.read_frame(CLOSE, b"\x03\xE8"), |end| end.read_frame(0x83, "")];
        for closing in closings {
            let mut end = stuck(role, &Config::default());
            end.connection.send("first".into()).unwrap();
            end.connection.send(letters(100_000).into()).unwrap();
            closing(&mut end);
            end.take(usize::MAX);
            let frames = end.frames();
            assert_eq!(frames.iter().map(|frame| frame.first).collect::<Vec<_>>(), [TEXT, TEXT, CLOSE]);
            assert_eq!(frames[1].payload, letters(100_000).as_bytes());
        }
    }
}

#[test]
fn what_was_queued_is_gone_when_the_transport_is() {
    for role in ROLES {
        let endings: [fn(&mut End); 3] = [|end| end.eof(), |end| end.fail(), |end| end.abort()];
        for ending in endings {
            let mut end = stuck(role, &Config::default());
            end.connection.send(letters(100_000).into()).unwrap();
            end.read_frame(PING, "p");
            end.take(10);
            ending(&mut end);
            assert!(end.connection.outgoing().is_empty());
            assert_eq!(end.connection.outgoing().written(), 10);
            end.assert_over();
        }
    }
}
