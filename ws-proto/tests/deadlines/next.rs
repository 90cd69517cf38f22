//! Which deadline is next in each state, and what the defaults are.

use ws_proto::{Config, Role};

use super::progress;
use crate::common::*;

/// The next deadline in the state that `reach` leads to.
#[track_caller]
fn assert_next(config: &Config, reach: fn(&mut End), deadline: Option<u64>) {
    for role in ROLES {
        let mut end = End::new(role, config);
        reach(&mut end);
        assert_eq!(end.deadline(), deadline.map(at), "{role:?}");
        assert_eq!(end.deadline(), deadline.map(at), "{role:?}: asking does not change the answer");
    }
}

#[test]
fn each_state_waits_for_what_it_should() {
    let all = Config::default();
    let none = deadlines(|_| ());

    // Open: idle, waiting for a pong, in a frame, in a message, after it.
    assert_next(&all, |_| (), Some(20));
    assert_next(&none, |_| (), None);
    assert_next(&keepalive(20, Some(4)), |end| end.wait_until(at(20)), Some(22));
    assert_next(&keepalive(20, Some(4)), |end| end.wait_until(at(22)), Some(24));
    assert_next(&progress(), |end| end.read([TEXT]), Some(60));
    assert_next(&progress(), |end| end.read_frame(TEXT_BEGINS, ""), Some(60));
    assert_next(&progress(), |end| end.read_frame(TEXT, ""), None);

    // Closing. A client waits for 2 s before it half-closes.
    let half_closed = |end: &mut End| {
        end.close(1000, "");
        assert_eq!(end.deadline(), Some(at(if end.role() == Role::Server { 10 } else { 2 })));
        end.wait_until(at(2));
    };
    assert_next(&all, half_closed, Some(10));
    assert_next(&none, half_closed, Some(10));
    assert_next(&all, |end| end.read_frame(CLOSE, ""), Some(10));
    assert_next(&all, |end| end.read_frame(0x83, ""), Some(2));

    // Over: nothing to wait for.
    let endings: [fn(&mut End); 7] = [
        |end| {
            end.read_frame(CLOSE, "");
            end.eof();
        },
        |end| {
            end.read_frame(0x83, "");
            end.eof();
        },
        |end| {
            end.close(1000, "");
            end.eof();
        },
        |end| end.eof(),
        |end| end.fail(),
        |end| end.abort(),
        |end| end.wait_until(at(43)),
    ];
    for ending in endings {
        assert_next(&all, ending, None);
    }
}

#[test]
fn handling_a_timeout_too_early_does_nothing() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        for _ in 0..10 {
            assert_eq!(end.connection.handle_timeout(just_before(20)), None);
        }
        end.settle();
        assert_eq!(end.written, []);
        assert_eq!(end.deadline(), Some(at(20)));
    }
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let deadlines = Config::default().deadlines;
    assert_eq!(deadlines.ping_interval, Some(secs(20)));
    assert_eq!(deadlines.pong, Some(secs(20)));
    assert_eq!(deadlines.close, secs(10));
    assert_eq!(deadlines.close_total, secs(300));
    assert_eq!(deadlines.half_close, secs(2));
    assert_eq!(deadlines.message_progress, Some(secs(60)));
    assert_eq!(deadlines.write_stall, Some(secs(30)));
    assert_eq!(deadlines.discard, secs(2));
    assert_eq!(deadlines.answer, secs(1));
    let limits = Config::default().limits;
    assert_eq!((limits.progress, limits.slowest_reading), (16 << 10, 16 << 10));
    assert_eq!((limits.discard, limits.pending_pongs), (1 << 30, 16));
}
