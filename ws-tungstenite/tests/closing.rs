//! What a Close frame does.

use std::io::ErrorKind;

use ws_tungstenite::error::ProtocolError;
use ws_tungstenite::protocol::frame::coding::CloseCode;
use ws_tungstenite::protocol::{CloseFrame, Role};
use ws_tungstenite::{Error, Message};

use crate::common::*;

fn frame_of(code: u16, reason: &str) -> Option<CloseFrame> {
    Some(CloseFrame { code: code.into(), reason: reason.to_owned().into() })
}

#[test]
fn the_peers_close_is_answered_and_ends_a_server_at_once() {
    let mut ws = receiving(Role::Server, &[(CLOSE, &close_body(1001, "bye"))]);
    assert!(ws.can_read() && ws.can_write());
    assert_eq!(ws.read().unwrap(), Message::Close(frame_of(1001, "bye")));
    assert!(!ws.can_read() && !ws.can_write());
    assert!(ws.get_ref().written.is_empty());
    assert!(matches!(ws.read(), Err(Error::ConnectionClosed)));
    assert_eq!(ws.get_ref().frames(Role::Server), [Frame(CLOSE, close_body(1001, ""))]);
    assert!(matches!(ws.read(), Err(Error::AlreadyClosed)));
    assert!(matches!(ws.write(Message::text("?")), Err(Error::AlreadyClosed)));
}

#[test]
fn the_peers_close_ends_a_client_when_the_stream_ends() {
    let mut ws = receiving(Role::Client, &[(CLOSE, b"")]);
    assert_eq!(ws.read().unwrap(), Message::Close(None));
    assert!(blocks(&ws.read()));
    assert_eq!(ws.get_ref().frames(Role::Client), [Frame(CLOSE, vec![])]);
    assert!(matches!(ws.write(Message::text("?")), Err(Error::Protocol(ProtocolError::SendAfterClosing))));
    ws.get_mut().ends = true;
    assert!(matches!(ws.read(), Err(Error::ConnectionClosed)));
    assert!(matches!(ws.read(), Err(Error::AlreadyClosed)));
}

#[test]
fn messages_come_after_our_close_until_the_peers() {
    for role in ROLES {
        let mut ws = receiving(role, &[(TEXT, b"late"), (CLOSE, &close_body(1000, ""))]);
        ws.close(frame_of(4000, "done")).unwrap();
        assert!(ws.can_read() && !ws.can_write());
        assert_eq!(ws.get_ref().frames(role), [Frame(CLOSE, close_body(4000, "done"))]);
        assert!(matches!(ws.write(Message::text("?")), Err(Error::Protocol(ProtocolError::SendAfterClosing))));
        assert_eq!(ws.read().unwrap(), Message::text("late"));
        assert_eq!(ws.read().unwrap(), Message::Close(frame_of(1000, "")));
        match role {
            Role::Server => assert!(matches!(ws.read(), Err(Error::ConnectionClosed))),
            Role::Client => {
                assert!(blocks(&ws.read()));
                ws.get_mut().ends = true;
                assert!(matches!(ws.read(), Err(Error::ConnectionClosed)));
            }
        }
        assert_eq!(ws.get_ref().frames(role).len(), 1, "one Close frame");
    }
}

#[test]
fn flushing_ends_a_server_too() {
    let mut ws = receiving(Role::Server, &[(CLOSE, b"")]);
    ws.read().unwrap();
    assert!(matches!(ws.flush(), Err(Error::ConnectionClosed)));
    assert_eq!(ws.get_ref().frames(Role::Server), [Frame(CLOSE, vec![])]);

    let mut ws = receiving(Role::Server, &[(CLOSE, b"")]);
    ws.get_mut().room = 1;
    ws.read().unwrap();
    assert!(blocks(&ws.close(None)));
    ws.get_mut().room = 1;
    assert!(matches!(ws.close(None), Err(Error::ConnectionClosed)), "closing again goes on");
    assert_eq!(ws.get_ref().frames(Role::Server), [Frame(CLOSE, vec![])]);
}

#[test]
fn a_close_message_closes() {
    for role in ROLES {
        let mut ws = receiving(role, &[]);
        ws.send(Message::Close(frame_of(1000, "bye"))).unwrap();
        assert_eq!(ws.get_ref().frames(role), [Frame(CLOSE, close_body(1000, "bye"))]);
        ws.close(frame_of(1001, "again")).unwrap();
        assert_eq!(ws.get_ref().frames(role).len(), 1);
    }
}

#[test]
fn codes_that_must_not_be_sent_are_not() {
    for code in [999, 1006, 1015, 2999, 5000] {
        let mut ws = receiving(Role::Server, &[]);
        let closed = ws.close(frame_of(code, ""));
        assert!(matches!(closed, Err(Error::Protocol(ProtocolError::InvalidCloseSequence))), "{code}: {closed:?}");
        ws.send(Message::text("still open")).unwrap();
        assert_eq!(ws.get_ref().frames(Role::Server), [Frame(TEXT, b"still open".to_vec())]);
    }
    let mut ws = receiving(Role::Server, &[]);
    ws.close(Some(CloseFrame { code: CloseCode::Status, reason: "".into() })).unwrap();
    assert_eq!(ws.get_ref().frames(Role::Server), [Frame(CLOSE, vec![])], "1005 is none");
}

#[test]
fn codes_that_must_not_be_received_are_told_as_a_violation() {
    for role in ROLES {
        let mut ws = receiving(role, &[(CLOSE, &close_body(1006, ""))]);
        assert_eq!(ws.read().unwrap(), Message::Close(frame_of(1002, "Protocol violation")));
        let _ = ws.read();
        let frames = ws.get_ref().frames(role);
        assert!(matches!(&frames[..], [Frame(CLOSE, body)] if body.starts_with(&1002u16.to_be_bytes())), "{frames:?}");
    }
}

#[test]
fn reading_behind_the_peers_close_is_an_error() {
    let mut ws = receiving(Role::Client, &[(CLOSE, b""), (TEXT, b"?")]);
    ws.read().unwrap();
    assert!(matches!(ws.read(), Err(Error::Protocol(ProtocolError::ReceivedAfterClosing))));
}

#[test]
fn a_stream_that_ends_without_a_close_is_an_error() {
    for role in ROLES {
        for closes in [false, true] {
            let mut ws = receiving(role, &[(TEXT, b"one")]);
            ws.get_mut().ends = true;
            if closes {
                ws.close(None).unwrap();
            }
            assert_eq!(ws.read().unwrap(), Message::text("one"));
            assert!(matches!(ws.read(), Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))));
            assert!(matches!(ws.read(), Err(Error::AlreadyClosed)));
        }
    }
}

#[test]
fn a_reset_after_the_peers_close_is_none() {
    let mut ws = receiving(Role::Client, &[(CLOSE, b"")]);
    ws.read().unwrap();
    assert!(blocks(&ws.read()));
    ws.get_mut().broken = Some(ErrorKind::ConnectionReset);
    assert!(matches!(ws.read(), Err(Error::ConnectionClosed)));

    let mut ws = receiving(Role::Client, &[]);
    ws.get_mut().broken = Some(ErrorKind::ConnectionReset);
    assert!(matches!(ws.read(), Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionReset));
    assert!(matches!(ws.send(Message::text("")), Err(Error::Io(_))));
}
