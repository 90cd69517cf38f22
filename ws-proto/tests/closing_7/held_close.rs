//! An answer that is put off until the application has sent what it still has to say.

use ws_proto::{Cause, Config, Role, TransportState, Violation};

use super::outcome;
use crate::common::*;

fn holding_close(role: Role) -> End {
    let mut end = End::new(role, &Config::default());
    end.connection.hooks().set_hold_close(true);
    end
}

#[test]
fn the_answer_to_a_close_can_be_put_off_until_messages_are_answered() {
    for role in ROLES {
        let input = all_to(role, &[(TEXT, b"question"), (CLOSE, b"\x03\xE9why"), (TEXT, b"discarded")]);
        for (way, pieces) in ways(&input) {
            let mut end = holding_close(role);
            pieces.iter().for_each(|piece| end.read(piece));
            assert_eq!(end.seen, [text("question")], "{way}");
            assert!(end.connection.hooks().is_close_held() && end.connection.is_open());
            assert_eq!((end.transport(), end.written.len()), (TransportState::Open, 0));

            end.connection.send("answer".into()).unwrap();
            let event = end.connection.hooks().release_close(end.now).map(Seen::from);
            end.settle();
            assert_eq!(event, Some(outcome(Some((1001, "")), Some((1001, "why")), Cause::Peer)));
            assert_eq!(end.written, [from(role, TEXT, "answer"), from(role, CLOSE, b"\x03\xE9")].concat());
            assert_eq!(end.connection.hooks().release_close(end.now), None);
            assert!(!end.connection.hooks().is_close_held());
        }
    }
}

#[test]
fn the_answer_to_a_fault_can_be_put_off_as_well() {
    for role in ROLES {
        let input = all_to(role, &[(TEXT, b"question"), (TEXT, b"\xFF"), (TEXT, b"discarded")]);
        for (way, pieces) in ways(&input) {
            let mut end = holding_close(role);
            pieces.iter().for_each(|piece| end.read(piece));
            assert_eq!(end.seen, [text("question")], "{way}");
            assert!(end.connection.hooks().is_close_held());
            end.connection.send("answer".into()).unwrap();
            let event = end.connection.hooks().release_close(end.now).unwrap();
            end.seen.push(event.into());
            end.settle();
            assert!(end.written.starts_with(&from(role, TEXT, "answer")));
            end.assert_violated(1007, Violation::InvalidUtf8);
        }
    }
}

#[test]
fn an_answer_is_put_off_for_a_second_at_most() {
    for role in ROLES {
        let mut end = holding_close(role);
        end.wait_until(at(5));
        end.read_frame(CLOSE, close_body(1000, ""));
        assert_eq!(end.deadline(), Some(at(6)));
        end.wait_until(just_before(6));
        assert_eq!(end.seen, []);
        end.wait_until(at(6));
        assert_eq!(end.seen, [outcome(Some((1000, "")), Some((1000, "")), Cause::Peer)]);
        assert_eq!(end.written, from(role, CLOSE, close_body(1000, "")));
    }
}

#[test]
fn an_answer_is_not_put_off_after_our_own_close() {
    for role in ROLES {
        let mut end = holding_close(role);
        end.close(1000, "");
        end.read_frame(CLOSE, close_body(1001, ""));
        assert_eq!(end.seen, [outcome(Some((1000, "")), Some((1001, "")), Cause::Local)]);
    }
}

#[test]
fn a_transport_that_ends_while_an_answer_is_put_off_changes_nothing_of_the_cause() {
    for role in ROLES {
        // The peer's read side may still be there.
        let mut end = holding_close(role);
        end.read_frame(CLOSE, close_body(1000, ""));
        end.eof();
        assert_eq!((end.transport(), &end.seen[..]), (TransportState::Open, &[][..]));
        end.wait(secs(1));
        assert_eq!(end.seen, [outcome(Some((1000, "")), Some((1000, "")), Cause::Peer)]);
        assert_eq!(end.written, from(role, CLOSE, close_body(1000, "")));
        end.assert_over();

        let enders: [fn(&mut End); 2] = [|end| end.fail(), |end| end.abort()];
        for gone in enders {
            let mut end = holding_close(role);
            end.read_frame(CLOSE, close_body(1000, "bye"));
            gone(&mut end);
            assert_eq!(end.seen, [outcome(None, Some((1000, "bye")), Cause::Peer)]);
            assert_eq!(end.connection.hooks().release_close(end.now), None);
            end.assert_over();
        }
    }
}
