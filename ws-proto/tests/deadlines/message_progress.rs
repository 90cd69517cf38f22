//! A message must come on: so many bytes a minute, or its end.

use ws_proto::{Buf, Cause, Config, Connection, Delivery, Event, TransportState};

use super::{DAY, progress};
use crate::common::*;

#[test]
fn f25_one_byte_every_19_seconds_is_dropped_at_the_message_progress_deadline() {
    for role in ROLES {
        for first in [TEXT, BINARY, TEXT_BEGINS] {
            let message = to(role, first, [b'x'; 100]);
            let mut end = End::new(role, &Config::default());
            for (n, byte) in message.iter().take(4).enumerate() {
                end.wait_until(at(19 * n as u64));
                end.read([*byte]);
            }
            end.wait_until(just_before(60));
            end.assert_open();
            end.wait_until(at(60));
            assert_eq!(end.before_closed(), []);
            end.assert_failed(1008, Cause::MessageTimeout);
        }
    }
}

#[test]
fn f25_one_byte_every_20_seconds_is_dropped_at_the_message_progress_deadline_wherever_it_stands() {
    for role in ROLES {
        let stalled = [
            (vec![], header_to(role, BINARY, 65_536)),
            (header_to(role, BINARY, 1000), vec![0; 3]),
            (to(role, TEXT_BEGINS, "between fragments"), header_to(role, LAST, 65_536)),
            (header_to(role, PING, 100), vec![0; 3]),
            ([to(role, TEXT_BEGINS, "in between"), header_to(role, CLOSE, 100)].concat(), vec![0; 3]),
        ];
        for (beginning, trickle) in stalled {
            let mut end = End::new(role, &progress());
            end.read(&beginning);
            for (n, byte) in trickle.into_iter().take(3).enumerate() {
                end.wait_until(at(20 * n as u64));
                end.read([byte]);
            }
            end.wait_until(just_before(60));
            assert_eq!(end.outcome(), None, "{beginning:02x?}");
            end.wait_until(at(60));
            end.assert_failed(1008, Cause::MessageTimeout);
        }
    }
}

#[test]
fn sixteen_kib_a_minute_is_progress_and_a_byte_less_is_not() {
    for role in ROLES {
        for (came, over) in [(16_384, 120), (16_383, 60)] {
            for size in [1, 1000, came] {
                let mut end = End::new(role, &progress());
                end.read(header_to(role, BINARY, 1 << 20));
                end.wait_until(at(30));
                vec![0; came].chunks(size).for_each(|piece| end.read(piece));
                end.wait_until(just_before(over));
                end.assert_open();
                end.wait_until(at(over));
                end.assert_failed(1008, Cause::MessageTimeout);
            }
        }
    }
}

#[test]
fn a_slow_message_that_keeps_its_pace_is_delivered() {
    for role in ROLES {
        let message = to(role, BINARY, vec![1; 1 << 20]);
        let mut end = End::new(role, &progress());
        // 64 pieces of 16 KiB, one a minute, cut so that the first holds the header as well.
        let header = message.len() - (1 << 20);
        end.read(&message[..header]);
        for (n, piece) in message[header..].chunks(16_384).enumerate() {
            end.wait_until(just_before(60 * (n as u64 + 1)));
            end.read(piece);
        }
        assert!(matches!(&end.seen[..], [Seen::Binary(bytes)] if bytes.len() == 1 << 20));
        assert_eq!(end.deadline(), None);
    }
}

#[test]
fn a_message_complete_just_in_time_is_in_time() {
    for role in ROLES {
        for message in [
            to(role, TEXT, "text"),
            to(role, PING, "text"),
            all_to(role, &[(TEXT_BEGINS, b"te"), (PING, b"p"), (LAST, b"xt")]),
        ] {
            for split in 1..message.len() {
                let mut end = End::new(role, &progress());
                end.read(&message[..split]);
                assert_eq!(end.deadline(), Some(at(60)), "{message:02x?} split at {split}");
                end.wait_until(just_before(60));
                end.read(&message[split..]);
                assert_eq!(end.deadline(), None);
                end.wait_until(at(600));
                end.assert_open();
                // And the next one has its own 60 seconds.
                end.read(&message[..split]);
                end.wait_until(just_before(660));
                end.assert_open();
                end.wait_until(at(660));
                end.assert_failed(1008, Cause::MessageTimeout);
            }
        }
    }
}

#[test]
fn a_read_at_the_deadline_counts() {
    for role in ROLES {
        let mut streaming = progress();
        streaming.delivery = Delivery::Chunks;
        for (config, message) in [
            (progress(), to(role, TEXT, "text")),
            (progress(), to(role, PING, "ping")),
            (progress(), to(role, PONG, "pong")),
            (streaming.clone(), to(role, TEXT, "text")),
            (streaming, to(role, TEXT_BEGINS, "a chunk")),
        ] {
            let (front, back) = message.split_at(message.len() - 1);
            let mut end = End::new(role, &config);
            end.read(front);
            end.wait_until(just_before(60));
            // "Read what is there before": the driver wakes up, reads, and then acts on the deadline.
            end.now = at(60);
            end.receive(back);
            end.wake();
            assert_eq!(end.outcome(), None, "nothing stands half-way: {message:02x?}");
        }
    }
}

#[test]
fn messages_one_behind_the_other_are_progress_even_when_each_read_ends_inside_one() {
    for role in ROLES {
        let messages = to(role, TEXT, "0123456789").repeat(100);
        let mut end = End::new(role, &progress());
        for (n, piece) in messages.chunks(17).enumerate() {
            end.wait_until(at(50 * n as u64));
            end.read(piece);
            assert_eq!(end.outcome(), None);
        }
        assert_eq!(end.seen.len(), 100);
    }
}

#[test]
fn streamed_messages_and_pings_one_behind_the_other_are_progress_too() {
    for role in ROLES {
        let mut streaming = progress();
        streaming.delivery = Delivery::Chunks;
        for (config, frame) in [
            (progress(), to(role, PING, "0123456789")),
            (streaming.clone(), to(role, PING, "0123456789")),
            (streaming, to(role, TEXT, "0123456789")),
        ] {
            let mut end = End::new(role, &config);
            // One more byte than a frame has, so that the reads end at every place of it.
            for (n, piece) in frame.repeat(100).chunks(frame.len() + 1).enumerate() {
                end.wait_until(at(50 * n as u64));
                end.read(piece);
                assert_eq!(end.outcome(), None, "{role:?} at {}", 50 * n);
            }
            assert_eq!(put_together(&end.seen).len(), 100);
        }
    }
}

#[test]
fn without_a_progress_deadline_a_message_may_stand_still() {
    for role in ROLES {
        let mut end = End::new(role, &deadlines(|_| ()));
        let message = to(role, TEXT, "slow");
        end.read(&message[..4]);
        assert_eq!(end.deadline(), None);
        end.wait_until(at(DAY));
        end.read(&message[4..]);
        assert_eq!(end.seen, [text("slow")]);
    }
}

#[test]
fn progress_can_be_set() {
    for role in ROLES {
        let mut config = deadlines(|config| config.deadlines.message_progress = Some(secs(5)));
        config.limits.progress = 10;
        for (came, over) in [(10, 10), (9, 5)] {
            let mut end = End::new(role, &config);
            end.read(header_to(role, BINARY, 100));
            end.read(vec![0; came]);
            end.wait_until(just_before(over));
            end.assert_open();
            end.wait_until(at(over));
            end.assert_failed(1008, Cause::MessageTimeout);
        }
    }
}

#[test]
fn pings_that_every_read_cuts_in_two_are_no_slow_message() {
    // A masked ping, and the reads begin and end in the middle of it.
    let ping = [0x89, 0x81, 1, 2, 3, 4, b'p' ^ 1];
    for inside_message in [false, true] {
        let mut config = Config::default();
        (config.deadlines.ping_interval, config.deadlines.pong) = (None, None);
        let mut connection = Connection::server(config, at(0));
        if inside_message {
            assert_eq!(connection.receive(&mut [0x02, 0x81, 0, 0, 0, 0, 7].as_mut_slice(), at(0)), None);
        }
        let mut ended = None;
        assert_eq!(connection.receive(&mut ping[..3].to_vec().as_mut_slice(), at(0)), None);
        for second in 0..200 {
            let mut cut = [&ping[3..], &ping[..3]].concat();
            let mut input = cut.as_mut_slice();
            while let Some(event) = connection.receive(&mut input, at(second)) {
                assert!(matches!(event, Event::Ping(_)), "{event:?}");
            }
            let waiting = connection.outgoing().len();
            connection.outgoing().advance(waiting);
            connection.poll_timeout(at(second));
            if let Some(Event::Closed(outcome)) = connection.handle_timeout(at(second)) {
                ended = Some((second, outcome.cause));
                break;
            }
            assert_eq!(connection.transport_state(), TransportState::Open);
        }
        let expected = inside_message.then_some((60, Cause::MessageTimeout));
        assert_eq!(ended, expected, "a message that stands still is not kept alive by pings");
    }
}
