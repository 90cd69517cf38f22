//! The pong deadline, and what counts as a sign of life.

use crate::common::*;
use ws_proto::{Cause, Config, Delivery, InFlight};

use super::DAY;

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
fn any_input_shows_life_and_silence_after_the_next_ping_ends_it() {
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
fn without_a_pong_deadline_pings_go_on_and_no_pong_is_missed() {
    for role in ROLES {
        let mut end = End::new(role, &config(|config| config.deadlines.pong = None));
        end.wait_until(at(DAY));
        end.assert_open();
        assert_eq!(end.payloads(PING).len() as u64, DAY / 20, "a ping every 20 s keeps middleboxes awake");
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
