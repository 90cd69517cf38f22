//! When bytes reach the stream, and what happens when it blocks.

use ws_tungstenite::protocol::{Role, WebSocketConfig};
use ws_tungstenite::{Error, Message};

use crate::common::*;

#[test]
fn a_written_message_waits_for_a_flush() {
    for role in ROLES {
        let mut ws = receiving(role, &[]);
        ws.write(Message::text("one")).unwrap();
        ws.write(Message::Pong("two".into())).unwrap();
        assert_eq!((ws.get_ref().written.len(), ws.get_ref().flushes), (0, 0));
        ws.flush().unwrap();
        assert_eq!(ws.get_ref().frames(role), [Frame(TEXT, b"one".to_vec()), Frame(PONG, b"two".to_vec())]);
        assert_eq!(ws.get_ref().flushes, 1);
    }
}

#[test]
fn a_full_write_buffer_is_written_without_a_flush() {
    for (size, written) in [(0, [true, true]), (9, [false, true]), (10, [false, true]), (100, [false, false])] {
        let mut ws = with_config(Role::Server, &[], WebSocketConfig::default().write_buffer_size(size));
        let writes = ["12345", "67890"].map(|text| {
            ws.write(Message::text(text)).unwrap();
            !ws.get_ref().written.is_empty()
        });
        assert_eq!(writes, written, "{size}");
        assert_eq!(ws.get_ref().flushes, 0);
    }
}

#[test]
fn a_pong_is_sent_by_the_next_call() {
    for role in ROLES {
        let pong = [Frame(PONG, b"?".to_vec())];
        let mut ws = receiving(role, &[(PING, b"?")]);
        assert_eq!(ws.read().unwrap(), Message::Ping("?".into()));
        assert!(ws.get_ref().written.is_empty());
        assert!(blocks(&ws.read()));
        assert_eq!(ws.get_ref().frames(role), pong);
        assert_eq!(ws.get_ref().flushes, 1, "and it is flushed");

        let mut ws = receiving(role, &[(PING, b"?")]);
        ws.read().unwrap();
        ws.flush().unwrap();
        assert_eq!(ws.get_ref().frames(role), pong);

        let mut ws = receiving(role, &[(PING, b"?")]);
        ws.read().unwrap();
        ws.write(Message::text("answer")).unwrap();
        assert_eq!(ws.get_ref().frames(role), [&pong[..], &[Frame(TEXT, b"answer".to_vec())]].concat());
        assert_eq!(ws.get_ref().flushes, 1, "a message beside a pong does not wait");
    }
}

#[test]
fn no_pong_follows_our_close() {
    let mut ws = receiving(Role::Server, &[(PING, b"?")]);
    ws.close(None).unwrap();
    assert_eq!(read_all(&mut ws), [Message::Ping("?".into())]);
    assert_eq!(ws.get_ref().frames(Role::Server), [Frame(CLOSE, vec![])]);
}

#[test]
fn a_message_that_blocks_is_queued() {
    for role in ROLES {
        let mut ws = receiving(role, &[]);
        ws.get_mut().room = 3;
        assert!(blocks(&ws.send(Message::text("one"))));
        assert!(blocks(&ws.flush()));
        ws.get_mut().room = 1;
        assert!(blocks(&ws.flush()));
        ws.write(Message::text("two")).unwrap();
        ws.get_mut().room = usize::MAX;
        ws.flush().unwrap();
        assert_eq!(ws.get_ref().frames(role), [Frame(TEXT, b"one".to_vec()), Frame(TEXT, b"two".to_vec())]);
    }
}

#[test]
fn reading_goes_on_while_writing_blocks() {
    for role in ROLES {
        let mut ws = receiving(role, &[(PING, b"?"), (TEXT, b"one"), (TEXT, b"two")]);
        ws.get_mut().room = 1;
        assert_eq!(ws.read().unwrap(), Message::Ping("?".into()));
        assert_eq!(ws.read().unwrap(), Message::text("one"));
        ws.get_mut().room = usize::MAX;
        assert_eq!(ws.read().unwrap(), Message::text("two"));
        assert_eq!(ws.get_ref().frames(role), [Frame(PONG, b"?".to_vec())], "the pong is tried again");
    }
}

#[test]
fn a_message_over_the_buffer_comes_back() {
    for (role, fits) in [(Role::Server, 18), (Role::Client, 14)] {
        let config = WebSocketConfig::default().write_buffer_size(10).max_write_buffer_size(20);
        let mut ws = with_config(role, &[], config);
        ws.get_mut().room = 0;
        let message = Message::binary(letters(fits));
        assert!(matches!(
            ws.write(Message::binary(letters(fits + 1))),
            Err(Error::WriteBufferFull(back)) if *back == Message::binary(letters(fits + 1))
        ));
        assert!(blocks(&ws.write(message.clone())), "this one was taken");
        assert!(matches!(ws.write(Message::text("")), Err(Error::WriteBufferFull(back)) if *back == Message::text("")));
        ws.get_mut().room = usize::MAX;
        ws.flush().unwrap();
        ws.send(Message::text("")).unwrap();
        assert_eq!(ws.get_ref().frames(role), [Frame(BINARY, letters(fits)), Frame(TEXT, vec![])]);
    }
}

#[test]
#[should_panic(expected = "must be greater")]
fn a_buffer_with_less_room_than_it_keeps_is_refused() {
    with_config(Role::Server, &[], WebSocketConfig::default().write_buffer_size(10).max_write_buffer_size(10));
}

#[test]
fn a_stream_that_takes_nothing_is_reset() {
    struct Full;
    impl std::io::Read for Full {
        fn read(&mut self, _buf: &mut [u8]) -> std::io::Result<usize> {
            Ok(0)
        }
    }
    impl std::io::Write for Full {
        fn write(&mut self, _buf: &[u8]) -> std::io::Result<usize> {
            Ok(0)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut ws = ws_tungstenite::WebSocket::from_raw_socket(Full, Role::Server, None);
    let error = ws.send(Message::text("?")).unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionReset));
}
