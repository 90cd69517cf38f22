//! Peers whose system takes everything at once, and whose application reads it slowly: how long a pong may take then
//! (RFC 6455 §5.5.3).

use crate::common::*;
use ws_proto::{Cause, Config, InFlight, Role};

const MB: usize = 1_000_000;

/// An end that may queue whatever is sent.
fn end(role: Role, adjust: impl FnOnce(&mut Config)) -> End {
    let mut config = keepalive(20, Some(20));
    config.limits.hard_cap = usize::MAX;
    adjust(&mut config);
    End::new(role, &config)
}

/// Sends `size` bytes, which the transport takes at once. They are not looked at.
fn send(end: &mut End, size: usize) {
    let before = end.written.len();
    end.connection.send_binary(&vec![7; size]).unwrap();
    end.settle();
    end.written.truncate(before);
}

/// The first ping that was sent.
fn first_ping(end: &End) -> Vec<u8> {
    end.payloads(PING).remove(0)
}

#[track_caller]
fn assert_dead_at(end: &mut End, second: u64) {
    end.wait_until(just_before(second));
    end.assert_open();
    end.wait_until(at(second));
    end.assert_failed(1011, Cause::KeepaliveTimeout);
}

#[test]
fn a_pong_may_take_as_long_as_reading_what_was_sent_before_its_ping() {
    for role in ROLES {
        // Whole seconds of 16 KiB.
        for (size, seconds) in [(100, 0), (16_000, 0), (16_400, 1), (MB, 61), (3 * MB, 183)] {
            let mut end = end(role, |_| {});
            send(&mut end, size);
            assert_dead_at(&mut end, 40 + seconds);
        }
    }
}

#[test]
fn bytes_beyond_a_receive_buffer_give_no_more_time() {
    for role in ROLES {
        for size in [6 << 20, 7 << 20] {
            let mut end = end(role, |_| {});
            send(&mut end, size);
            // 6 MiB at 16 KiB a second.
            assert_dead_at(&mut end, 40 + 384);
        }
    }
}

#[test]
fn bytes_sent_after_the_ping_give_no_more_time() {
    for role in ROLES {
        let mut end = end(role, |_| {});
        end.wait_until(at(20));
        send(&mut end, 3 * MB);
        assert_dead_at(&mut end, 40);
    }
}

#[test]
fn a_transport_that_knows_of_no_progress_changes_nothing() {
    for role in ROLES {
        let mut end = end(role, |_| {});
        send(&mut end, 3 * MB);
        for second in 1..223 {
            end.wait_until(at(second));
            // All is acknowledged, and the window stays what it is.
            end.connection.hooks().set_in_flight(InFlight::new(0, Some(65_536)), end.now);
            end.assert_open();
        }
        assert_dead_at(&mut end, 223);
    }
}

#[test]
fn a_ping_that_the_peers_system_has_not_taken_is_not_being_read_up_to() {
    for role in ROLES {
        let mut end = end(role, |_| {});
        send(&mut end, 3 * MB);
        for second in 1..40 {
            end.wait_until(at(second));
            // Where an application reads, this moves.
            end.connection.hooks().set_in_flight(InFlight::new(2_000_000, Some(0)), end.now);
        }
        assert_dead_at(&mut end, 40);
    }
}

#[test]
fn bytes_before_an_answered_ping_count_no_more() {
    for role in ROLES {
        let mut end = end(role, |_| {});
        send(&mut end, 3 * MB);
        end.wait_until(at(150));
        let ping = first_ping(&end);
        end.read_frame(PONG, ping);
        // The next ping goes out at 160 s.
        assert_dead_at(&mut end, 180);
    }
}

#[test]
fn bytes_sent_between_a_ping_and_its_pong_count_as_unread() {
    for role in ROLES {
        let mut end = end(role, |_| {});
        send(&mut end, 3 * MB);
        end.wait_until(at(35));
        let ping = first_ping(&end);
        send(&mut end, 3 * MB);
        end.wait_until(at(70));
        end.read_frame(PONG, ping);
        // The next ping goes out at 80 s, behind the second message.
        assert_dead_at(&mut end, 100 + 183);
    }
}

#[test]
fn something_else_that_comes_does_not_show_what_was_read() {
    for role in ROLES {
        let mut end = end(role, |_| {});
        send(&mut end, 3 * MB);
        end.wait_until(at(30));
        end.read_frame(TEXT, "busy");
        // Life is awaited anew behind the ping at 40 s.
        assert_dead_at(&mut end, 60 + 183);
    }
}

#[test]
fn a_pong_of_another_payload_shows_what_was_read() {
    for role in ROLES {
        let mut end = end(role, |_| {});
        send(&mut end, 3 * MB);
        end.wait_until(at(50));
        end.read_frame(PONG, "");
        assert_dead_at(&mut end, 80);
    }
}

#[test]
fn the_slowest_reading_is_a_setting() {
    for role in ROLES {
        for (rate, seconds) in [(usize::MAX, 0), (MB, 3), (20_000, 150)] {
            let mut end = end(role, |config| config.limits.slowest_reading = rate);
            send(&mut end, 3 * MB);
            assert_dead_at(&mut end, 40 + seconds);
        }
        let sent = from(role, BINARY, [7; 1000]).len() + from(role, PING, [0; 8]).len();
        for rate in [0, 1] {
            let mut end = end(role, |config| config.limits.slowest_reading = rate);
            send(&mut end, 1000);
            assert_dead_at(&mut end, 40 + sent as u64);
        }
    }
}

#[test]
fn writes_that_go_on_are_life_whatever_their_own_deadline() {
    for role in ROLES {
        for write_stall in [None, Some(secs(30))] {
            let mut end = end(role, |config| config.deadlines.write_stall = write_stall);
            end.wait_until(at(20));
            assert_eq!(end.payloads(PING).len(), 1);
            end.writable = false;
            end.connection.send_binary(&[7; MB]).unwrap();
            end.settle();
            for second in 21..=200 {
                end.wait_until(at(second));
                end.take(1000);
                end.deadline();
                end.assert_open_so_far();
            }
            // Nothing is taken any more.
            end.wait_until(just_before(220));
            end.assert_open_so_far();
            end.wait_until(at(220));
            assert_eq!(end.cause(), Some(&Cause::KeepaliveTimeout));
        }
    }
}

#[test]
fn acknowledged_bytes_are_asked_for_without_a_write_deadline_too() {
    for role in ROLES {
        for write_stall in [None, Some(secs(30))] {
            let mut end = end(role, |config| config.deadlines.write_stall = write_stall);
            end.writable = false;
            end.connection.send_binary(&[7; 1000]).unwrap();
            assert!(!end.connection.hooks().wants_in_flight(end.now));
            end.settle();
            assert!(end.connection.hooks().wants_in_flight(end.now));
            end.connection.hooks().set_in_flight(InFlight::new(500, None), end.now);
            assert!(!end.connection.hooks().wants_in_flight(just_before(1)));
            assert!(end.connection.hooks().wants_in_flight(at(1)));
            assert!(!end.connection.hooks().is_peer_late(at(1)));
        }
    }
}

#[test]
fn a_peer_is_late_that_has_not_answered_a_ping_or_taken_anything_for_long() {
    for role in ROLES {
        let mut end = end(role, |_| ());
        end.writable = true;
        end.wait_until(at(20));
        assert!(!end.connection.hooks().is_peer_late(just_before(30)), "it has been pinged at 20 s");
        assert!(end.connection.hooks().is_peer_late(at(30)), "a pong is late after half its time");

        let mut end = self::end(role, |config| config.deadlines.write_stall = Some(secs(30)));
        end.writable = false;
        end.connection.send_binary(&[7; 1000]).unwrap();
        end.settle();
        assert!(!end.connection.hooks().is_peer_late(just_before(30)));
        assert!(end.connection.hooks().is_peer_late(at(30)), "it takes nothing");
    }
}
