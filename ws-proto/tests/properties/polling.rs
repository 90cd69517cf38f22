//! In which order a connection is asked.

use std::time::Duration;

use super::decoding::*;
use super::made_up::*;
use super::streams::*;
use crate::common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ws_proto::Config;

/// What happens in one round of a driver: time passes, there is a read, there is a write.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) passes: Duration,
    pub(crate) reads: usize,
    pub(crate) writes: usize,
    pub(crate) says: Option<Say>,
    /// What it asks beside what it should: first, after reading, after sending, after writing, last.
    pub(crate) polls: [Vec<Question>; 5],
}

pub(crate) fn any_round() -> impl Strategy<Value = Round> {
    let passes = select(&[0, 0, 0, 1, 500, 5000, 19_000, 20_000, 30_000][..]).prop_map(Duration::from_millis);
    let size = || prop_oneof![2 => Just(0), 2 => 1..20usize, 1 => 20..2000usize, 1 => Just(usize::MAX)];
    let polls = (any_polls(), any_polls(), any_polls(), any_polls(), any_polls());
    (passes, size(), size(), proptest::option::weighted(0.2, any_say(300)), polls).prop_map(
        |(passes, reads, writes, says, polls)| Round {
            passes,
            reads,
            writes,
            says,
            polls: [polls.0, polls.1, polls.2, polls.3, polls.4],
        },
    )
}

proptest! {
    #![proptest_config(cases(600))]

    /// While the clock stands still (it does within a round), asking changes nothing, wherever it is done. Between two
    /// events of one read it is not done here: a driver looks at deadlines after a read, not during it. (With the clock
    /// standing still altogether, it is: the property above asks before every event.)
    #[test]
    fn the_order_of_polling_changes_neither_bytes_nor_events(
        setup in any_setup(), stream in any_stream(), rounds in vec(any_round(), 1..30)
    ) {
        let bytes = stream.bytes(setup.role);
        let run = |polls: bool| {
            let ask = |subject: &mut Subject, round: &Round, place: usize| {
                if polls {
                    subject.poll(&round.polls[place]);
                }
            };
            let mut subject = Subject::new(&setup);
            let (mut rest, mut transports) = (&bytes[..], vec![]);
            for round in &rounds {
                subject.end.now = subject.end.now + round.passes;
                ask(&mut subject, round, 0);
                let (piece, left) = rest.split_at(round.reads.min(rest.len()));
                rest = left;
                subject.read(piece, &[]);
                ask(&mut subject, round, 1);
                if let Some(say) = &round.says {
                    say.send(&mut subject.end);
                }
                ask(&mut subject, round, 2);
                subject.end.take(round.writes);
                ask(&mut subject, round, 3);
                subject.handle_timeout();
                ask(&mut subject, round, 4);
                transports.push((subject.end.transport(), subject.end.deadline(), subject.end.written.len()));
            }
            subject.read(rest, &[]);
            (subject.finish(), transports)
        };
        prop_assert_eq!(run(true), run(false));
    }
}

// What the property has found, each on its own.

#[test]
pub(crate) fn a_pong_that_waits_counts_as_queued_whether_or_not_it_has_been_asked_for() {
    for role in ROLES {
        for asks in [false, true] {
            let tight = config(|config| (config.limits.high_water, config.limits.hard_cap) = (1, 0));
            let mut end = end(role, &tight);
            end.read_frame(PING, "p");
            if asks {
                end.connection.outgoing();
            }
            assert!(end.connection.is_above_high_water());
            assert!(end.connection.send_text("").is_err(), "asked: {asks}");
            assert!(end.connection.ping(end.now).is_err(), "asked: {asks}");
        }
    }
}

#[test]
pub(crate) fn a_pong_goes_out_before_a_ping_that_comes_after_it() {
    for role in ROLES {
        for asks in [false, true] {
            for keepalive in [false, true] {
                let mut end = end(role, &Config::default());
                end.receive(to(role, PING, "p"));
                if asks {
                    end.connection.outgoing();
                }
                if keepalive {
                    end.now = at(20);
                    assert_eq!(end.connection.handle_timeout(end.now), None);
                } else {
                    end.connection.ping(end.now).unwrap();
                }
                end.take(usize::MAX);
                let sent: Vec<u8> = end.frames().iter().map(|frame| frame.first).collect();
                assert_eq!(sent, [PONG, PING], "asked: {asks}, keepalive: {keepalive}");
            }
        }
    }
}
