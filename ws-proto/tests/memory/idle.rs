//! Nothing is under way.

use std::sync::Arc;

use ws_proto::{Buf, Config, Connection, Message};

use crate::common::*;
use crate::measuring::*;

checks![the_struct_itself, an_idle_connection_holds_nothing, nothing_is_held_between_messages,];

/// What a connection takes itself, wherever it is kept. Ten thousand of them that say nothing take 7 MB.
const STRUCT: usize = 704;

fn the_struct_itself() {
    let size = size_of::<Connection>();
    println!("  a Connection is {size} bytes; the bound is {STRUCT}");
    if cfg!(target_pointer_width = "64") {
        assert!(size <= STRUCT, "a connection has grown to {size} bytes");
    }
}

fn an_idle_connection_holds_nothing() {
    for config in [Arc::new(Config::default()), Arc::new(chunks())] {
        for role in ROLES {
            let mut subject = Subject::new(role, &config);
            subject.assert_holds_nothing("at first");
            // An hour of keepalive.
            while subject.now < at(3600) {
                subject.now = subject.connection.poll_timeout(subject.now).unwrap();
                assert!(subject.connection.handle_timeout(subject.now).is_none());
                let ping = subject.connection.outgoing().chunk().to_vec();
                subject.take(usize::MAX);
                for frame in frames(role, &ping) {
                    subject.read(&to(role, PONG, frame.payload));
                }
                drop(ping);
                subject.assert_holds_nothing("between two pings");
            }
        }
    }
}

fn nothing_is_held_between_messages() {
    let text = "κόσμε 😀 ".repeat(20);
    for config in [Arc::new(Config::default()), Arc::new(chunks())] {
        for role in ROLES {
            let (front, back) = text.as_bytes().split_at(101); // inside a character
            let inputs = [
                to(role, TEXT, &text),
                to(role, BINARY, [0xFF; 5000]),
                to(role, TEXT, ""),
                all_to(role, &[(TEXT_BEGINS, front), (CONTINUES, b""), (PING, b"ping"), (LAST, back)]),
                to(role, PING, [b'p'; 125]),
                to(role, PONG, [b'p'; 125]),
                to(role, PING, "").repeat(40),
            ];
            for input in &inputs {
                for size in [1, 2, 3, 7, 100, input.len()] {
                    for echoes in [false, true] {
                        let mut subject = Subject::new(role, &config);
                        subject.echoes = echoes;
                        for _ in 0..3 {
                            input.chunks(size).for_each(|piece| subject.read(piece));
                            subject.take(usize::MAX);
                            subject.assert_holds_nothing("after a message");
                        }
                    }
                }
            }
            // What was sent and written is gone too, in steps of any size.
            for step in [1, 100, 4096, usize::MAX] {
                let mut subject = Subject::new(role, &config);
                for len in [0, 10, 4095, 4096, 100_000] {
                    subject.connection.send(Message::from(vec![7; len])).unwrap();
                    subject.connection.send_text(&text).unwrap();
                    subject.connection.send_fragment(Message::from(vec![7; len]), false).unwrap();
                    subject.connection.send_fragment(Message::from(vec![7; len]), true).unwrap();
                    while subject.connection.outgoing().has_remaining() {
                        subject.take(step);
                    }
                    subject.assert_holds_nothing("after writing");
                }
            }
        }
    }
}
