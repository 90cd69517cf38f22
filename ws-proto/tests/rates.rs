//! The rates at which messages and bytes are received: a peer that exceeds one waits, or is told so.

use std::time::Duration;

use ws_proto::{Cause, Config, Event, OverRate, Rate, ReadBuffer, Role, Violation};

use crate::common::*;

fn closing(change: impl FnOnce(&mut Config)) -> Config {
    deadlines(|config| {
        config.limits.over_rate = OverRate::Close;
        change(config);
    })
}

fn messages(rate: Rate) -> Config {
    closing(|config| config.limits.message_rate = Some(rate))
}

/// A driver that stops when it must, and has input left.
struct Slow {
    end: End,
    input: Vec<u8>,
}

impl Slow {
    fn new(role: Role, change: impl FnOnce(&mut Config)) -> Self {
        Self { end: End::new(role, &deadlines(change)), input: Vec::new() }
    }

    /// Passes on what is there, up to a pause. The number of messages and pings.
    fn read(&mut self, bytes: impl AsRef<[u8]>) -> usize {
        self.input.extend(bytes.as_ref());
        let mut input = &mut self.input[..];
        let before = self.end.seen.len();
        while !self.end.connection.hooks().must_pause(self.end.now)
            && let Some(event) = self.end.connection.receive(&mut input, self.end.now)
        {
            self.end.seen.push(Seen::from(event));
        }
        let left = input.len();
        self.input.drain(..self.input.len() - left);
        self.end.settle();
        self.end.seen.len() - before
    }

    /// Waits for the deadline, if that ends a pause.
    fn wait(&mut self) -> usize {
        let deadline = self.end.deadline().expect("the end of the pause");
        assert!(self.end.connection.hooks().must_pause(self.end.now));
        self.end.jump_to(deadline);
        self.read([])
    }
}

#[test]
fn more_messages_than_the_rate_allows_are_1008() {
    let rate = Rate::per_second(10).with_burst(3);
    for role in ROLES {
        for (first, payload) in [(TEXT, "a"), (BINARY, &*"b".repeat(300)), (PING, "p"), (PONG, "q")] {
            let message = to(role, first, payload);
            for size in [1, 7, message.len() * 10] {
                let mut end = End::new(role, &messages(rate));
                message.repeat(3).chunks(size).for_each(|piece| end.read(piece));
                end.assert_open();
                // A tenth of a second brings room for one.
                end.wait_until(at(0) + Duration::from_millis(100));
                message.chunks(size).for_each(|piece| end.read(piece));
                end.assert_open();
                assert_eq!(end.seen.len(), 4);
                message.chunks(size).for_each(|piece| end.read(piece));
                assert_eq!(end.before_closed().len(), 4, "the message that is too many is not delivered");
                end.assert_violated(1008, Violation::TooManyMessages { rate });
            }
        }
    }
}

#[test]
fn one_read_is_judged_message_by_message() {
    let rate = Rate::per_second(5);
    for role in ROLES {
        let mut end = End::new(role, &messages(rate));
        end.read(to(role, TEXT, "a").repeat(100));
        assert_eq!(end.before_closed().len(), 5);
        end.assert_violated(1008, Violation::TooManyMessages { rate });
    }
}

#[test]
fn the_reason_names_the_limit_and_its_value() {
    let rate = Rate::new(100, secs(10)).with_burst(300);
    assert_eq!(
        Violation::TooManyMessages { rate }.to_string(),
        "messages over the receiver's limit of 100 in 10 s, 300 at once (limits.message_rate)"
    );
    assert_eq!(
        Violation::TooManyBytes { rate: Rate::per_second(4096) }.to_string(),
        "bytes over the receiver's limit of 4096 a second (limits.byte_rate)"
    );
    // It must fit into a Close frame.
    let longest = Rate::new(u32::MAX, Duration::from_millis(u64::from(u32::MAX))).with_burst(u32::MAX - 1);
    assert!(Violation::TooManyMessages { rate: longest }.to_string().len() <= 123);
}

#[test]
fn a_closing_handshake_is_never_over_the_rate() {
    for role in ROLES {
        let mut end = End::new(role, &messages(Rate::per_second(1)));
        end.read(to(role, TEXT, "a"));
        end.read(to(role, CLOSE, close_body(1000, "")));
        assert!(end.outcome().unwrap().is_clean());
    }
}

#[test]
fn bytes_count_as_they_are_on_the_wire() {
    for role in ROLES {
        let message = to(role, BINARY, [0; 994]);
        let rate = Rate::per_second(message.len() as u32).with_burst(4 * message.len() as u32);
        for size in [1, 100, message.len()] {
            let mut end = End::new(role, &closing(|config| config.limits.byte_rate = Some(rate)));
            message.repeat(4).chunks(size).for_each(|piece| end.read(piece));
            end.assert_open();
            end.wait_until(at(1));
            message.chunks(size).for_each(|piece| end.read(piece));
            end.assert_open();
            end.read([message[0]]);
            assert_eq!(end.before_closed().len(), 5);
            end.assert_violated(1008, Violation::TooManyBytes { rate });
        }
    }
}

#[test]
fn a_peer_that_is_too_fast_waits() {
    let rate = Rate::per_second(10).with_burst(3);
    for role in ROLES {
        let mut slow = Slow::new(role, |config| config.limits.message_rate = Some(rate));
        let message = to(role, TEXT, "a");
        assert_eq!(slow.read(message.repeat(23)), 3);
        for n in 1..=20 {
            assert_eq!(slow.wait(), 1);
            assert_eq!(slow.end.now, at(0) + Duration::from_millis(100 * n));
        }
        assert!(slow.input.is_empty());
        // It sends as fast as it may, and is never in the way of anything.
        slow.end.wait_until(at(2) + Duration::from_millis(100));
        for _ in 0..50 {
            assert_eq!(slow.read(&message), 1);
            slow.end.wait(Duration::from_millis(100));
        }
        slow.end.assert_open();
    }
}

#[test]
fn a_long_message_is_read_at_the_rate_of_bytes() {
    let rate = Rate::per_second(1000);
    for role in ROLES {
        let mut slow = Slow::new(role, |config| config.limits.byte_rate = Some(rate));
        let message = to(role, BINARY, vec![0; 20_000]);
        let mut events = 0;
        for piece in message.chunks(2000) {
            events += slow.read(piece);
            while slow.end.connection.hooks().must_pause(slow.end.now) {
                events += slow.wait();
            }
        }
        assert_eq!(events, 1);
        let time = slow.end.now - at(0);
        assert!((secs(19)..secs(21)).contains(&time), "{time:?}");
    }
}

/// A pause is no silence of the peer's: neither a pong nor the rest of a message is awaited.
#[test]
fn deadlines_stand_still_while_reading_pauses() {
    let rate = Rate::new(1, secs(100));
    for role in ROLES {
        let mut slow = Slow::new(role, |config| {
            config.limits.message_rate = Some(rate);
            config.deadlines.ping_interval = Some(secs(20));
            config.deadlines.pong = Some(secs(20));
            config.deadlines.message_progress = Some(secs(10));
        });
        assert_eq!(slow.read([to(role, TEXT, "a"), to(role, TEXT_BEGINS, "b")].concat()), 1);
        slow.end.wait_until(just_before(100));
        slow.end.assert_open_so_far();
        // From then on they count.
        slow.end.jump_to(at(100));
        assert_eq!(slow.read([]), 0);
        slow.end.wait_until(at(111));
        assert!(slow.end.outcome().is_some());
    }
}

/// A peer that uses its rate up with pings inside a message does not keep the message for ever.
#[test]
fn pings_hold_no_message_open() {
    for rate in [Rate::per_second(10), Rate::new(1, secs(7))] {
        for role in ROLES {
            let mut slow = Slow::new(role, |config| {
                config.limits.message_rate = Some(rate);
                config.deadlines.message_progress = Some(secs(60));
            });
            slow.read(to(role, TEXT_BEGINS, "b"));
            let ping = to(role, PING, "p");
            while slow.end.outcome().is_none() {
                assert!(slow.end.now < at(70), "{rate:?}");
                slow.read(ping.repeat(3));
                while slow.end.outcome().is_none() && slow.end.connection.hooks().must_pause(slow.end.now) {
                    slow.wait();
                }
            }
            assert_eq!(slow.end.outcome().unwrap().cause, Cause::MessageTimeout);
        }
    }
}

/// A message that is read as slowly as its rate allows makes progress, with a ping in it now and then.
#[test]
fn a_rate_is_no_lack_of_progress() {
    for role in ROLES {
        let mut slow = Slow::new(role, |config| {
            config.limits.byte_rate = Some(Rate::per_second(100));
            config.deadlines.message_progress = Some(secs(10));
        });
        let (ping, part) = (to(role, PING, "p"), to(role, CONTINUES, vec![b'b'; 1000]));
        slow.read(to(role, TEXT_BEGINS, "a"));
        for _ in 0..20 {
            slow.read([&*part, &*ping].concat());
            while slow.end.connection.hooks().must_pause(slow.end.now) {
                slow.wait();
            }
            slow.end.assert_open_so_far();
        }
        assert!(slow.end.now > at(150));
    }
}

/// Bytes that are read into the memory of a message count, too.
#[test]
fn bytes_in_memory_of_a_message_count() {
    let rate = Rate::per_second(100_000);
    let mut end = End::new(Role::Server, &closing(|config| config.limits.byte_rate = Some(rate)));
    end.connection.set_memory(Some(std::sync::Arc::new(Heap)));
    let message = to(Role::Server, BINARY, vec![0; 120_000]);
    let mut buffer = ReadBuffer::new(16 << 10);
    let (mut rest, mut closed) = (&message[..], false);
    while !rest.is_empty() && !closed {
        let room = end.connection.read_buffer(&mut buffer);
        let n = room.len().min(rest.len());
        room[..n].copy_from_slice(&rest[..n]);
        rest = &rest[n..];
        let mut input = end.connection.received(n, &mut buffer);
        while let Some(event) = end.connection.receive(&mut input, at(0)) {
            assert!(matches!(event, Event::Closed(_)), "{event:?}");
            closed = true;
        }
    }
    assert!(closed);
}

#[derive(Debug)]
struct Heap;

impl ws_proto::Memory for Heap {}
