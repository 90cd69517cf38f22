//! A ping waits for the end of a fragmented message, and not for ever.

use crate::common::*;
use ws_proto::{Cause, SendError};

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
