//! Messages that are sent or queued while the connection closes, or after its end.

use ws_proto::{Config, Message, SendError};

use super::*;
use crate::common::*;

#[test]
fn after_a_close_nothing_is_sent_and_messages_come_back() {
    for role in ROLES {
        let endings: [fn(&mut End); 6] = [
            |end| end.close(1000, ""),
            |end| end.read_frame(CLOSE, b"\x03\xE8"),
            |end| end.read_frame(0x83, ""),
            |end| end.eof(),
            |end| end.fail(),
            |end| end.abort(),
        ];
        for ending in endings {
            let mut end = End::new(role, &Config::default());
            ending(&mut end);
            let written = end.written.clone();
            let message = Message::from("late");
            assert_eq!(end.connection.send(message.clone()), Err(SendError::Closed(message.clone())));
            assert_eq!(end.connection.send_text("late"), Err(SendError::Closed(())));
            assert_eq!(end.connection.send_binary(b"late"), Err(SendError::Closed(())));
            assert_eq!(end.connection.send_prepared(&"late".into()), Err(SendError::Closed(())));
            assert_eq!(end.connection.send_fragment(message.clone(), true), Err(SendError::Closed(message)));
            assert_eq!(end.connection.ping(end.now), Err(SendError::Closed(())));
            end.settle();
            assert_eq!(end.written, written);
        }
    }
}

#[test]
fn messages_queued_before_the_close_still_go_out() {
    for role in ROLES {
        let closings: [fn(&mut End); 3] =
            [|end| end.close(1000, ""), |end| end.read_frame(CLOSE, b"\x03\xE8"), |end| end.read_frame(0x83, "")];
        for closing in closings {
            let mut end = stuck(role, &Config::default());
            end.connection.send("first".into()).unwrap();
            end.connection.send(alphabet(100_000).into()).unwrap();
            closing(&mut end);
            end.take(usize::MAX);
            let frames = end.frames();
            assert_eq!(frames.iter().map(|frame| frame.first).collect::<Vec<_>>(), [TEXT, TEXT, CLOSE]);
            assert_eq!(frames[1].payload, alphabet(100_000).as_bytes());
        }
    }
}

#[test]
fn the_queue_is_dropped_with_the_transport() {
    for role in ROLES {
        let endings: [fn(&mut End); 3] = [|end| end.eof(), |end| end.fail(), |end| end.abort()];
        for ending in endings {
            let mut end = stuck(role, &Config::default());
            end.connection.send(alphabet(100_000).into()).unwrap();
            end.read_frame(PING, "p");
            end.take(10);
            ending(&mut end);
            assert!(end.connection.outgoing().is_empty());
            assert_eq!(end.connection.outgoing().written(), 10);
            end.assert_over();
        }
    }
}
