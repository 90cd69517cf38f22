//! The error of each violation, and the Close frame that follows it.

use ws_tungstenite::error::ProtocolError;
use ws_tungstenite::protocol::Role;
use ws_tungstenite::protocol::frame::coding::Data;
use ws_tungstenite::{Error, Message, WebSocket};

use crate::common::*;

/// The error of reading `input`, byte by byte or whole, and the code that was sent.
#[track_caller]
fn error_of(role: Role, input: &[u8]) -> (Error, u16) {
    let mut found = None;
    for step in [1, input.len()] {
        let script = Script::new(input.chunks(step).map(<[u8]>::to_vec));
        let mut ws = WebSocket::from_raw_socket(script, role, None);
        let error = loop {
            match ws.read() {
                Ok(Message::Close(_)) => panic!("that is no error"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(ws.read(), Err(Error::AlreadyClosed)));
        assert!(matches!(ws.write(Message::text("?")), Err(Error::Protocol(ProtocolError::SendAfterClosing))));
        assert!(!ws.can_read() && !ws.can_write());
        let frames = ws.get_ref().frames(role);
        let Some(Frame(CLOSE, body)) = frames.last() else { panic!("{frames:?} after {error:?}") };
        let code = u16::from_be_bytes(*body.first_chunk().unwrap());
        let text = format!("{error:?}");
        if let Some((before, before_code)) = found.replace((error, code)) {
            assert_eq!((format!("{before:?}"), before_code), (text, code), "whole or byte by byte");
        }
    }
    found.unwrap()
}

#[test]
fn each_violation_has_its_error() {
    for role in ROLES {
        let wrong = match role {
            Role::Server => (frame(TEXT, "a", None), ProtocolError::UnmaskedFrameFromClient),
            Role::Client => (frame(TEXT, "a", Some(KEY)), ProtocolError::MaskedFrameFromServer),
        };
        for (input, fault) in [
            wrong,
            (to(role, 0xC1, "a"), ProtocolError::NonZeroReservedBits),
            (to(role, 0xA1, "a"), ProtocolError::NonZeroReservedBits),
            (to(role, 0x83, "a"), ProtocolError::InvalidOpcode(3)),
            (to(role, 0x8B, "a"), ProtocolError::InvalidOpcode(11)),
            (to(role, 0x09, "a"), ProtocolError::FragmentedControlFrame),
            (to(role, PING, letters(126)), ProtocolError::ControlFrameTooBig),
            (to(role, LAST, "a"), ProtocolError::UnexpectedContinueFrame),
            ([to(role, TEXT_BEGINS, "a"), to(role, TEXT, "b")].concat(), ProtocolError::ExpectedFragment(Data::Text)),
            (to(role, CLOSE, [3]), ProtocolError::InvalidCloseSequence),
        ] {
            let (error, code) = error_of(role, &input);
            assert!(matches!(&error, Error::Protocol(found) if *found == fault), "{role:?}: {error:?}, not {fault:?}");
            assert_eq!(code, 1002, "{fault:?}");
        }
    }
}

#[test]
fn text_that_is_not_utf8_has_its_error() {
    for role in ROLES {
        for input in [
            to(role, TEXT, [b'a', 0xFF]),
            [to(role, TEXT_BEGINS, [0xC3]), to(role, LAST, "a")].concat(),
            to(role, TEXT, [0xC3]),
            to(role, CLOSE, [0x03, 0xE8, 0xFF]),
        ] {
            let (error, code) = error_of(role, &input);
            assert!(matches!(error, Error::Utf8(_)), "{error:?}");
            assert_eq!(code, 1007);
        }
    }
}

#[test]
fn violations_without_a_name_say_what_is_wrong() {
    for role in ROLES {
        let mask = if role == Role::Server { 0x80 } else { 0 };
        let (error, code) = error_of(role, &[BINARY, mask | 126, 0, 1]);
        assert!(matches!(&error, Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData), "{error:?}");
        assert!(error.to_string().contains("shortest form"), "{error}");
        assert_eq!(code, 1002);
    }
}

#[test]
fn own_control_frames_are_checked() {
    let mut ws = receiving(Role::Server, &[]);
    for message in [Message::Ping(letters(126).into()), Message::Pong(letters(126).into())] {
        assert!(matches!(ws.send(message), Err(Error::Protocol(ProtocolError::ControlFrameTooBig))));
    }
    ws.send(Message::Ping(letters(125).into())).unwrap();
    assert_eq!(ws.get_ref().frames(Role::Server), [Frame(PING, letters(125))]);
}
