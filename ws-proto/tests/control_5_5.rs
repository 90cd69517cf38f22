//! RFC 6455 §5.5: control frames. (What a Close frame may say is in `closing_7`.)

use crate::common::*;
use ws_proto::{Buf, Cause, Config, Role, TransportState, Violation};

const CONTROL: [u8; 3] = [CLOSE, PING, PONG];

#[test]
fn control_payloads_up_to_125_bytes_are_fine() {
    for len in [0, 1, 2, 16, 124, 125] {
        let payload = vec![b'p'; len];
        each_role(
            |role| all_to(role, &[(PING, &payload), (PONG, &payload)]),
            |end| {
                assert_eq!(end.seen, [ping(&payload), pong(&payload)]);
                assert_eq!(end.written, from(end.role(), PONG, &payload));
                end.assert_open();
            },
        );
    }
    each_role(
        |role| to(role, CLOSE, close_body(1000, [b'r'; 123])),
        |end| assert_eq!(end.outcome().map(|outcome| outcome.reason().len()), Some(123)),
    );
}

#[test]
fn f4_a_control_frame_over_125_bytes_fails_the_connection_at_its_second_byte() {
    for role in ROLES {
        for first in CONTROL {
            for len in [126, 127, 65_535, 65_536, (1 << 63) - 1] {
                let bad = header_to(role, first, len);
                assert_eq!(bytes_until_closed(role, &Config::default(), &bad), Some(2), "{role:?}: {bad:02x?}");
                let input = [to(role, TEXT, "before"), bad].concat();
                each_way(role, &Config::default(), &input, |end| {
                    assert_eq!(end.before_closed(), [text("before")]);
                    end.assert_violated(1002, Violation::ControlTooLong);
                });
            }
        }
    }
}

#[test]
fn f4_a_fragmented_control_frame_fails_the_connection_at_its_first_byte() {
    for role in ROLES {
        for first in CONTROL.map(|first| first & 0x7F) {
            assert_eq!(bytes_until_closed(role, &Config::default(), &[first]), Some(1));
            for before in [&[][..], &[(TEXT_BEGINS, &b"a"[..])]] {
                each_way(role, &Config::default(), &[all_to(role, before), to(role, first, "")].concat(), |end| {
                    assert_eq!(end.before_closed(), []);
                    end.assert_violated(1002, Violation::FragmentedControl);
                });
            }
        }
    }
}

#[test]
fn a_ping_is_answered_with_its_payload() {
    let payload: Vec<u8> = (0..125).map(|i| i * 2).collect();
    each_role(|role| to(role, PING, &payload), |end| assert_eq!(end.written, from(end.role(), PONG, &payload)));
}

#[test]
fn a_ping_whose_payload_is_cut_is_answered_once() {
    for role in ROLES {
        let bytes = to(role, PING, "0123456789");
        for size in 1..bytes.len() {
            let mut end = End::new(role, &Config::default());
            bytes.chunks(size).for_each(|piece| end.read(piece));
            assert_eq!(end.seen, [ping("0123456789")]);
            assert_eq!(end.payloads(PONG), [b"0123456789"]);
        }
    }
}

fn numbered_pings(role: Role, numbers: std::ops::RangeInclusive<u32>) -> Vec<u8> {
    numbers.flat_map(|n| to(role, PING, n.to_be_bytes())).collect()
}

fn numbers(payloads: &[Vec<u8>]) -> Vec<u32> {
    payloads.iter().map(|payload| u32::from_be_bytes(payload.as_slice().try_into().unwrap())).collect()
}

#[test]
fn f21_ten_pings_at_once_are_all_answered_in_order() {
    each_role(
        |role| numbered_pings(role, 1..=10),
        |end| {
            assert_eq!(end.seen.len(), 10);
            assert_eq!(numbers(&end.payloads(PONG)), Vec::from_iter(1..=10));
            end.assert_open();
        },
    );
}

#[test]
fn f21_sixteen_pings_at_once_are_all_answered_and_of_seventeen_the_last() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.read(numbered_pings(role, 1..=16));
        assert_eq!(numbers(&end.payloads(PONG)), Vec::from_iter(1..=16));

        let mut end = End::new(role, &Config::default());
        end.read(numbered_pings(role, 1..=17));
        assert_eq!(numbers(&end.payloads(PONG)), Vec::from_iter((1..=15).chain([17])));
    }
}

#[test]
fn f21_of_a_thousand_pings_at_once_the_last_is_answered_and_the_connection_stays_open() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.read(numbered_pings(role, 1..=1000));
        assert_eq!(end.seen.len(), 1000);
        let answered = numbers(&end.payloads(PONG));
        assert_eq!(answered.len(), 16);
        assert_eq!(answered.last(), Some(&1000));
        assert!(answered.is_sorted());
        end.assert_open();

        end.read(numbered_pings(role, 1001..=1002));
        assert_eq!(numbers(&end.payloads(PONG))[16..], [1001, 1002]);
        end.read_frame(TEXT, "still here");
        assert_eq!(end.seen.last(), Some(&text("still here")));
    }
}

#[test]
fn f21_a_thousand_pings_one_read_each_are_all_answered_when_the_peer_reads() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        for n in 1..=1000 {
            end.read(numbered_pings(role, n..=n));
        }
        assert_eq!(numbers(&end.payloads(PONG)), Vec::from_iter(1..=1000));
    }
}

#[test]
fn f22_at_most_16_pongs_are_held_for_a_peer_that_does_not_read() {
    for role in ROLES {
        for batch in [1, 3, 16, 1000] {
            let mut end = End::new(role, &Config::default());
            end.writable = false;
            for n in (1..=6000).step_by(batch) {
                end.read(numbered_pings(role, n..=n + batch as u32 - 1));
                let held = end.connection.outgoing().remaining();
                assert!(held <= 16 * from(role, PONG, [0; 4]).len(), "{held} bytes are held");
            }
            let last = numbers(&[match end.seen.last() {
                Some(Seen::Ping(payload)) => payload.clone(),
                other => panic!("{other:?}"),
            }]);
            end.assert_open();

            end.take(usize::MAX);
            let answered = numbers(&end.payloads(PONG));
            assert_eq!(answered.len(), 16, "{role:?} in batches of {batch}");
            assert_eq!(answered[..15], Vec::from_iter(1..=15));
            assert_eq!(answered[15..], last);
        }
    }
}

#[test]
fn f22_the_newest_pong_also_replaces_when_the_peer_reads_a_little() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.writable = false;
        let size = from(role, PONG, [0; 4]).len();
        for n in 1..=500 {
            end.read(numbered_pings(role, n..=n));
            end.take(size / 2); // the peer reads slower than it asks
        }
        end.take(usize::MAX);
        let answered = numbers(&end.payloads(PONG));
        assert!(answered.is_sorted_by(|a, b| a < b), "{answered:?}");
        assert_eq!(answered.last(), Some(&500));
        assert!(answered.len() <= 250 + 16);
    }
}

#[test]
fn f22_a_peer_that_pings_and_never_reads_is_dropped_at_the_write_stall() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.writable = false;
        for n in 0..30 {
            end.wait_until(at(n));
            end.read(numbered_pings(role, 1..=100));
            end.assert_open();
        }
        end.wait_until(just_before(30));
        end.assert_open();
        end.wait_until(at(30));
        assert_eq!(end.cause(), Some(&Cause::WriteStall));
        end.assert_over();
        assert_eq!(end.written, [], "the peer took nothing");
    }
}

#[test]
fn f22_the_number_of_pongs_held_is_a_limit_that_can_be_set() {
    for (limit, expected) in [(2, &[1, 100][..]), (3, &[1, 2, 100]), (5, &[1, 2, 3, 4, 100])] {
        let config = config(|config| config.limits.pending_pongs = limit);
        let mut end = End::new(Role::Server, &config);
        end.writable = false;
        for n in 1..=100 {
            end.read(numbered_pings(Role::Server, n..=n));
        }
        end.take(usize::MAX);
        assert_eq!(numbers(&end.payloads(PONG)), expected, "limit {limit}");
    }
}

#[test]
fn f23_a_pong_that_nobody_asked_for_is_ignored() {
    each_role(
        |role| all_to(role, &[(PONG, b""), (PONG, b"hello"), (PONG, &[0, 0, 0, 0, 0, 0, 0, 1]), (TEXT, b"t")]),
        |end| {
            assert_eq!(end.seen, [pong(""), pong("hello"), pong([0, 0, 0, 0, 0, 0, 0, 1]), text("t")]);
            assert_eq!(end.written, []);
            assert_eq!(end.connection.latency(), None);
            end.assert_open();
        },
    );
}

#[test]
fn a_pong_answers_its_ping_and_tells_how_long_that_took() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        let ids = [0, 1, 2].map(|n| {
            end.wait_until(at(n));
            let id = end.connection.ping(end.now).unwrap();
            end.settle();
            id
        });
        let payloads = end.payloads(PING);
        assert_eq!(payloads.len(), 3);
        assert_ne!(payloads[0], payloads[1]);

        // A pong answers the earlier pings as well (RFC 6455 §5.5.3).
        end.wait_until(at(5));
        end.read_frame(PONG, &payloads[1]);
        end.read_frame(PONG, &payloads[0]);
        end.wait_until(at(6));
        end.read_frame(PONG, &payloads[2]);
        end.read_frame(PONG, &payloads[2]);
        assert_eq!(
            end.seen,
            [
                Seen::Pong(payloads[1].clone(), Some((ids[1], secs(4)))),
                Seen::Pong(payloads[0].clone(), None),
                Seen::Pong(payloads[2].clone(), Some((ids[2], secs(4)))),
                Seen::Pong(payloads[2].clone(), None),
            ]
        );
        assert_eq!(end.connection.latency(), Some(secs(4)));
    }
}

#[test]
fn a_pong_with_another_payload_answers_the_oldest_ping() {
    for role in ROLES {
        for other in [&b""[..], b"else", &[0; 8], &[0, 0, 0, 0, 0, 0, 0, 9], &[7; 125]] {
            let mut end = End::new(role, &Config::default());
            end.read_frame(PONG, other);
            let ids = [1, 2].map(|second| {
                end.wait_until(at(second));
                let id = end.connection.ping(end.now).unwrap();
                end.settle();
                id
            });
            end.wait_until(at(5));
            for byte in to(role, PONG, other).iter().chain(&to(role, PONG, other)) {
                end.read([*byte]);
            }
            assert_eq!(
                end.seen,
                [
                    Seen::Pong(other.into(), None),
                    Seen::Pong(other.into(), Some((ids[0], secs(4)))),
                    Seen::Pong(other.into(), Some((ids[1], secs(3)))),
                ]
            );
            assert_ne!(ids[0].payload(), ids[1].payload());
            assert_eq!(end.payloads(PING), ids.map(|id| id.payload().to_vec()));
            assert_eq!(end.connection.latency(), None);
        }
    }
}

#[test]
fn pings_after_our_close_are_not_answered() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.close(1000, "");
        let written = end.written.clone();
        end.read_frame(PING, "late");
        end.read_frame(TEXT, "still read");
        assert_eq!(end.seen, [ping("late"), text("still read")]);
        assert_eq!(end.written, written, "nothing follows a Close frame (RFC 6455 §5.5.1)");
        assert_eq!(end.transport(), TransportState::Open);
    }
}

#[test]
fn pongs_that_wait_go_out_before_our_close() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.receive([numbered_pings(role, 1..=40), to(role, CLOSE, b"\x03\xE8"), to(role, PING, "x")].concat());
        end.settle();
        let frames = end.frames();
        assert_eq!(frames.len(), 17);
        assert_eq!(numbers(&end.payloads(PONG)), Vec::from_iter((1..=15).chain([40])));
        assert_eq!(frames.last().map(|frame| frame.first), Some(CLOSE));
    }
}
