//! Limits of messages and frames.

use ws_tungstenite::error::CapacityError;
use ws_tungstenite::protocol::{Role, WebSocketConfig};
use ws_tungstenite::{Error, Message, WebSocket};

use crate::common::*;

#[track_caller]
fn assert_too_long(role: Role, frames: &[(u8, &[u8])], config: WebSocketConfig, size: usize, max_size: usize) {
    let mut ws = with_config(role, frames, config);
    let error = ws.read().unwrap_err();
    let expected = CapacityError::MessageTooLong { size, max_size };
    assert!(matches!(error, Error::Capacity(found) if found == expected), "{error:?}");
    let frames = ws.get_ref().frames(role);
    assert!(matches!(&frames[..], [Frame(CLOSE, body)] if body.starts_with(&1009u16.to_be_bytes())), "{frames:?}");
}

#[test]
fn what_is_too_long_is_told_with_its_size() {
    for role in ROLES {
        let message = WebSocketConfig::default().max_message_size(Some(10));
        assert_too_long(role, &[(BINARY, &[0; 11])], message, 11, 10);
        assert_too_long(role, &[(TEXT_BEGINS, b"Hello, "), (LAST, b"World!")], message, 13, 10);
        let frame = WebSocketConfig::default().max_frame_size(Some(5));
        assert_too_long(role, &[(BINARY, &[0; 6])], frame, 6, 5);
        assert_too_long(role, &[(BINARY_BEGINS, &[0; 5]), (LAST, &[0; 7])], frame, 7, 5);

        let both = message.max_frame_size(Some(5));
        let mut ws = with_config(role, &[(TEXT_BEGINS, b"01234"), (LAST, b"56789")], both);
        assert_eq!(ws.read().unwrap(), Message::text("0123456789"));
    }
}

#[test]
fn limits_change_with_the_configuration() {
    let frames = [(BINARY, &[1; 20][..]), (BINARY, &[2; 20])];
    let mut ws = receiving(Role::Server, &frames);
    assert_eq!(ws.read().unwrap(), Message::binary(vec![1; 20]));
    ws.set_config(|config| config.max_message_size = Some(19));
    assert_eq!(ws.get_config().max_message_size, Some(19));
    assert!(matches!(ws.read(), Err(Error::Capacity(CapacityError::MessageTooLong { size: 20, max_size: 19 }))));
}

#[test]
fn many_fragments_are_no_fault() {
    let role = Role::Client;
    let mut input = to(role, BINARY_BEGINS, "a");
    for _ in 0..20_000 {
        input.extend(to(role, CONTINUES, "a"));
    }
    input.extend(to(role, LAST, "a"));
    let mut ws = WebSocket::from_raw_socket(Script::new([input]), role, None);
    assert_eq!(ws.read().unwrap(), Message::binary(vec![b'a'; 20_002]));
}

#[test]
fn without_limits_anything_is_accepted() {
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let long = letters(17 << 20);
    let mut ws = with_config(Role::Client, &[(BINARY, &long)], config);
    assert!(ws.read().unwrap() == Message::binary(long.clone()));
    assert_too_long(Role::Client, &[(BINARY, &long)], WebSocketConfig::default(), 17 << 20, 16 << 20);
}
