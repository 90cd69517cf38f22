//! RFC 6455 §7.1.1 and §7.1.7: who lets go of the transport, and when. With both Close frames there either end does,
//! whoever began; after a fault it is who found it, once the other has had its time to read the Close frame.

use crate::common::*;
use ws_proto::TransportState::{HalfClosed, Open};
use ws_proto::{Buf, Cause, Config, Role, Violation};

/// A bound that a test can reach.
const DISCARD: usize = 1 << 20;

fn bounded() -> Config {
    config(|config| config.limits.discard = DISCARD)
}

fn stuck(role: Role) -> End {
    let mut end = End::new(role, &bounded());
    end.writable = false;
    end
}

fn peer_closes(end: &mut End) {
    end.read_frame(CLOSE, close_body(1000, ""));
}

fn peer_breaks_the_protocol(end: &mut End) {
    end.read_frame(0x83, "");
}

#[test]
fn an_open_connection_keeps_the_transport() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        for input in [to(role, TEXT, "t"), to(role, PING, "p"), to(role, TEXT_BEGINS, "t"), vec![0x80]] {
            end.read(input);
            assert_eq!(end.transport(), Open);
        }
    }
}

#[test]
fn either_end_half_closes_once_both_closes_are_there_and_its_own_is_written() {
    // Whoever closed first. A server need not wait for the client's end, and some servers wait for it.
    let closings: [fn(&mut End); 2] = [peer_closes, |end| {
        end.close(1000, "");
        assert_eq!(end.transport(), Open);
        peer_closes(end);
    }];
    for role in ROLES {
        for closing in closings {
            let mut end = stuck(role);
            end.connection.send("before".into()).unwrap();
            closing(&mut end);
            while end.connection.outgoing().has_remaining() {
                assert_eq!(end.transport(), Open);
                end.take(1);
            }
            assert_eq!(end.transport(), HalfClosed);
            assert_eq!(end.transport(), HalfClosed, "until it is over");
            end.read_frame(TEXT, "discarded");
            assert_eq!(end.transport(), HalfClosed);
            end.eof();
            end.assert_over();
        }
    }
}

#[test]
fn a_client_whose_close_nobody_answers_half_closes_after_2_seconds() {
    let mut end = stuck(Role::Client);
    end.close(1000, "");
    end.wait_until(at(5));
    assert_eq!(end.transport(), Open, "it has not been written");
    end.take(usize::MAX);
    assert_eq!(end.deadline(), Some(at(7)));
    end.wait_until(just_before(7));
    end.read_frame(TEXT, "still talking");
    end.read_frame(PING, "not answered any more");
    assert_eq!(end.transport(), Open);
    end.wait_until(at(7));
    assert_eq!(end.transport(), HalfClosed);
    // Whoever waited for that answers now.
    end.read_frame(BINARY, "still talking");
    assert_eq!((end.seen.len(), end.transport()), (3, HalfClosed));
    peer_closes(&mut end);
    assert!(end.outcome().unwrap().is_normal());
    assert_eq!(end.transport(), HalfClosed);
    end.eof();
    end.assert_over();
    assert_eq!(end.frames().len(), 1, "nothing follows a Close");
}

#[test]
fn how_long_a_client_waits_to_half_close_can_be_set() {
    for millis in [0, 500, 5000] {
        let wait = std::time::Duration::from_millis(millis);
        let mut end = End::new(Role::Client, &config(|config| config.deadlines.half_close = wait));
        end.close(1000, "");
        end.wait(wait);
        assert_eq!(end.transport(), HalfClosed);
        end.wait_until(at(10));
        assert_eq!(end.cause(), Some(&Cause::CloseTimeout));
        end.assert_over();
    }
    let mut end = End::new(Role::Client, &config(|config| config.deadlines.half_close = secs(u64::MAX)));
    end.close(1000, "");
    end.wait_until(just_before(10));
    assert_eq!(end.transport(), Open, "never");
}

#[test]
fn a_fault_behind_a_half_close_ends_it_as_any_does() {
    let mut end = End::new(Role::Client, &Config::default());
    end.close(1000, "");
    end.wait_until(at(3));
    peer_breaks_the_protocol(&mut end);
    assert_eq!(end.cause(), Some(&Cause::Violation(Violation::ReservedOpcode(3))));
    assert_eq!((end.transport(), end.deadline()), (HalfClosed, Some(at(5))));
    end.wait_until(at(5));
    end.assert_over();
}

#[test]
fn a_server_whose_close_nobody_answers_does_not_half_close() {
    // What stands between may take the end of one side for the end of both, and the answer may be on its way.
    let mut end = End::new(Role::Server, &Config::default());
    end.close(1000, "");
    end.read_frame(TEXT, "still talking");
    end.wait_until(just_before(10));
    assert_eq!(end.transport(), Open, "we still read, and the peer's answer is awaited");
    end.wait_until(at(10));
    end.assert_over();
}

#[test]
fn after_a_fault_the_write_half_ends_once_the_close_is_written() {
    for role in ROLES {
        let mut end = stuck(role);
        end.connection.send("before".into()).unwrap();
        peer_breaks_the_protocol(&mut end);
        while end.connection.outgoing().has_remaining() {
            assert_eq!(end.transport(), Open);
            end.take(1);
        }
        end.settle();
        end.assert_violated(1002, Violation::ReservedOpcode(3));
        end.eof();
        end.assert_over();
    }
}

#[test]
fn an_error_close_is_written_even_when_the_peer_has_said_all() {
    for role in ROLES {
        let endings: [fn(&mut End); 2] = [peer_closes, peer_breaks_the_protocol];
        for ending in endings {
            let mut end = stuck(role);
            ending(&mut end);
            end.eof();
            while end.connection.outgoing().has_remaining() {
                assert_eq!(end.transport(), Open);
                end.take(1);
            }
            assert_eq!(end.payloads(CLOSE).len(), 1);
            end.assert_over();
        }
    }
}

#[test]
fn after_a_fault_input_is_discarded_up_to_a_bound() {
    for role in ROLES {
        for size in [1000, 65_536, DISCARD] {
            let mut end = End::new(role, &bounded());
            peer_breaks_the_protocol(&mut end);
            let mut left = DISCARD;
            while left > 0 {
                let n = left.min(size);
                end.read(vec![0xFF; n]);
                left -= n;
                assert_eq!(end.transport(), HalfClosed, "{left} bytes are still all right");
            }
            end.read([0xFF]);
            end.assert_over();
            assert_eq!(end.seen.len(), 1);
        }
    }
}

#[test]
fn by_default_time_alone_ends_the_discarding() {
    // Far more than an honest peer sends until it has read our Close.
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        peer_breaks_the_protocol(&mut end);
        for _ in 0..100 {
            end.read(vec![0xFF; 1 << 20]);
            assert_eq!(end.transport(), HalfClosed);
        }
        end.wait_until(at(2));
        end.assert_over();
    }
}

#[test]
fn how_much_is_discarded_can_be_set() {
    for role in ROLES {
        for limit in [0, 10] {
            let mut end = End::new(role, &config(|config| config.limits.discard = limit));
            peer_breaks_the_protocol(&mut end);
            end.read(vec![0; limit]);
            assert_eq!(end.transport(), HalfClosed);
            end.read([0]);
            end.assert_over();
        }
    }
}

#[test]
fn input_before_our_error_close_was_written_does_not_count() {
    // It may be in the same read, and tells nothing of whether the peer listens.
    for role in ROLES {
        let mut end = stuck(role);
        end.read([to(role, 0x83, ""), vec![0; 2 * DISCARD]].concat());
        end.read(vec![0; 2 * DISCARD]);
        assert_eq!(end.transport(), Open);
        end.writable = true;
        end.settle();
        assert_eq!(end.transport(), HalfClosed);
        end.read(vec![0; DISCARD]);
        assert_eq!(end.transport(), HalfClosed);
        end.read([0]);
        end.assert_over();
    }
}

#[test]
fn after_a_fault_discarding_ends_after_2_seconds() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.wait_until(at(3));
        peer_breaks_the_protocol(&mut end);
        for millis in (0..2000).step_by(100) {
            end.wait_until(at(3) + std::time::Duration::from_millis(millis));
            end.read([0xFF; 100]);
            assert_eq!(end.transport(), HalfClosed);
        }
        end.wait_until(at(5));
        end.assert_over();
    }
}

#[test]
fn a_timeout_closes_like_a_fault() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.wait_until(at(40));
        end.assert_failed(1011, Cause::KeepaliveTimeout);
        assert_eq!(end.deadline(), Some(at(42)));
        end.eof();
        end.assert_over();

        let mut end = End::new(role, &deadlines(|config| config.deadlines.message_progress = Some(secs(60))));
        end.read([TEXT]);
        end.wait_until(at(60));
        end.assert_failed(1008, Cause::MessageTimeout);
        assert_eq!(end.deadline(), Some(at(62)));
        end.wait_until(at(62));
        end.assert_over();
    }
}

#[test]
fn without_a_close_the_transport_is_let_go_at_once() {
    for role in ROLES {
        let endings: [fn(&mut End); 3] = [|end| end.eof(), |end| end.fail(), |end| end.abort()];
        for before in [|_: &mut End| (), |end: &mut End| end.close(1000, "")] {
            for ending in endings {
                let mut end = stuck(role);
                end.connection.send("lost".into()).unwrap();
                before(&mut end);
                ending(&mut end);
                end.assert_over();
            }
        }
    }
}

#[test]
fn a_transport_that_fails_during_the_farewell_is_let_go_at_once() {
    for role in ROLES {
        let farewells: [fn(&mut End); 2] = [peer_closes, peer_breaks_the_protocol];
        for farewell in farewells {
            for is_written in [false, true] {
                let enders: [fn(&mut End); 2] = [|end| end.fail(), |end| end.abort()];
                for gone in enders {
                    let mut end = stuck(role);
                    end.writable = is_written;
                    farewell(&mut end);
                    let seen = end.seen.clone();
                    gone(&mut end);
                    assert_eq!(end.seen, seen, "the end was reported before");
                    end.assert_over();
                }
            }
        }
    }
}

#[test]
fn once_over_it_stays_over() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        peer_closes(&mut end);
        end.eof();
        for _ in 0..3 {
            end.assert_over();
            end.read_frame(TEXT, "late");
            end.read_frame(CLOSE, "\x03");
            end.read(vec![0xFF; 2 * DISCARD]);
            end.eof();
            end.fail();
            end.abort();
            end.jump_to(end.now + secs(100));
        }
        assert_eq!(end.seen.len(), 1);
        assert_eq!(end.payloads(CLOSE).len(), 1);
    }
}

#[test]
fn f24_eof_in_every_state() {
    let open: [fn(&mut End); 6] = [
        |_| (),
        |end| end.read([TEXT]),
        |end| end.read(header_to(end.role(), TEXT, 4)),
        |end| end.read(header_to(end.role(), PING, 4)),
        |end| end.read_frame(TEXT_BEGINS, "t"),
        |end| end.close(1000, ""),
    ];
    let reported: [fn(&mut End); 4] = [peer_closes, peer_breaks_the_protocol, |end| end.abort(), |end| end.eof()];
    for role in ROLES {
        for (reach, is_reported) in open.into_iter().zip([false; 6]).chain(reported.into_iter().zip([true; 4])) {
            let mut end = End::new(role, &Config::default());
            reach(&mut end);
            let before = end.seen.clone();
            assert_eq!(end.outcome().is_some(), is_reported);
            end.eof();
            end.eof();
            match is_reported {
                true => assert_eq!(end.seen, before),
                false if end.outcome().unwrap().sent.is_some() => assert_eq!(end.cause(), Some(&Cause::Unanswered)),
                false => assert_eq!(end.cause(), Some(&Cause::Eof)),
            }
            end.assert_over();
        }
    }
}

#[test]
fn it_is_over_when_the_transport_can_go_and_not_before() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        assert!(!end.connection.is_over());
        end.close(1000, "");
        assert!(!end.connection.is_over());
        peer_closes(&mut end);
        assert!(!end.connection.is_over() && !end.connection.is_open());
        end.eof();
        assert_eq!(end.transport(), ws_proto::TransportState::Closed);
        assert!(end.connection.is_over());
    }
}
