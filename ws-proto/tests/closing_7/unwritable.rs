//! Writing fails: what the peer said before is still taken in, and nothing is told as sent that was not.

use ws_proto::{Cause, Config, SendError, Violation};

use super::{malformed, outcome};
use crate::common::*;

/// Ends of both roles, that put their answers off and do not.
fn ends() -> impl Iterator<Item = End> {
    ROLES.into_iter().flat_map(|role| [(role, false), (role, true)]).map(|(role, holding_close)| {
        let mut end = End::new(role, &Config::default());
        end.writable = false;
        end.connection.hooks().set_hold_close(holding_close);
        end
    })
}

#[test]
fn a_close_that_is_read_after_a_write_failed_is_the_end_it_would_have_been_before() {
    for code in [1000, 1001, 1011] {
        for mut end in ends() {
            end.connection.send("to nobody".into()).unwrap();
            end.fail_writing();
            assert_eq!(end.seen, []);
            assert_eq!(end.transport(), ws_proto::TransportState::Open, "to be read");
            end.read(all_to(end.role(), &[(TEXT, b"last words"), (CLOSE, &close_body(code, "done"))]));
            assert_eq!(end.seen, [text("last words"), outcome(None, Some((code, "done")), Cause::Peer)]);
            let outcome = end.outcome().unwrap();
            assert_eq!((outcome.is_clean(), outcome.is_normal()), (true, code != 1011));
            assert!(end.connection.has_lost());
            end.assert_over();
            assert_eq!(end.written, []);
        }
    }
}

#[test]
fn so_is_one_after_our_own_close() {
    for mut end in ends() {
        end.close(1000, "");
        end.fail_writing();
        end.read_frame(CLOSE, close_body(1001, ""));
        assert_eq!(end.seen, [outcome(None, Some((1001, "")), Cause::Local)]);
        assert!(end.outcome().unwrap().is_normal() && !end.connection.has_lost());
        end.assert_over();
    }
}

#[test]
fn a_close_frame_is_told_as_sent_when_all_of_it_was_written() {
    for role in ROLES {
        let close = from(role, CLOSE, close_body(1000, "bye"));
        let message = from(role, TEXT, "first");
        let size = message.len() + close.len();
        for written in 0..=size {
            let endings: [fn(&mut End); 3] = [|end| end.fail_writing(), |end| end.fail(), |end| end.abort()];
            for ending in endings {
                let mut end = End::new(role, &Config::default());
                end.writable = false;
                end.connection.send("first".into()).unwrap();
                end.close(1000, "bye");
                end.take(written);
                ending(&mut end);
                end.fail();
                let sent = end.outcome().unwrap().sent.clone();
                assert_eq!(sent, (written == size).then(|| close_frame(1000, "bye")), "{written} of {size}");
                assert_eq!(end.connection.has_lost(), written < message.len());
                end.assert_over();
            }
        }
    }
}

#[test]
fn without_a_close_the_transport_has_failed_however_reading_ends() {
    for mut end in ends() {
        end.fail_writing();
        end.eof();
        assert_eq!(end.seen, [outcome(None, None, Cause::TransportFailed)]);
        end.assert_over();
    }
    for mut end in ends() {
        end.fail_writing();
        end.read_frame(0x83, "");
        assert_eq!(end.seen, [outcome(None, None, Cause::Violation(Violation::ReservedOpcode(3)))]);
        end.assert_over();
    }
}

#[test]
fn an_answer_that_was_put_off_is_not_waited_for() {
    for role in ROLES {
        for (input, end_of_it) in [
            (close_body(1000, "bye"), outcome(None, Some((1000, "bye")), Cause::Peer)),
            (vec![3], malformed(None, (1005, ""), &[3], Cause::Violation(Violation::TruncatedCloseCode))),
        ] {
            let mut end = End::new(role, &Config::default());
            end.connection.hooks().set_hold_close(true);
            end.read_frame(CLOSE, input);
            end.fail_writing();
            assert_eq!(end.seen, [end_of_it]);
            assert_eq!(end.connection.hooks().release_close(end.now), None);
            end.assert_over();
        }
    }
}

#[test]
fn nothing_can_be_sent_and_nothing_is_waited_for() {
    for mut end in ends() {
        end.read(&to(end.role(), TEXT, "half of it")[..9]);
        end.fail_writing();
        assert!(!end.connection.is_open() && !end.connection.is_over());
        assert_eq!(end.connection.send("x".into()), Err(SendError::Closed("x".into())));
        assert_eq!(end.connection.ping(end.now), Err(SendError::Closed(())));
        end.close(1000, "");
        assert_eq!(end.deadline(), None);
        end.wait(secs(1000));
        assert_eq!(end.seen, []);
        end.fail_writing();
        end.fail();
        assert_eq!(end.seen, [outcome(None, None, Cause::TransportFailed)]);
        assert_eq!(end.written, []);
        end.assert_over();
    }
}

#[test]
fn a_farewell_that_cannot_be_written_is_over_at_once() {
    for role in ROLES {
        let farewells: [fn(&mut End); 2] =
            [|end| end.read_frame(CLOSE, close_body(1000, "")), |end| end.read_frame(0x83, "")];
        for farewell in farewells {
            let mut end = End::new(role, &Config::default());
            farewell(&mut end);
            let seen = end.seen.clone();
            end.fail_writing();
            assert_eq!(end.seen, seen, "the end was reported before");
            end.assert_over();
        }
    }
}
