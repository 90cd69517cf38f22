//! The end of a connection whose transport is one stream of many. Both halves end on their own, and some peers never end
//! theirs.

use std::time::Duration;

use ws_proto::{Cause, Config, Role, Timestamp, TransportState, Violation};

use crate::common::*;

const SHORT: Duration = Duration::from_secs(1);

fn multiplexed(role: Role) -> End {
    let mut end = End::new(role, &Config::default());
    end.connection.set_multiplexed(true);
    end
}

/// Firefox sends its Close frame without END_STREAM, and never ends its half.
#[test]
fn after_both_closes_the_end_of_the_peers_half_is_awaited_for_a_short_time() {
    for role in ROLES {
        for peer_first in [true, false] {
            let mut end = multiplexed(role);
            end.wait(SHORT);
            if !peer_first {
                end.close(1000, "");
                // The peer takes its time, and the short time begins after it.
                end.wait(SHORT * 3 / 2);
                end.read_frame(CLOSE, close_body(1000, ""));
            } else {
                end.read_frame(CLOSE, close_body(1000, ""));
            }
            assert!(end.outcome().unwrap().is_clean());
            assert_eq!(end.transport(), TransportState::HalfClosed, "our half ends at once");
            let by = end.now + SHORT;
            assert_eq!(end.deadline(), Some(by));
            end.wait(SHORT - Duration::from_millis(1));
            assert_eq!(end.transport(), TransportState::HalfClosed);
            end.wait_until(by);
            end.assert_over();
            assert_eq!(end.payloads(CLOSE).len(), 1);
        }
    }
}

/// Chromium ends its half together with its Close frame.
#[test]
fn an_end_that_comes_with_the_close_ends_it_at_once() {
    for role in ROLES {
        for peer_first in [true, false] {
            let mut end = multiplexed(role);
            if !peer_first {
                end.close(1000, "");
            }
            end.writable = false;
            end.receive(to(role, CLOSE, close_body(1000, "")));
            end.eof();
            if peer_first {
                assert_ne!(end.transport(), TransportState::Closed, "our Close is not written");
            }
            end.take(usize::MAX);
            assert!(end.outcome().unwrap().is_clean());
            end.assert_over();
            assert_eq!(end.payloads(CLOSE).len(), 1);
        }
    }
}

#[test]
fn before_both_closes_the_deadlines_are_those_of_any_transport() {
    for role in ROLES {
        let mut end = multiplexed(role);
        end.close(1000, "");
        end.wait(SHORT * 3 / 2);
        assert_eq!(end.outcome(), None);
        end.wait(Duration::from_secs(10));
        assert_eq!(end.cause(), Some(&Cause::CloseTimeout));
        end.assert_over();
    }
}

#[test]
fn after_an_error_close_input_is_discarded_for_its_own_time() {
    for role in ROLES {
        let mut end = multiplexed(role);
        end.read_frame(0x83, "");
        end.assert_violated(1002, Violation::ReservedOpcode(3));
        end.wait(SHORT * 3 / 2);
        end.read(vec![0; 1000]);
        assert_eq!(end.transport(), TransportState::HalfClosed);
        end.wait(SHORT);
        end.assert_over();
    }
}

#[test]
fn the_short_time_is_a_setting_and_no_longer_than_that_of_closing() {
    for (close, stream_end, expected) in [(10_000, 50, 50), (200, 1000, 200)] {
        let mut config = Config::default();
        config.deadlines.close = Duration::from_millis(close);
        config.deadlines.stream_end = Duration::from_millis(stream_end);
        for role in ROLES {
            let mut end = End::new(role, &config);
            end.connection.set_multiplexed(true);
            end.read_frame(CLOSE, close_body(1000, ""));
            assert_eq!(end.deadline(), Some(Timestamp::new(Duration::from_millis(expected))));
        }
    }
}

#[test]
fn other_transports_are_awaited_as_before() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.read_frame(CLOSE, close_body(1000, ""));
        assert_eq!(end.deadline(), Some(Timestamp::new(Duration::from_secs(10))));
    }
}
