//! Pings and pongs, many of them.

use std::time::Duration;

use crate::common::*;
use crate::measuring::*;

checks![floods_of_control_frames_add_up_to_nothing, pings_that_nobody_answers_do_not_add_up,];

fn floods_of_control_frames_add_up_to_nothing() {
    let mut most = 0;
    for pongs in [2, 16, 1000] {
        let config = shared(|config| config.limits.pending_pongs = pongs);
        for role in ROLES {
            let floods = [
                to(role, PING, [b'p'; 125]),
                to(role, PING, ""),
                to(role, PONG, [b'p'; 125]),
                all_to(role, &[(PING, &[b'p'; 125]), (PONG, &[b'p'; 125]), (PING, b"")]),
            ];
            for flood in &floods {
                for inside_a_message in [false, true] {
                    // Each in a read of its own, many in one, and cut anywhere; written never, now and then, or slowly.
                    for (reads, taken) in [(1, 0), (50, 0), (1, 1), (7, 100), (50, 2000)] {
                        let batch = flood.repeat(reads);
                        let mut subject = Subject::new(role, &config);
                        if inside_a_message {
                            subject.read(&to(role, TEXT_BEGINS, "x"));
                        }
                        for round in 0..2500 / reads {
                            let (front, back) = batch.split_at(round % batch.len());
                            subject.read(front);
                            subject.read(back);
                            subject.take(taken);
                            subject.settle();
                        }
                        assert!(!subject.ended);
                        let what = format_args!("{pongs} pongs, {reads} in a read, {taken} taken");
                        subject.assert_within(pongs * 139, pongs * 139, what);
                        if pongs == 16 {
                            most = most.max(subject.meter.peak_copying());
                        }
                        subject.read(&to(role, if inside_a_message { LAST } else { PONG }, ""));
                        subject.take(usize::MAX);
                        subject.assert_holds_nothing("after the flood");
                    }
                }
            }
        }
    }
    println!("  at most {most} bytes for 16 pongs of 125 bytes");
}

fn pings_that_nobody_answers_do_not_add_up() {
    let mut most = 0;
    for pong in [Some(Duration::MAX), None] {
        let config = shared(|config| config.deadlines.pong = pong);
        for role in ROLES {
            let mut subject = Subject::new(role, &config);
            let mut refused = 0;
            for second in 0..5000 {
                subject.now = at(second);
                refused += usize::from(subject.connection.ping(subject.now).is_err());
                subject.connection.handle_timeout(subject.now);
                subject.take(usize::MAX);
                subject.settle();
            }
            assert!(!subject.ended && refused > 3000, "{refused} pings were refused");
            subject.assert_within(0, 0, format_args!("unanswered pings"));
            most = most.max(subject.meter.peak_copying());
        }
    }
    println!("  at most {most} bytes for pings that nobody has answered");
}
