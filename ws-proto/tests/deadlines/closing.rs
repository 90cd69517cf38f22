//! The closing handshake, the end of the transport, and how long input is discarded.

use ws_proto::{Buf, Cause, CloseCode, Config, InFlight, Role, TransportState, Violation};

use crate::common::*;

#[test]
fn a_close_must_be_answered_within_10_seconds() {
    for role in ROLES {
        for close in [10, 3] {
            let mut end = End::new(role, &config(|config| config.deadlines.close = secs(close)));
            end.wait_until(at(5));
            end.close(1000, "bye");
            end.wait_until(at(5 + 2));
            assert_eq!(end.deadline(), Some(at(5 + close)));
            end.wait_until(just_before(5 + close));
            end.read_frame(TEXT, "this is no answer");
            assert_eq!(end.outcome(), None);
            end.wait_until(at(5 + close));
            let outcome = end.outcome().unwrap();
            assert_eq!((outcome.cause.clone(), outcome.code()), (Cause::CloseTimeout, CloseCode::ABNORMAL));
            assert_eq!(outcome.sent, Some(close_frame(1000, "bye")));
            end.assert_over();
        }
    }
}

#[test]
fn the_transport_must_end_within_the_same_10_seconds() {
    for role in ROLES {
        // We closed at 5 and the peer answered at 12; or the peer closed at 5. Then nobody ends the transport.
        let mut ours = End::new(role, &Config::default());
        ours.wait_until(at(5));
        ours.close(1000, "");
        ours.wait_until(at(12));
        ours.read_frame(CLOSE, close_body(1000, ""));

        let mut theirs = End::new(role, &Config::default());
        theirs.wait_until(at(5));
        theirs.read_frame(CLOSE, close_body(1000, ""));

        for mut end in [ours, theirs] {
            let outcome = end.outcome().cloned().unwrap();
            assert!(outcome.is_normal());
            end.wait_until(just_before(15));
            assert_ne!(end.transport(), TransportState::Closed);
            end.wait_until(at(15));
            assert_eq!(end.outcome(), Some(&outcome));
            end.assert_over();
        }
    }
}

/// What begins the end, so that a Close frame is queued.
const CLOSINGS: [fn(&mut End); 3] =
    [|end| end.close(1000, ""), |end| end.read_frame(CLOSE, close_body(1000, "")), |end| end.read_frame(0x83, "")];

#[test]
fn a_close_that_nobody_takes_is_given_up_at_the_write_stall() {
    for role in ROLES {
        for closing in CLOSINGS {
            let mut end = End::new(role, &Config::default());
            end.writable = false;
            end.wait_until(at(5));
            closing(&mut end);
            end.wait_until(just_before(35));
            assert_eq!(end.transport(), TransportState::Open);
            assert!(end.connection.outgoing().has_remaining());
            end.wait_until(at(35));
            end.assert_over();
        }
    }
}

#[test]
fn the_deadline_counts_from_when_the_close_was_written_within_a_total() {
    for role in ROLES {
        for closing in CLOSINGS {
            for total in [300, 40] {
                let mut end = End::new(role, &config(|config| config.deadlines.close_total = secs(total)));
                end.writable = false;
                end.connection.send_binary(&[7; 1000]).unwrap();
                closing(&mut end);
                // A byte each 20 s is no stall; the last of them goes at once.
                for n in 1..10 {
                    end.wait_until(at((n * 20).min(total)));
                    end.take(1);
                }
                if total == 40 {
                    end.assert_over();
                    continue;
                }
                assert_eq!(end.transport(), TransportState::Open);
                end.take(usize::MAX);
                end.settle();
                let fails = end.outcome().is_some_and(|outcome| !outcome.is_clean());
                let over = 180 + if fails { 2 } else { 10 };
                end.wait_until(just_before(over));
                assert_ne!(end.transport(), TransportState::Closed, "{role:?}");
                end.wait_until(at(over));
                end.assert_over();
            }
        }
    }
}

/// An end that has sent so much, which is still on its way: its transport has told that before.
fn sent(role: Role, len: usize) -> End {
    let mut end = End::new(role, &Config::default());
    end.connection.send_binary(&vec![7; len]).unwrap();
    end.settle();
    let in_flight = InFlight::new(len as u64, Some(100));
    end.connection.hooks().set_in_flight(in_flight, end.now);
    end
}

/// What a transport tells: all that was written but so many bytes has been acknowledged, and how much more the peer takes.
fn tell(end: &mut End, unacknowledged: u64, window: u64) {
    if end.connection.hooks().wants_in_flight(end.now) {
        let in_flight = InFlight::new(unacknowledged, Some(window));
        end.connection.hooks().set_in_flight(in_flight, end.now);
    }
}

/// Time passes, and what the transport tells stays the same.
fn pass(end: &mut End, until: u64, unacknowledged: u64, window: u64) {
    tell(end, unacknowledged, window);
    while let Some(deadline) = end.deadline().filter(|&deadline| deadline <= at(until)) {
        assert!(deadline > end.now);
        end.now = deadline;
        tell(end, unacknowledged, window);
        end.wake();
        tell(end, unacknowledged, window);
    }
    end.now = at(until);
}

#[test]
fn the_deadline_counts_from_when_the_peer_has_taken_what_was_sent() {
    for role in ROLES {
        for closing in CLOSINGS {
            let mut end = sent(role, 60_000);
            closing(&mut end);
            // The system has it all, and the peer takes 1 kB a second.
            for second in 0..60 {
                pass(&mut end, second, 60_000 - 1000 * second, 100);
                assert_ne!(end.transport(), TransportState::Closed, "{role:?}, after {second} s");
            }
            let fails = end.outcome().is_some_and(|outcome| !outcome.is_clean());
            let patience = if fails { 2 } else { 10 };
            pass(&mut end, 59 + patience - 1, 0, 100);
            assert_ne!(end.transport(), TransportState::Closed, "{role:?}");
            pass(&mut end, 59 + patience + 1, 0, 100);
            end.assert_over();
        }
    }
}

#[test]
fn a_peer_whose_receive_window_opens_still_reads_bytes_that_its_system_has() {
    for role in ROLES {
        let mut end = sent(role, 60_000);
        end.close(1000, "");
        for second in 0..40 {
            pass(&mut end, second, 0, 100 + second / 5);
            assert_eq!(end.outcome(), None, "{role:?}, after {second} s");
        }
        pass(&mut end, 35 + 10, 0, 107);
        end.assert_over();
        assert_eq!(end.cause(), Some(&Cause::CloseTimeout));
    }
}

#[test]
fn a_peer_that_takes_none_of_the_systems_bytes_is_dropped_by_the_write_stall() {
    for role in ROLES {
        let mut end = sent(role, 60_000);
        end.close(1000, "");
        pass(&mut end, 5, 60_000, 100);
        pass(&mut end, 29, 50_000, 100);
        assert_eq!(end.outcome(), None);
        pass(&mut end, 5 + 29, 50_000, 100);
        assert_eq!(end.outcome(), None);
        pass(&mut end, 5 + 31, 50_000, 100);
        assert_eq!(end.cause(), Some(&Cause::WriteStall));
        end.assert_over();
    }
}

#[test]
fn a_peer_that_was_given_up_for_its_silence_is_not_waited_for() {
    for role in ROLES {
        let mut end = sent(role, 60_000);
        // Nothing of what is written is acknowledged, pings included.
        pass(&mut end, 39, u64::MAX, 100);
        assert_eq!(end.outcome(), None);
        pass(&mut end, 41, u64::MAX, 100);
        assert_eq!(end.cause(), Some(&Cause::KeepaliveTimeout));
        assert_ne!(end.transport(), TransportState::Closed);
        pass(&mut end, 42, u64::MAX, 100);
        end.assert_over();
    }
}

#[test]
fn a_peer_that_takes_it_too_slowly_is_given_up_at_the_total() {
    for role in ROLES {
        let mut end = sent(role, 60_000);
        end.close(1000, "");
        for second in 0..300 {
            pass(&mut end, second, 60_000 - 20 * second, 100);
            assert_eq!(end.outcome(), None, "{second}");
        }
        pass(&mut end, 300, 54_000, 100);
        assert_eq!(end.cause(), Some(&Cause::CloseTimeout));
        end.assert_over();
    }
}

#[test]
fn a_peer_that_takes_all_at_once_and_does_not_answer_has_10_seconds_whatever_is_known() {
    for role in ROLES {
        let mut end = sent(role, 8);
        end.close(1000, "");
        pass(&mut end, 0, 8, 100);
        pass(&mut end, 9, 0, 108);
        assert_eq!(end.outcome(), None);
        pass(&mut end, 10, 0, 108);
        assert_eq!(end.cause(), Some(&Cause::CloseTimeout));
        end.assert_over();
    }
}

#[test]
fn input_is_discarded_for_2_seconds_after_an_error_close_was_written() {
    for role in ROLES {
        // When it is written, and when it is over: 2 s later.
        for (written, over) in [(5, 7), (9, 11), (13, 15), (14, 16)] {
            let mut end = End::new(role, &Config::default());
            end.writable = false;
            end.wait_until(at(5));
            end.read_frame(0x83, "");
            end.wait_until(at(written));
            end.writable = true;
            end.settle();
            end.assert_violated(1002, Violation::ReservedOpcode(3));
            assert_eq!(end.deadline(), Some(at(over)));
            end.wait_until(just_before(over));
            end.read_frame(TEXT, "discarded");
            assert_eq!(end.transport(), TransportState::HalfClosed);
            end.wait_until(at(over));
            end.assert_over();
        }
    }
}

#[test]
fn the_time_for_discarding_can_be_set() {
    for role in ROLES {
        let mut end = End::new(role, &config(|config| config.deadlines.discard = secs(4)));
        end.read_frame(0x83, "");
        assert_eq!(end.deadline(), Some(at(4)));
    }
}
