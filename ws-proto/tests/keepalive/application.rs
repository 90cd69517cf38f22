//! Pings of the application, and which pings are remembered.

use crate::common::*;
use ws_proto::{Cause, Config, SendError};

use super::DAY;

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
