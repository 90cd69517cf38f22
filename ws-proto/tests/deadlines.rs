//! Every other deadline: nothing happens just before it, and the right thing at it. And time that stands still or
//! jumps. (Pings and pongs are in `keepalive`.)

mod common;

use std::time::Duration;

use common::*;
use ws_proto::{Buf, Cause, CloseCode, Config, Delivery, Timestamp, Transport, Violation};

const DAY: u64 = 24 * 60 * 60;

// ---- closing ----

#[test]
fn a_close_must_be_answered_within_10_seconds() {
    for role in ROLES {
        for close in [10, 3] {
            let mut end = End::new(role, &config(|config| config.deadlines.close = secs(close)));
            end.wait_until(at(5));
            end.close(1000, "bye");
            assert_eq!(end.deadline(), Some(at(5 + close)));
            end.wait_until(just_before(5 + close));
            end.read_frame(TEXT, "this is no answer");
            assert_eq!(end.outcome(), None);
            end.wait_until(at(5 + close));
            let outcome = end.outcome().unwrap();
            assert_eq!((outcome.cause.clone(), outcome.code()), (Cause::CloseTimeout, CloseCode::ABNORMAL));
            assert_eq!(outcome.sent, Some(close_frame(1000, "bye")));
            end.assert_over();
        }
    }
}

#[test]
fn the_transport_must_end_within_the_same_10_seconds() {
    for role in ROLES {
        // We closed at 5 and the peer answered at 12; or the peer closed at 5. Then nobody ends the transport.
        let mut ours = End::new(role, &Config::default());
        ours.wait_until(at(5));
        ours.close(1000, "");
        ours.wait_until(at(12));
        ours.read_frame(CLOSE, close_body(1000, ""));

        let mut theirs = End::new(role, &Config::default());
        theirs.wait_until(at(5));
        theirs.read_frame(CLOSE, close_body(1000, ""));

        for mut end in [ours, theirs] {
            let outcome = end.outcome().cloned().unwrap();
            assert!(outcome.is_normal());
            end.wait_until(just_before(15));
            assert_ne!(end.transport(), Transport::Close);
            end.wait_until(at(15));
            assert_eq!(end.outcome(), Some(&outcome));
            end.assert_over();
        }
    }
}

#[test]
fn a_close_that_cannot_be_written_is_given_up_after_10_seconds() {
    for role in ROLES {
        let closings: [fn(&mut End); 3] = [
            |end| end.close(1000, ""),
            |end| end.read_frame(CLOSE, close_body(1000, "")),
            |end| end.read_frame(0x83, ""),
        ];
        for closing in closings {
            let mut end = End::new(role, &Config::default());
            end.writable = false;
            end.wait_until(at(5));
            closing(&mut end);
            end.wait_until(just_before(15));
            assert_eq!(end.transport(), Transport::Open);
            assert!(end.connection.outgoing().has_remaining());
            end.wait_until(at(15));
            end.assert_over();
        }
    }
}

#[test]
fn input_is_discarded_for_2_seconds_after_an_error_close_was_written() {
    for role in ROLES {
        // When it is written, and when it is over: 2 s later, but never after the closing deadline.
        for (written, over) in [(5, 7), (9, 11), (13, 15), (14, 15)] {
            let mut end = End::new(role, &Config::default());
            end.writable = false;
            end.wait_until(at(5));
            end.read_frame(0x83, "");
            end.wait_until(at(written));
            end.writable = true;
            end.settle();
            end.assert_violated(1002, Violation::ReservedOpcode(3));
            assert_eq!(end.deadline(), Some(at(over)));
            end.wait_until(just_before(over));
            end.read_frame(TEXT, "discarded");
            assert_eq!(end.transport(), Transport::HalfClose);
            end.wait_until(at(over));
            end.assert_over();
        }
    }
}

#[test]
fn the_time_for_discarding_can_be_set() {
    for role in ROLES {
        let mut end = End::new(role, &config(|config| config.deadlines.discard = secs(4)));
        end.read_frame(0x83, "");
        assert_eq!(end.deadline(), Some(at(4)));
    }
}

// ---- message progress ----

fn progress() -> Config {
    deadlines(|config| config.deadlines.message_progress = Some(secs(60)))
}

#[test]
fn f25_one_byte_every_19_seconds_is_dropped_at_the_message_progress_deadline() {
    for role in ROLES {
        for first in [TEXT, BINARY, TEXT_BEGINS] {
            let message = to(role, first, [b'x'; 100]);
            let mut end = End::new(role, &Config::default());
            for (n, byte) in message.iter().take(4).enumerate() {
                end.wait_until(at(19 * n as u64));
                end.read([*byte]);
            }
            end.wait_until(just_before(60));
            end.assert_open();
            end.wait_until(at(60));
            assert_eq!(end.before_closed(), []);
            end.assert_failed(1008, Cause::MessageTimeout);
        }
    }
}

#[test]
fn f25_one_byte_every_20_seconds_is_dropped_at_the_message_progress_deadline_wherever_it_stands() {
    for role in ROLES {
        let stalled = [
            (vec![], header_to(role, BINARY, 65_536)),
            (header_to(role, BINARY, 1000), vec![0; 3]),
            (to(role, TEXT_BEGINS, "between fragments"), header_to(role, LAST, 65_536)),
            (header_to(role, PING, 100), vec![0; 3]),
            ([to(role, TEXT_BEGINS, "in between"), header_to(role, CLOSE, 100)].concat(), vec![0; 3]),
        ];
        for (beginning, trickle) in stalled {
            let mut end = End::new(role, &progress());
            end.read(&beginning);
            for (n, byte) in trickle.into_iter().take(3).enumerate() {
                end.wait_until(at(20 * n as u64));
                end.read([byte]);
            }
            end.wait_until(just_before(60));
            assert_eq!(end.outcome(), None, "{beginning:02x?}");
            end.wait_until(at(60));
            end.assert_failed(1008, Cause::MessageTimeout);
        }
    }
}

#[test]
fn sixteen_kib_a_minute_is_progress_and_a_byte_less_is_not() {
    for role in ROLES {
        for (came, over) in [(16_384, 120), (16_383, 60)] {
            for size in [1, 1000, came] {
                let mut end = End::new(role, &progress());
                end.read(header_to(role, BINARY, 1 << 20));
                end.wait_until(at(30));
                vec![0; came].chunks(size).for_each(|piece| end.read(piece));
                end.wait_until(just_before(over));
                end.assert_open();
                end.wait_until(at(over));
                end.assert_failed(1008, Cause::MessageTimeout);
            }
        }
    }
}

#[test]
fn a_slow_message_that_keeps_its_pace_is_delivered() {
    for role in ROLES {
        let message = to(role, BINARY, vec![1; 1 << 20]);
        let mut end = End::new(role, &progress());
        // 64 pieces of 16 KiB, one a minute, cut so that the first holds the header as well.
        let header = message.len() - (1 << 20);
        end.read(&message[..header]);
        for (n, piece) in message[header..].chunks(16_384).enumerate() {
            end.wait_until(just_before(60 * (n as u64 + 1)));
            end.read(piece);
        }
        assert!(matches!(&end.seen[..], [Seen::Binary(bytes)] if bytes.len() == 1 << 20));
        assert_eq!(end.deadline(), None);
    }
}

#[test]
fn a_message_complete_just_in_time_is_in_time() {
    for role in ROLES {
        for message in [
            to(role, TEXT, "text"),
            to(role, PING, "text"),
            all_to(role, &[(TEXT_BEGINS, b"te"), (PING, b"p"), (LAST, b"xt")]),
        ] {
            for split in 1..message.len() {
                let mut end = End::new(role, &progress());
                end.read(&message[..split]);
                assert_eq!(end.deadline(), Some(at(60)), "{message:02x?} split at {split}");
                end.wait_until(just_before(60));
                end.read(&message[split..]);
                assert_eq!(end.deadline(), None);
                end.wait_until(at(600));
                end.assert_open();
                // And the next one has its own 60 seconds.
                end.read(&message[..split]);
                end.wait_until(just_before(660));
                end.assert_open();
                end.wait_until(at(660));
                end.assert_failed(1008, Cause::MessageTimeout);
            }
        }
    }
}

#[test]
fn what_was_read_at_the_deadline_counts() {
    for role in ROLES {
        let mut streaming = progress();
        streaming.delivery = Delivery::Chunks;
        for (config, message) in [
            (progress(), to(role, TEXT, "text")),
            (progress(), to(role, PING, "ping")),
            (progress(), to(role, PONG, "pong")),
            (streaming.clone(), to(role, TEXT, "text")),
            (streaming, to(role, TEXT_BEGINS, "a chunk")),
        ] {
            let (front, back) = message.split_at(message.len() - 1);
            let mut end = End::new(role, &config);
            end.read(front);
            end.wait_until(just_before(60));
            // "Read what is there before": the driver wakes up, reads, and then acts on the deadline.
            end.now = at(60);
            end.receive(back);
            end.wake();
            assert_eq!(end.outcome(), None, "nothing stands half-way: {message:02x?}");
        }
    }
}

#[test]
fn messages_one_behind_the_other_are_progress_even_when_each_read_ends_inside_one() {
    for role in ROLES {
        let messages = to(role, TEXT, "0123456789").repeat(100);
        let mut end = End::new(role, &progress());
        for (n, piece) in messages.chunks(17).enumerate() {
            end.wait_until(at(50 * n as u64));
            end.read(piece);
            assert_eq!(end.outcome(), None);
        }
        assert_eq!(end.seen.len(), 100);
    }
}

#[test]
fn streamed_messages_and_pings_one_behind_the_other_are_progress_too() {
    for role in ROLES {
        let mut streaming = progress();
        streaming.delivery = Delivery::Chunks;
        for (config, frame) in [
            (progress(), to(role, PING, "0123456789")),
            (streaming.clone(), to(role, PING, "0123456789")),
            (streaming, to(role, TEXT, "0123456789")),
        ] {
            let mut end = End::new(role, &config);
            // One more byte than a frame has, so that the reads end at every place of it.
            for (n, piece) in frame.repeat(100).chunks(frame.len() + 1).enumerate() {
                end.wait_until(at(50 * n as u64));
                end.read(piece);
                assert_eq!(end.outcome(), None, "{role:?} at {}", 50 * n);
            }
            assert_eq!(put_together(&end.seen).len(), 100);
        }
    }
}

#[test]
fn without_a_progress_deadline_a_message_may_stand_still() {
    for role in ROLES {
        let mut end = End::new(role, &deadlines(|_| ()));
        let message = to(role, TEXT, "slow");
        end.read(&message[..4]);
        assert_eq!(end.deadline(), None);
        end.wait_until(at(DAY));
        end.read(&message[4..]);
        assert_eq!(end.seen, [text("slow")]);
    }
}

#[test]
fn progress_can_be_set() {
    for role in ROLES {
        let mut config = deadlines(|config| config.deadlines.message_progress = Some(secs(5)));
        config.limits.progress = 10;
        for (came, over) in [(10, 10), (9, 5)] {
            let mut end = End::new(role, &config);
            end.read(header_to(role, BINARY, 100));
            end.read(vec![0; came]);
            end.wait_until(just_before(over));
            end.assert_open();
            end.wait_until(at(over));
            end.assert_failed(1008, Cause::MessageTimeout);
        }
    }
}

// ---- write stall ----

fn stall() -> Config {
    deadlines(|config| config.deadlines.write_stall = Some(secs(30)))
}

#[test]
fn a_transport_that_takes_nothing_for_30_seconds_is_given_up() {
    for role in ROLES {
        let mut end = End::new(role, &stall());
        end.writable = false;
        end.wait_until(at(5));
        end.connection.send("stuck".into()).unwrap();
        end.settle();
        assert_eq!(end.deadline(), Some(at(35)));
        end.wait_until(just_before(35));
        end.assert_open_so_far();
        end.wait_until(at(35));
        let outcome = end.outcome().unwrap();
        assert_eq!((&outcome.cause, outcome.code()), (&Cause::WriteStall, CloseCode::ABNORMAL));
        assert_eq!(outcome.sent, None, "a Close would only stand behind what is stuck");
        end.assert_over();
        assert_eq!(end.written, []);
    }
}

#[test]
fn any_byte_taken_starts_the_30_seconds_afresh_and_queueing_does_not() {
    for role in ROLES {
        let mut end = End::new(role, &stall());
        end.writable = false;
        for second in 0..100 {
            end.wait_until(at(second));
            end.connection.send("more".into()).unwrap();
            end.settle();
            if second % 29 == 0 {
                end.take(1);
            }
            end.deadline();
            end.assert_open_so_far();
        }
        // The last byte was taken at 87.
        end.wait_until(just_before(117));
        end.assert_open_so_far();
        end.wait_until(at(117));
        assert_eq!(end.cause(), Some(&Cause::WriteStall));
    }
}

#[test]
fn an_empty_queue_has_no_stall() {
    for role in ROLES {
        let mut end = End::new(role, &stall());
        end.writable = false;
        end.connection.send("a".into()).unwrap();
        end.wait_until(at(20));
        end.take(usize::MAX);
        assert_eq!(end.deadline(), None);
        end.wait_until(at(100));
        end.connection.send("b".into()).unwrap();
        assert_eq!(end.deadline(), Some(at(130)));
    }
}

#[test]
fn what_was_written_at_the_deadline_counts() {
    for role in ROLES {
        for taken in [1, usize::MAX] {
            let mut end = End::new(role, &stall());
            end.writable = false;
            end.connection.send("stuck".into()).unwrap();
            end.wait_until(just_before(30));
            // The driver wakes up, the transport is ready again, and only then it acts on the deadline.
            end.now = at(30);
            end.take(taken);
            end.wake();
            assert_eq!(end.outcome(), None, "{taken} bytes were taken in time");
        }
    }
}

#[test]
fn a_pong_that_nobody_takes_is_a_stall_too() {
    for role in ROLES {
        let mut end = End::new(role, &stall());
        end.writable = false;
        end.read_frame(PING, "p");
        assert_eq!(end.deadline(), Some(at(30)));
        end.wait_until(at(30));
        assert_eq!(end.cause(), Some(&Cause::WriteStall));
    }
}

#[test]
fn a_close_does_not_put_the_stall_off() {
    for role in ROLES {
        let closings: [fn(&mut End); 2] = [|end| end.close(1000, ""), |end| end.read_frame(0x83, "")];
        for closing in closings {
            let mut config = stall();
            config.deadlines.close = secs(1000);
            let mut end = End::new(role, &config);
            end.writable = false;
            end.connection.send("stuck".into()).unwrap();
            end.settle();
            end.wait_until(at(25));
            closing(&mut end);
            assert_eq!(end.deadline(), Some(at(30)));
            end.wait_until(at(30));
            end.assert_over();
        }
    }
}

#[test]
fn without_a_stall_deadline_writing_may_wait() {
    for role in ROLES {
        let mut end = End::new(role, &deadlines(|_| ()));
        end.writable = false;
        end.connection.send("patience".into()).unwrap();
        end.settle();
        assert_eq!(end.deadline(), None);
        end.wait_until(at(DAY));
        end.take(usize::MAX);
        assert_eq!(end.written, from(role, TEXT, "patience"));
        end.assert_open();
    }
}

// ---- reading that is paused ----

#[test]
fn while_reading_is_paused_the_peer_cannot_be_late() {
    for role in ROLES {
        for (config, cause, code) in
            [(keepalive(20, Some(20)), Cause::KeepaliveTimeout, 1011), (progress(), Cause::MessageTimeout, 1008)]
        {
            let mut end = End::new(role, &config);
            end.wait_until(at(20));
            if cause == Cause::MessageTimeout {
                end.read(header_to(role, TEXT, 5));
            }
            end.wait_until(at(30));
            end.connection.set_paused(true, end.now);
            end.wait_until(at(1000));
            end.assert_open();
            end.connection.set_paused(false, end.now);
            let time = if code == 1011 { 20 } else { 60 };
            end.wait_until(just_before(1000 + time));
            end.assert_open();
            end.wait_until(at(1000 + time));
            end.assert_failed(code, cause);
        }
    }
}

#[test]
fn pausing_or_going_on_once_more_puts_nothing_off() {
    for role in ROLES {
        for (config, deadline, cause) in
            [(keepalive(20, Some(20)), 40, Cause::KeepaliveTimeout), (progress(), 80, Cause::MessageTimeout)]
        {
            let mut end = End::new(role, &config);
            end.wait_until(at(20));
            if cause == Cause::MessageTimeout {
                end.read(header_to(role, TEXT, 5));
            }
            end.wait_until(at(30));
            end.connection.set_paused(false, end.now);
            assert_eq!(end.deadline(), Some(at(deadline)));
            end.connection.set_paused(true, end.now);
            end.wait_until(at(35));
            let before = end.deadline();
            end.connection.set_paused(true, end.now);
            assert_eq!(end.deadline(), before);
        }
    }
}

#[test]
fn pausing_stops_neither_pings_nor_the_write_stall_nor_the_close_deadline() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.connection.set_paused(true, end.now);
        end.wait_until(at(20));
        assert_eq!(end.payloads(PING).len(), 1);
        end.writable = false;
        end.connection.send("stuck".into()).unwrap();
        end.wait_until(at(50));
        assert_eq!(end.cause(), Some(&Cause::WriteStall));

        let mut end = End::new(role, &Config::default());
        end.connection.set_paused(true, end.now);
        end.close(1000, "");
        end.wait_until(at(10));
        end.assert_over();
    }
}

// ---- which deadline is next ----

/// The next deadline in the state that `reach` leads to.
#[track_caller]
fn assert_next(config: &Config, reach: fn(&mut End), deadline: Option<u64>) {
    for role in ROLES {
        let mut end = End::new(role, config);
        reach(&mut end);
        assert_eq!(end.deadline(), deadline.map(at), "{role:?}");
        assert_eq!(end.deadline(), deadline.map(at), "{role:?}: asking does not change the answer");
    }
}

#[test]
fn each_state_waits_for_what_it_should() {
    let all = Config::default();
    let none = deadlines(|_| ());

    // Open: idle, waiting for a pong, in a frame, in a message, after it.
    assert_next(&all, |_| (), Some(20));
    assert_next(&none, |_| (), None);
    assert_next(&keepalive(20, Some(5)), |end| end.wait_until(at(20)), Some(25));
    assert_next(&progress(), |end| end.read([TEXT]), Some(60));
    assert_next(&progress(), |end| end.read_frame(TEXT_BEGINS, ""), Some(60));
    assert_next(&progress(), |end| end.read_frame(TEXT, ""), None);

    // Closing.
    assert_next(&all, |end| end.close(1000, ""), Some(10));
    assert_next(&none, |end| end.close(1000, ""), Some(10));
    assert_next(&all, |end| end.read_frame(CLOSE, ""), Some(10));
    assert_next(&all, |end| end.read_frame(0x83, ""), Some(2));

    // Over: nothing to wait for.
    let endings: [fn(&mut End); 7] = [
        |end| {
            end.read_frame(CLOSE, "");
            end.eof();
        },
        |end| {
            end.read_frame(0x83, "");
            end.eof();
        },
        |end| {
            end.close(1000, "");
            end.eof();
        },
        |end| end.eof(),
        |end| end.fail(),
        |end| end.abort(),
        |end| end.wait_until(at(43)),
    ];
    for ending in endings {
        assert_next(&all, ending, None);
    }
}

#[test]
fn handling_a_timeout_too_early_does_nothing() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        for _ in 0..10 {
            assert_eq!(end.connection.handle_timeout(just_before(20)), None);
        }
        end.settle();
        assert_eq!(end.written, []);
        assert_eq!(end.deadline(), Some(at(20)));
    }
}

// ---- time ----

#[test]
fn when_time_jumps_an_idle_connection_sends_one_ping() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.jump_to(at(3600));
        assert_eq!(end.payloads(PING).len(), 1);
        end.assert_open();
        assert_eq!(end.deadline(), Some(at(3620)), "the pong has its 20 seconds from now on");
        end.answer_ping();
        end.wait_until(just_before(3620));
        assert_eq!(end.payloads(PING).len(), 1);
        end.wait_until(at(3620));
        assert_eq!(end.payloads(PING).len(), 2);
    }
}

#[test]
fn when_time_jumps_nothing_loops_and_the_end_comes_once_wherever_it_finds_the_connection() {
    let places: [fn(&mut End); 13] = [
        |_| (),
        |end| end.read([0x81]),
        |end| end.read_frame(TEXT_BEGINS, "part"),
        |end| end.read(header_to(end.role(), BINARY, 1 << 20)),
        |end| end.wait_until(at(20)),
        |end| {
            end.writable = false;
            end.connection.send("stuck".into()).unwrap();
            end.settle();
        },
        |end| {
            end.writable = false;
            end.read_frame(PING, "stuck");
        },
        |end| end.close(1000, ""),
        |end| {
            end.writable = false;
            end.close(1000, "");
        },
        |end| end.read_frame(CLOSE, ""),
        |end| end.read_frame(0x83, ""),
        |end| {
            end.writable = false;
            end.read_frame(0x83, "");
        },
        |end| {
            end.connection.set_putting_off(true);
            end.read_frame(CLOSE, "");
        },
    ];
    for role in ROLES {
        for (i, place) in places.iter().enumerate() {
            for jump in [1, 2, 10, 19, 20, 21, 30, 40, 59, 60, 61, 80, 3600, 1 << 33].map(secs) {
                let mut end = End::new(role, &Config::default());
                place(&mut end);
                let start = end.now;
                end.jump_to(start + jump);
                for _ in 0..5 {
                    end.jump_to(end.now + secs(3600));
                }
                end.assert_over();
                assert!(matches!(end.seen.last(), Some(Seen::Closed(_))), "place {i}, jump {jump:?}");
            }
        }
    }
}

#[test]
fn time_that_stands_still_or_runs_backwards_is_no_trouble() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.wait_until(at(25));
        for now in [at(25), at(3), Timestamp::ZERO, at(25)] {
            end.now = now;
            end.read_frame(TEXT, "t");
            let message = to(role, TEXT, "in pieces");
            end.read(&message[..5]);
            end.connection.handle_timeout(now);
            end.read(&message[5..]);
            end.connection.ping(now).unwrap();
            end.settle();
            end.answer_ping();
        }
        end.assert_open();
        assert_eq!(end.deadline(), Some(at(40)));
    }
}

#[test]
fn deadlines_too_far_away_to_be_told_never_come() {
    for role in ROLES {
        let config = config(|config| {
            config.deadlines.ping_interval = Some(Duration::MAX);
            config.deadlines.close = Duration::MAX;
            config.deadlines.message_progress = Some(Duration::MAX);
            config.deadlines.write_stall = Some(Duration::MAX);
            config.deadlines.discard = Duration::MAX;
        });
        let mut end = End::new(role, &config);
        end.writable = false;
        end.wait_until(at(1 << 40));
        end.read([0x82]);
        end.connection.send("t".into()).unwrap();
        end.wait_until(at(1 << 41));
        end.assert_open_so_far();
        end.close(1000, "");
        end.wait_until(at(1 << 42));
        assert_eq!(end.outcome(), None);
    }
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let deadlines = Config::default().deadlines;
    assert_eq!(deadlines.ping_interval, Some(secs(20)));
    assert_eq!(deadlines.pong, Some(secs(20)));
    assert_eq!(deadlines.close, secs(10));
    assert_eq!(deadlines.message_progress, Some(secs(60)));
    assert_eq!(deadlines.write_stall, Some(secs(30)));
    assert_eq!(deadlines.discard, secs(2));
    assert_eq!(deadlines.answer, secs(1));
    let limits = Config::default().limits;
    assert_eq!((limits.progress, limits.discard, limits.pending_pongs), (16 << 10, 1 << 20, 16));
}

#[test]
fn pings_that_every_read_cuts_in_two_are_no_slow_message() {
    use ws_proto::{Connection, Event, Timestamp, Transport};
    // A masked ping, and the reads begin and end in the middle of it.
    let ping = [0x89, 0x81, 1, 2, 3, 4, b'p' ^ 1];
    let at = |secs| Timestamp::new(std::time::Duration::from_secs(secs));
    for inside_message in [false, true] {
        let mut config = ws_proto::Config::default();
        (config.deadlines.ping_interval, config.deadlines.pong) = (None, None);
        let mut connection = Connection::server(config, at(0));
        if inside_message {
            assert_eq!(connection.receive(&mut [0x02, 0x81, 0, 0, 0, 0, 7].as_mut_slice(), at(0)), None);
        }
        let mut ended = None;
        assert_eq!(connection.receive(&mut ping[..3].to_vec().as_mut_slice(), at(0)), None);
        for second in 0..200 {
            let mut cut = [&ping[3..], &ping[..3]].concat();
            let mut input = cut.as_mut_slice();
            while let Some(event) = connection.receive(&mut input, at(second)) {
                assert!(matches!(event, Event::Ping(_)), "{event:?}");
            }
            let waiting = connection.outgoing().len();
            ws_proto::Buf::advance(connection.outgoing(), waiting);
            connection.poll_timeout(at(second));
            if let Some(Event::Closed(outcome)) = connection.handle_timeout(at(second)) {
                ended = Some((second, outcome.cause));
                break;
            }
            assert_eq!(connection.transport(), Transport::Open);
        }
        let expected = inside_message.then_some((60, ws_proto::Cause::MessageTimeout));
        assert_eq!(ended, expected, "a message that stands still is not kept alive by pings");
    }
}

#[test]
fn a_timestamp_counts_from_its_origin_and_never_below_or_beyond() {
    assert_eq!(at(5).since_origin(), secs(5));
    assert_eq!((at(5) - at(3), at(3) - at(5)), (secs(2), secs(0)));
    assert_eq!(at(5).saturating_since(at(3)), secs(2));
    assert_eq!(at(5) + Duration::MAX, Timestamp::new(Duration::MAX));
    assert_eq!((at(5) + Duration::MAX).since_origin(), Duration::from_nanos(u64::MAX - 1), "584 years");
}
