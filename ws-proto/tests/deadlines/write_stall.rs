//! A transport must take something of what waits for it.

use ws_proto::{Cause, CloseCode};

use super::{DAY, stall};
use crate::common::*;

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
fn a_write_at_the_deadline_counts() {
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
