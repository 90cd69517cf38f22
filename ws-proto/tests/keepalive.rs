//! Keepalive (RFC 6455 §5.5.2, §5.5.3): pings of our own, and how long their pongs may take.

use crate::common::*;
use ws_proto::{Buf, Cause, Config, Delivery, InFlight, SendError};

const DAY: u64 = 24 * 60 * 60;

#[test]
fn a_ping_is_sent_every_20_seconds() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        for n in 1..=100 {
            end.wait_until(just_before(20 * n));
            assert_eq!(end.payloads(PING).len(), n as usize - 1);
            end.wait_until(at(20 * n));
            assert_eq!(end.payloads(PING).len(), n as usize);
            end.wait(secs(3));
            end.answer_ping();
            assert_eq!(end.connection.latency(), Some(secs(3)));
        }
        let mut payloads = end.payloads(PING);
        payloads.sort();
        payloads.dedup();
        assert_eq!(payloads.len(), 100, "no two pings are alike");
        end.assert_open();
    }
}

#[test]
fn messages_do_not_put_pings_off() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        for second in 1..20 {
            end.wait_until(at(second));
            end.read_frame(TEXT, "tick");
            end.connection.send("tock".into()).unwrap();
            end.settle();
        }
        assert_eq!(end.deadline(), Some(at(20)));
    }
}

#[test]
fn a_pong_must_follow_within_20_seconds_of_the_ping() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.wait_until(just_before(40));
        end.assert_open();
        end.wait_until(at(40));
        assert_eq!(end.before_closed(), []);
        end.assert_failed(1011, Cause::KeepaliveTimeout);
        assert_eq!(end.payloads(CLOSE), [close_body(1011, "keepalive ping timeout")]);
    }
}

#[test]
fn a_pong_just_in_time_is_in_time() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(7)));
        for n in 1..=50 {
            end.wait_until(just_before(20 * n + 7));
            end.answer_ping();
            end.assert_open();
        }
        end.wait_until(at(20 * 51 + 7));
        end.assert_failed(1011, Cause::KeepaliveTimeout);
    }
}

#[test]
fn the_pong_that_was_read_at_the_deadline_counts() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.wait_until(just_before(40));
        let payload = end.payloads(PING).concat();
        end.now = at(40);
        end.receive(to(role, PONG, payload));
        end.wake();
        end.assert_open();
    }
}

#[test]
fn the_pong_deadline_counts_from_when_the_ping_was_written() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(20)));
        end.writable = false;
        end.wait_until(at(33));
        // All but the last byte of the ping is not yet the ping.
        end.take(from(role, PING, [0; 8]).len() - 1);
        end.wait_until(at(50));
        end.assert_open_so_far();
        end.take(1);
        end.wait_until(just_before(70));
        end.assert_open_so_far();
        end.wait_until(at(70));
        assert_eq!(end.cause(), Some(&Cause::KeepaliveTimeout));
    }
}

#[test]
fn a_ping_behind_a_long_queue_is_waited_for_once_it_is_out() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(20)));
        end.writable = false;
        end.connection.send_binary(&[0; 100_000]).unwrap();
        // The peer takes 1,000 bytes a second; the ping has its turn after 100 of them.
        for second in 1..=101 {
            end.wait_until(at(second));
            end.take(1000);
            end.deadline();
        }
        end.take(usize::MAX);
        // The peer's system may have taken them: 6 s for reading 100,000 bytes.
        end.wait_until(just_before(127));
        end.assert_open();
        end.wait_until(at(127));
        assert_eq!(end.cause(), Some(&Cause::KeepaliveTimeout));
    }
}

#[test]
fn pings_do_not_pile_up_for_a_peer_that_does_not_read() {
    for role in ROLES {
        for pong in [None, Some(20)] {
            let mut end = End::new(role, &keepalive(20, pong));
            end.writable = false;
            end.wait_until(at(3600));
            end.assert_open_so_far();
            assert_eq!(end.connection.outgoing().remaining(), from(role, PING, [0; 8]).len());
        }
    }
}

#[test]
fn whatever_comes_in_is_life_and_silence_after_the_next_ping_ends_it() {
    for role in ROLES {
        let between_frames = to(role, TEXT_BEGINS, "x");
        for (begun, goes_on) in [
            (vec![], to(role, TEXT, "whole")),
            (vec![], to(role, BINARY, [7; 500])),
            (vec![], to(role, BINARY, [7; 5000])),
            (vec![], to(role, PING, "")),
            (vec![], to(role, PONG, "not yours")),
            (header_to(role, BINARY, 1000), vec![0]),
            (between_frames.clone(), to(role, CONTINUES, "x")),
            (between_frames.clone(), to(role, CONTINUES, "")),
            (between_frames, to(role, PING, "any byte counts")),
        ] {
            for delivery in [Delivery::Messages, Delivery::Chunks] {
                let mut config = keepalive(20, Some(20));
                config.delivery = delivery;
                let mut end = End::new(role, &config);
                end.read(&begun);
                for n in 1..=20 {
                    end.wait_until(at(19 * n));
                    end.read(&goes_on);
                    end.assert_open();
                }
                // The last came with the ping at 380 s.
                end.wait_until(just_before(420));
                end.assert_open();
                end.wait_until(at(420));
                end.assert_failed(1011, Cause::KeepaliveTimeout);
            }
        }
    }
}

#[test]
fn half_a_header_is_life() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(20)));
        for (n, byte) in header_to(role, BINARY, 100_000).into_iter().enumerate() {
            end.wait_until(at(39 + 20 * n as u64));
            end.read([byte]);
            end.assert_open();
        }
    }
}

#[test]
fn a_peer_that_answers_no_ping_is_pinged_on_while_it_sends() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(20)));
        for second in 1..=2000 {
            end.wait_until(at(second));
            end.read_frame(TEXT, "and on");
        }
        end.assert_open();
        assert_eq!(end.payloads(PING).len(), 100);
        // Of those only some are remembered: the application's own pings have room.
        end.connection.ping(end.now).unwrap();
    }
}

#[test]
fn silence_after_a_ping_brings_a_second_one_before_the_verdict() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(16)));
        end.wait_until(just_before(28));
        assert_eq!(end.payloads(PING).len(), 1);
        end.wait_until(at(28));
        assert_eq!(end.payloads(PING).len(), 2);
        // Some peers send the pong to the first with the second.
        end.wait_until(at(29));
        let first = end.payloads(PING).remove(0);
        end.read_frame(PONG, first);
        end.wait_until(at(48));
        end.assert_open();
        assert_eq!(end.payloads(PING).len(), 4, "at 40 s and 48 s");
        end.wait_until(just_before(56));
        end.assert_open();
        assert_eq!(end.payloads(PING).len(), 4, "no third one");
        end.wait_until(at(56));
        end.assert_failed(1011, Cause::KeepaliveTimeout);
    }
}

#[test]
fn the_end_of_a_long_message_is_life_too() {
    // The pong can only follow the message that was already on its way when the ping came.
    for role in ROLES {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            let mut config = keepalive(20, Some(20));
            config.delivery = delivery;
            let message = to(role, BINARY, [7; 2000]);
            let mut end = End::new(role, &config);
            for (second, piece) in message.chunks(message.len().div_ceil(40)).enumerate() {
                end.wait_until(at(second as u64));
                end.read(piece);
            }
            assert_eq!(end.now, at(39), "its last byte");
            end.wait_until(just_before(59));
            end.assert_open();
            end.answer_ping();
            end.wait_until(at(60));
            end.assert_open();
        }
    }
}

#[test]
fn without_anything_after_the_message_it_is_over() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(20)));
        let message = to(role, BINARY, [7; 2000]);
        let (front, back) = message.split_at(1000);
        end.wait_until(at(38));
        end.read(front);
        end.wait_until(at(39));
        end.read(back);
        end.wait_until(just_before(60));
        end.assert_open();
        end.wait_until(at(60));
        end.assert_failed(1011, Cause::KeepaliveTimeout);
    }
}

#[test]
fn a_pong_to_a_later_ping_of_the_application_answers_the_keepalive_ping() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.wait_until(at(25));
        end.connection.ping(end.now).unwrap();
        end.settle();
        end.answer_ping();
        end.wait_until(at(59));
        assert_eq!(end.payloads(PING).len(), 4, "at 20 s, 25 s, 40 s, and again at 50 s");
        end.assert_open();
    }
}

#[test]
fn a_pong_to_an_earlier_ping_of_the_application_is_life() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.wait_until(at(19));
        end.connection.ping(end.now).unwrap();
        end.settle();
        let earlier = end.payloads(PING).concat();
        end.wait_until(at(30));
        end.read_frame(PONG, earlier);
        end.wait_until(just_before(60));
        end.assert_open();
        end.wait_until(at(60));
        end.assert_failed(1011, Cause::KeepaliveTimeout);
    }
}

#[test]
fn the_applications_own_pings_have_no_deadline() {
    for role in ROLES {
        let mut end = End::new(role, &deadlines(|config| config.deadlines.pong = Some(secs(20))));
        end.connection.ping(end.now).unwrap();
        end.settle();
        assert_eq!(end.deadline(), None);
        end.wait_until(at(DAY));
        end.assert_open();
    }
}

#[test]
fn without_an_interval_no_ping_is_sent() {
    for role in ROLES {
        let config = config(|config| config.deadlines.ping_interval = None);
        let mut end = End::new(role, &config);
        assert_eq!(end.deadline(), None);
        end.wait_until(at(DAY));
        assert_eq!(end.written, []);
        end.assert_open();
    }
}

#[test]
fn without_a_pong_deadline_pings_go_on_and_no_pong_is_missed() {
    for role in ROLES {
        let mut end = End::new(role, &config(|config| config.deadlines.pong = None));
        end.wait_until(at(DAY));
        end.assert_open();
        assert_eq!(end.payloads(PING).len() as u64, DAY / 20, "a ping every 20 s keeps middleboxes awake");
    }
}

#[test]
fn an_interval_of_zero_does_not_hang() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(0, None));
        end.connection.handle_timeout(end.now);
        end.connection.handle_timeout(at(1));
    }
}

#[test]
fn after_our_close_no_ping_is_sent_and_no_pong_awaited() {
    for role in ROLES {
        let mut end = End::new(role, &config(|config| config.deadlines.close = secs(1000)));
        end.wait_until(at(25));
        end.close(1000, "");
        end.wait_until(at(26));
        assert_eq!(end.payloads(PING).len(), 1);
        end.wait_until(at(1000));
        assert_eq!(end.payloads(PING).len(), 1);
        assert_eq!(end.frames().last().map(|frame| frame.first), Some(CLOSE));
    }
}

#[test]
fn at_most_1024_pings_wait_for_their_pong() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        let first = end.connection.ping(end.now).unwrap();
        for _ in 1..1024 {
            assert_ne!(end.connection.ping(end.now).unwrap(), first);
        }
        assert_eq!(end.connection.ping(end.now), Err(SendError::Full(())));
        end.settle();
        assert_eq!(end.payloads(PING).len(), 1024);
        // The pong to the first makes room for one more.
        let payload = end.payloads(PING).remove(0);
        end.read_frame(PONG, payload);
        end.connection.ping(end.now).unwrap();
        assert_eq!(end.connection.ping(end.now), Err(SendError::Full(())));
    }
}

#[test]
fn the_last_16_keepalive_pings_are_remembered_where_none_need_be_answered() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, None));
        end.wait_until(at(16 * 20));
        end.connection.ping(end.now).unwrap(); // of the application: it takes nobody's place
        end.settle();
        let pings = end.payloads(PING);
        assert_eq!(pings.len(), 17);
        end.read_frame(PONG, &pings[0]);
        assert_eq!(end.connection.latency(), Some(secs(15 * 20)), "the first of 16");

        let mut end = End::new(role, &keepalive(20, None));
        end.wait_until(at(17 * 20));
        let pings = end.payloads(PING);
        end.read_frame(PONG, &pings[0]);
        assert_eq!(end.connection.latency(), None, "the first of 17 is forgotten");
        end.read_frame(PONG, &pings[1]);
        assert_eq!(end.connection.latency(), Some(secs(15 * 20)));
    }
}

#[test]
fn the_next_ping_waits_for_the_pong_to_the_last() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(5, Some(20)));
        end.wait_until(at(24));
        assert_eq!(end.payloads(PING).len(), 2, "at 5 s, and again half-way to the deadline");
        end.answer_ping();
        end.wait_until(at(25));
        assert_eq!(end.payloads(PING).len(), 3);
    }
}

#[test]
fn while_reading_is_paused_pings_go_on_as_long_as_they_are_written() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(5, Some(20)));
        end.connection.hooks().set_paused(true, end.now);
        end.wait_until(at(15));
        assert_eq!(end.payloads(PING).len(), 3, "nobody could have seen a pong");
        end.writable = false;
        end.wait_until(at(60));
        end.writable = true;
        end.settle();
        assert_eq!(end.payloads(PING).len(), 4, "one that is not written is enough");
    }
}

#[test]
fn pings_that_nobody_can_answer_any_more_are_forgotten() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(30)));
        end.connection.ping(end.now).unwrap();
        end.wait_until(at(20));
        assert!(!format!("{:?}", end.connection).contains("in_flight: []"));
        end.close(1000, "");
        end.read_frame(CLOSE, "");
        assert!(format!("{:?}", end.connection).contains("in_flight: []"), "{:?}", end.connection);
    }
}

#[test]
fn a_ping_waits_for_the_last_fragment_as_long_as_fragments_flow() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(20)));
        for second in 15..=70 {
            end.wait_until(at(second));
            end.connection.send_fragment("on and ".into(), false).unwrap();
            end.settle();
        }
        assert_eq!(end.payloads(PING).len(), 0);
        end.wait_until(at(71));
        end.connection.send_fragment("off".into(), true).unwrap();
        end.settle();
        end.wake();
        let opcodes: Vec<u8> = end.frames().iter().rev().take(2).map(|frame| frame.first).collect();
        assert_eq!(opcodes, [PING, 0x80], "right behind the last fragment");
        end.answer_ping();
        end.wait_until(just_before(91));
        assert_eq!(end.payloads(PING).len(), 1);
        end.wait_until(at(91));
        assert_eq!(end.payloads(PING).len(), 2, "and on from there");
    }
}

#[test]
fn a_ping_does_not_wait_for_a_message_that_stands_still() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(20)));
        end.wait_until(at(15));
        end.connection.send_fragment("never ended".into(), false).unwrap();
        end.settle();
        end.wait_until(just_before(40));
        assert_eq!(end.payloads(PING).len(), 0);
        end.wait_until(at(40));
        assert_eq!(end.payloads(PING).len(), 1);
        end.wait_until(at(60));
        end.assert_failed(1011, Cause::KeepaliveTimeout);
    }
}

#[test]
fn a_peer_whose_system_takes_everything_is_dead_if_it_says_nothing() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(20)));
        for second in 1..40 {
            end.wait_until(at(second));
            end.connection.send("tick".into()).unwrap();
            end.settle();
            // All is acknowledged, and the window stays what it is.
            end.connection.hooks().set_in_flight(InFlight::new(0, Some(65_536)), end.now);
            end.assert_open();
        }
        end.wait_until(at(40));
        end.assert_failed(1011, Cause::KeepaliveTimeout);
    }
}

#[test]
fn a_window_that_opens_is_life() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(20)));
        for second in 1..500 {
            end.wait_until(at(second));
            end.connection.hooks().set_in_flight(InFlight::new(0, Some(1000 * second)), end.now);
            end.assert_open();
        }
    }
}

#[test]
fn a_ping_of_the_applications_waits_for_the_last_fragment_too() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, None));
        end.connection.send_fragment("on and ".into(), false).unwrap();
        assert_eq!(end.connection.ping(end.now), Err(SendError::Unfinished(())));
        end.connection.send_fragment("off".into(), true).unwrap();
        let ping = end.connection.ping(end.now).unwrap();
        end.settle();
        let opcodes: Vec<u8> = end.frames().iter().map(|frame| frame.first).collect();
        assert_eq!(opcodes, [0x01, 0x80, PING]);
        assert_eq!(end.payloads(PING), [ping.payload()]);
    }
}

#[test]
fn pings_may_be_told_not_to_wait_for_the_last_fragment() {
    for role in ROLES {
        let mut config = keepalive(20, None);
        config.ping_between_fragments = true;
        let mut end = End::new(role, &config);
        end.connection.send_fragment("on and ".into(), false).unwrap();
        end.connection.ping(end.now).unwrap();
        end.settle();
        assert_eq!(end.payloads(PING).len(), 1);
        end.wait_until(at(19));
        end.connection.send_fragment("on and ".into(), false).unwrap();
        end.wait_until(at(20));
        assert_eq!(end.payloads(PING).len(), 2, "keepalive");
        end.connection.send_fragment("off".into(), true).unwrap();
        end.settle();
    }
}

#[test]
fn a_message_that_stands_still_does_not_hold_a_ping_of_the_applications_back_for_ever() {
    for role in ROLES {
        for (interval, pause) in [(Some(5), 5), (Some(1000), 20), (None, 1)] {
            let config = config(|config| {
                config.deadlines.ping_interval = interval.map(secs);
                config.deadlines.pong = None;
            });
            let mut end = End::new(role, &config);
            for second in 0..3 {
                end.wait_until(at(second * pause));
                end.connection.send_fragment("on and ".into(), false).unwrap();
                assert_eq!(end.connection.ping(end.now), Err(SendError::Unfinished(())), "fragments flow");
            }
            let sent = end.payloads(PING).len();
            end.wait_until(just_before(3 * pause));
            assert_eq!(end.connection.ping(end.now), Err(SendError::Unfinished(())));
            // What is queued in between, but is no fragment, does not count.
            end.read_frame(PING, "are you there?");
            assert!(end.deadline().is_some_and(|deadline| deadline <= at(3 * pause)));
            end.wait_until(at(3 * pause));
            end.connection.ping(end.now).unwrap();
            end.connection.ping(end.now).unwrap();
            end.settle();
            assert!(end.payloads(PING).len() >= sent + 2);
            // The next fragment holds back what comes after it.
            end.connection.send_fragment("on and ".into(), false).unwrap();
            assert_eq!(end.connection.ping(end.now), Err(SendError::Unfinished(())));
        }
    }
}
