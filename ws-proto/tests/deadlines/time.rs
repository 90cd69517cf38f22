//! Time that jumps, stands still or runs backwards; deadlines too far away; timestamps.

use std::time::Duration;

use ws_proto::{Config, Timestamp};

use crate::common::*;

#[test]
fn when_time_jumps_an_idle_connection_sends_one_ping() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.jump_to(at(3600));
        assert_eq!(end.payloads(PING).len(), 1);
        end.assert_open();
        assert_eq!(
            end.deadline(),
            Some(at(3610)),
            "the pong has its 20 seconds from now on, and half-way a second ping"
        );
        end.answer_ping();
        end.wait_until(just_before(3620));
        assert_eq!(end.payloads(PING).len(), 1);
        end.wait_until(at(3620));
        assert_eq!(end.payloads(PING).len(), 2);
    }
}

#[test]
fn when_time_jumps_nothing_loops_and_the_end_comes_once_wherever_it_finds_the_connection() {
    let places: [fn(&mut End); 13] = [
        |_| (),
        |end| end.read([0x81]),
        |end| end.read_frame(TEXT_BEGINS, "part"),
        |end| end.read(header_to(end.role(), BINARY, 1 << 20)),
        |end| end.wait_until(at(20)),
        |end| {
            end.writable = false;
            end.connection.send("stuck".into()).unwrap();
            end.settle();
        },
        |end| {
            end.writable = false;
            end.read_frame(PING, "stuck");
        },
        |end| end.close(1000, ""),
        |end| {
            end.writable = false;
            end.close(1000, "");
        },
        |end| end.read_frame(CLOSE, ""),
        |end| end.read_frame(0x83, ""),
        |end| {
            end.writable = false;
            end.read_frame(0x83, "");
        },
        |end| {
            end.connection.hooks().set_hold_close(true);
            end.read_frame(CLOSE, "");
        },
    ];
    for role in ROLES {
        for (i, place) in places.iter().enumerate() {
            for jump in [1, 2, 10, 19, 20, 21, 30, 40, 59, 60, 61, 80, 3600, 1 << 33].map(secs) {
                let mut end = End::new(role, &Config::default());
                place(&mut end);
                let start = end.now;
                end.jump_to(start + jump);
                for _ in 0..5 {
                    end.jump_to(end.now + secs(3600));
                }
                end.assert_over();
                assert!(matches!(end.seen.last(), Some(Seen::Closed(_))), "place {i}, jump {jump:?}");
            }
        }
    }
}

#[test]
fn time_that_stands_still_or_runs_backwards_is_no_trouble() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.wait_until(at(25));
        for now in [at(25), at(3), Timestamp::ZERO, at(25)] {
            end.now = now;
            end.read_frame(TEXT, "t");
            let message = to(role, TEXT, "in pieces");
            end.read(&message[..5]);
            end.connection.handle_timeout(now);
            end.read(&message[5..]);
            end.connection.ping(now).unwrap();
            end.settle();
            end.answer_ping();
        }
        end.assert_open();
        assert_eq!(end.deadline(), Some(at(40)));
    }
}

#[test]
fn deadlines_too_far_away_to_be_told_never_come() {
    for role in ROLES {
        let config = config(|config| {
            config.deadlines.ping_interval = Some(Duration::MAX);
            config.deadlines.close = Duration::MAX;
            config.deadlines.message_progress = Some(Duration::MAX);
            config.deadlines.write_stall = Some(Duration::MAX);
            config.deadlines.discard = Duration::MAX;
        });
        let mut end = End::new(role, &config);
        end.writable = false;
        end.wait_until(at(1 << 40));
        end.read([0x82]);
        end.connection.send("t".into()).unwrap();
        end.wait_until(at(1 << 41));
        end.assert_open_so_far();
        end.close(1000, "");
        end.wait_until(at(1 << 42));
        assert_eq!(end.outcome(), None);
    }
}

#[test]
fn a_timestamp_counts_from_its_origin_and_never_below_or_beyond() {
    assert_eq!(at(5).since_origin(), secs(5));
    assert_eq!((at(5) - at(3), at(3) - at(5)), (secs(2), secs(0)));
    assert_eq!(at(5).saturating_since(at(3)), secs(2));
    assert_eq!(at(5) + Duration::MAX, Timestamp::new(Duration::MAX));
    assert_eq!((at(5) + Duration::MAX).since_origin(), Duration::from_nanos(u64::MAX - 1), "584 years");
}
