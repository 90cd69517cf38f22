//! When a ping is sent.

use crate::common::*;
use ws_proto::{Buf, Config};

use super::DAY;

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
fn an_interval_of_zero_does_not_hang() {
    for role in ROLES {
        let mut end = End::new(role, &keepalive(0, None));
        end.connection.handle_timeout(end.now);
        end.connection.handle_timeout(at(1));
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
