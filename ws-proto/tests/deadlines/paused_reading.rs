//! While reading is paused.

use ws_proto::{Cause, Config};

use super::progress;
use crate::common::*;

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
            end.connection.hooks().set_paused(true, end.now);
            end.wait_until(at(1000));
            end.assert_open();
            end.connection.hooks().set_paused(false, end.now);
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
            end.connection.hooks().set_paused(false, end.now);
            assert_eq!(end.deadline(), Some(at(deadline)));
            end.connection.hooks().set_paused(true, end.now);
            end.wait_until(at(35));
            let before = end.deadline();
            end.connection.hooks().set_paused(true, end.now);
            assert_eq!(end.deadline(), before);
        }
    }
}

#[test]
fn pausing_stops_neither_pings_nor_the_write_stall_nor_the_close_deadline() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.connection.hooks().set_paused(true, end.now);
        end.wait_until(at(20));
        assert_eq!(end.payloads(PING).len(), 1);
        end.writable = false;
        end.connection.send("stuck".into()).unwrap();
        end.wait_until(at(50));
        assert_eq!(end.cause(), Some(&Cause::WriteStall));

        let mut end = End::new(role, &Config::default());
        end.connection.hooks().set_paused(true, end.now);
        end.close(1000, "");
        end.wait_until(at(10));
        end.assert_over();
    }
}

#[test]
fn a_ping_that_cannot_be_answered_meanwhile_wakes_nobody() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(20)));
        end.wait_until(at(20));
        assert_eq!(end.payloads(PING).len(), 1);
        end.connection.hooks().set_paused(true, end.now);
        // The next ping's time is the only deadline left, and the unanswered one is not repeated.
        for time in [40, 60, 80] {
            assert_eq!(end.deadline(), Some(at(time)), "{role:?}");
            end.wait_until(at(time));
        }
        end.assert_open();
    }
}

#[test]
fn a_sign_of_life_before_the_pause_counts() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(20, Some(20)));
        end.wait_until(at(20));
        let ping = end.payloads(PING).len();
        end.wait_until(at(25));
        // The bytes are received and reading is paused in one round: nobody asks for the deadlines in between.
        let mut input = to(role, TEXT, "alive");
        let now = end.now;
        assert!(end.connection.receive(&mut input.as_mut_slice(), now).is_some());
        end.connection.hooks().set_paused(true, now);
        end.connection.hooks().set_paused(false, now);
        end.wait_until(at(41));
        end.assert_open();
        assert!(end.payloads(PING).len() > ping, "the next ping is sent at its time");
    }
}
