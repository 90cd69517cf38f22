//! Peers whose system takes everything at once, and whose application reads it slowly: how long a pong may take then
//! (RFC 6455 §5.5.3).

mod common;

use common::*;
use ws_proto::{Cause, Config, InFlight, Role};

const MB: usize = 1_000_000;

/// An end that may queue whatever is sent.
fn end(role: Role, adjust: impl FnOnce(&mut Config)) -> End {
    let mut config = keepalive(20, Some(20));
    config.limits.hard_cap = usize::MAX;
    adjust(&mut config);
    End::new(role, &config)
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
fn what_the_peer_takes_is_asked_for_without_a_write_deadline_too() {
    for role in ROLES {
        for write_stall in [None, Some(secs(30))] {
            let mut end = end(role, |config| config.deadlines.write_stall = write_stall);
            end.writable = false;
            end.connection.send_binary(&[7; 1000]).unwrap();
            assert!(!end.connection.wants_in_flight(end.now));
            end.settle();
            assert!(end.connection.wants_in_flight(end.now));
            end.connection.set_in_flight(InFlight { unacknowledged: 500, window: None }, end.now);
            assert!(!end.connection.wants_in_flight(just_before(1)));
            assert!(end.connection.wants_in_flight(at(1)));
        }
    }
}
