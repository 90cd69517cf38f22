//! Time that stands still, jumps, runs backwards.

use std::time::Duration;

use super::decoding::*;
use super::made_up::*;
use super::streams::*;
use crate::common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ws_proto::{Config, Timestamp};

/// The last there is: 584 years after the origin.
const END_OF_TIME: Duration = Duration::from_nanos(u64::MAX - 1);

/// What happens next, to an end whose clock does as it likes.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Passes(Duration),
    /// The clock is set back.
    Back(Duration),
    Reads(usize),
    Writes(usize),
    Says(Say),
    Pauses(bool),
    Closes,
    Concludes,
    Eof,
    Fails,
}

pub(crate) fn any_step() -> impl Strategy<Value = Step> {
    let nanos = [0, 1, 1_000_000, 999_999_999].map(Duration::from_nanos);
    let seconds = [1, 2, 10, 20, 30, 60, 61, 3600, 1 << 20, 1 << 40, u64::MAX / 4, u64::MAX].map(secs);
    let time = move || select([&nanos[..], &seconds[..]].concat());
    let size = || prop_oneof![1..20usize, 20..2000usize, Just(usize::MAX)];
    prop_oneof![
        8 => time().prop_map(Step::Passes),
        1 => time().prop_map(Step::Back),
        6 => size().prop_map(Step::Reads),
        4 => size().prop_map(Step::Writes),
        3 => any_say(300).prop_map(Step::Says),
        1 => any::<bool>().prop_map(Step::Pauses),
        1 => Just(Step::Closes),
        1 => Just(Step::Concludes),
        1 => Just(Step::Eof),
        1 => Just(Step::Fails),
    ]
}

/// Deadlines of any length, also of none.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    pub(crate) optional: [Option<Duration>; 4],
    pub(crate) others: [Duration; 5],
}

pub(crate) fn any_times() -> impl Strategy<Value = Times> {
    let time = || {
        prop_oneof![
            3 => select(&[1, 20, 60, 3600][..]).prop_map(secs),
            1 => select(vec![Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(1), Duration::MAX]),
        ]
    };
    let optional = || proptest::option::weighted(0.9, time());
    ([optional(), optional(), optional(), optional()], [time(), time(), time(), time(), time()])
        .prop_map(|(optional, others)| Times { optional, others })
}

impl Times {
    pub(crate) fn set(&self, config: &mut Config) {
        let deadlines = &mut config.deadlines;
        [deadlines.ping_interval, deadlines.pong, deadlines.message_progress, deadlines.write_stall] = self.optional;
        [deadlines.close, deadlines.answer, deadlines.discard, deadlines.half_close, deadlines.close_total] =
            self.others;
    }
}

impl Subject {
    /// Acts on what is due until nothing is. Of deadlines of no length one can follow from the other; but a driver that
    /// is told of the past again and again is in a busy loop.
    #[track_caller]
    pub(crate) fn act(&mut self) {
        for round in 0.. {
            assert!(round < 4, "still due: {:?}", self.end.connection);
            self.handle_timeout();
            if self.end.deadline().is_none_or(|deadline| deadline > self.end.now) {
                break;
            }
        }
        assert_eq!(self.end.connection.handle_timeout(self.end.now), None, "nothing is due");
        assert_eq!(self.end.deadline(), self.end.deadline(), "asking does not change the answer");
    }

    pub(crate) fn step(&mut self, step: &Step, rest: &mut &[u8]) {
        let now = self.end.now;
        let connection = &mut self.end.connection;
        match step {
            // The end of time is a test of its own.
            Step::Passes(time) => self.end.now = (now + *time).min(Timestamp::new(END_OF_TIME - secs(1))),
            Step::Back(time) => self.end.now = Timestamp::new(now.since_origin().saturating_sub(*time)),
            Step::Reads(n) => {
                let (piece, left) = rest.split_at((*n).min(rest.len()));
                *rest = left;
                self.read(piece, &[]);
            }
            Step::Writes(n) => self.end.take(*n),
            Step::Says(say) => drop(say.send(&mut self.end)),
            Step::Pauses(paused) => connection.hooks().set_paused(*paused, now),
            Step::Closes => connection.close(close_frame(1000, ""), now).unwrap(),
            Step::Concludes => {
                if let Some(event) = connection.hooks().release_close(now) {
                    self.saw(event.into());
                }
            }
            Step::Eof => {
                if let Some(event) = connection.receive_eof(now) {
                    self.saw(event.into());
                }
            }
            Step::Fails => {
                if let Some(event) = connection.fail() {
                    self.saw(event.into());
                }
            }
        }
        self.end.transport();
    }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn time_may_stand_still_or_jump(
        setup in any_setup(), times in any_times(), stream in any_stream(), steps in vec(any_step(), 1..40)
    ) {
        let bytes = stream.bytes(setup.role);
        let mut rest = &bytes[..];
        let mut subject = Subject::new(&setup);
        subject.end = end(setup.role, &config(|config| {
            *config = setup.config();
            times.set(config);
        }));
        subject.end.connection.hooks().set_hold_close(setup.holds_close);
        for step in &steps {
            subject.step(step, &mut rest);
            subject.act();
        }

        // From here on it wakes up when it must, and not much more often than its intervals say.
        let [ping, pong, progress, _] = times.optional;
        let interval = [ping, pong, progress].into_iter().flatten().min().unwrap_or(secs(1)).max(Duration::from_millis(1));
        let until = subject.end.now + interval.saturating_mul(20);
        let mut wakes = 0;
        while let Some(deadline) = subject.end.deadline().filter(|&deadline| deadline < until) {
            prop_assert!(deadline > subject.end.now);
            subject.end.now = deadline;
            subject.act();
            subject.end.take(usize::MAX);
            subject.end.transport();
            subject.act();
            wakes += 1;
            prop_assert!(wakes < 100, "a busy loop");
        }
    }
}

#[test]
pub(crate) fn while_reading_is_paused_a_short_pong_deadline_is_no_busy_loop() {
    for role in ROLES {
        for pong in [Duration::ZERO, Duration::from_nanos(1)] {
            let mut config = keepalive(20, None);
            config.deadlines.pong = Some(pong);
            let mut end = end(role, &config);
            end.connection.hooks().set_paused(true, end.now);
            end.writable = true;
            let mut wakes = 0;
            while let Some(deadline) = end.deadline().filter(|&deadline| deadline < at(21)) {
                end.now = end.now.max(deadline);
                assert_eq!(end.connection.handle_timeout(end.now), None, "nobody listens for the pong");
                end.settle();
                wakes += 1;
                assert!(wakes < 3000, "a busy loop");
            }
        }
    }
}

/// A deadline too far ahead to be told is one that never comes, not one that comes over and over.
#[test]
pub(crate) fn at_the_end_of_time_nothing_loops() {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for role in ROLES {
            for before in [Duration::ZERO, Duration::from_nanos(1), secs(1), secs(20), secs(60)] {
                for bytes in [vec![], header_to(role, TEXT, 100), to(role, PING, "p"), to(role, CLOSE, "")] {
                    let mut end = end(role, &Config::default());
                    end.read(&bytes);
                    end.now = Timestamp::new(END_OF_TIME - before);
                    for _ in 0..3 {
                        end.connection.handle_timeout(end.now);
                        assert!(end.deadline().is_none_or(|deadline| deadline > end.now), "{before:?}, {bytes:?}");
                        end.take(usize::MAX);
                        end.now = Timestamp::new(END_OF_TIME);
                    }
                }
            }
        }
        done.send(()).unwrap();
    });
    wait.recv_timeout(secs(20)).expect("it ends, and none is left in the past");
}
