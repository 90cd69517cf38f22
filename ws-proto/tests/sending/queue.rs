//! The outgoing queue: its count, its memory, and its limits.

use ws_proto::{Buf, Bytes, Config, Message, Role, SendError};

use super::*;
use crate::common::*;

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
            end.connection.send(alphabet(len).into()).unwrap();
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
        let text = Message::from(alphabet(100));
        let binary = Message::from(vec![1; 100]);
        assert_eq!(end.connection.send(text.clone()), Err(SendError::Full(text.clone())));
        assert_eq!(end.connection.send(binary.clone()), Err(SendError::Full(binary.clone())));
        assert_eq!(end.connection.send_text(&alphabet(100)), Err(SendError::Full(())));
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
