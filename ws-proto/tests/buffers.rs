//! Where the memory of long binary messages comes from, when the caller says (`Connection::set_buffers`).

use std::borrow::Cow;
use std::cell::RefCell;

use crate::common::*;
use ws_proto::{Config, Connection, Event, Incoming, Role, Timestamp};

const LONG: usize = 16 << 10;

thread_local! {
    /// The capacities that were asked for.
    static ASKED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// More than was asked for, to see that it may be.
fn buffer(capacity: usize) -> Vec<u8> {
    ASKED.with(|asked| asked.borrow_mut().push(capacity));
    Vec::with_capacity(capacity + 100)
}

fn connection(role: Role) -> Connection {
    let mut connection = match role {
        Role::Server => Connection::server(Config::default(), Timestamp::ZERO),
        Role::Client => Connection::client(Config::default(), || KEY, Timestamp::ZERO),
    };
    connection.set_buffers(Some(buffer));
    connection
}

/// The messages, and whether each is owned, when the input comes in pieces of this size; and what was asked for.
fn receive(role: Role, input: &[u8], size: usize) -> (Vec<(Vec<u8>, bool)>, Vec<usize>) {
    ASKED.take();
    let mut connection = connection(role);
    let mut messages = vec![];
    for piece in input.chunks(size) {
        let mut piece = piece.to_vec();
        let mut piece = piece.as_mut_slice();
        while let Some(event) = connection.receive(&mut piece, Timestamp::ZERO) {
            match event {
                Event::Message(Incoming::Binary(Cow::Owned(bytes))) => messages.push((bytes, true)),
                Event::Message(Incoming::Text(Cow::Owned(text))) => messages.push((text.into_bytes(), true)),
                Event::Message(message) => messages.push((message.as_bytes().to_vec(), false)),
                _ => {}
            }
        }
    }
    assert!(connection.is_open());
    (messages, ASKED.take())
}

fn letters(len: usize) -> Vec<u8> {
    (0..len).map(|n| b'a' + (n % 23) as u8).collect()
}

#[test]
fn a_long_message_lies_in_a_buffer_of_the_callers() {
    for role in ROLES {
        for len in [LONG, LONG + 1, 100_000, 1 << 20] {
            let payload = letters(len);
            let input = to(role, BINARY, &payload);
            let (messages, asked) = receive(role, &input, input.len());
            assert_eq!(messages, [(payload.clone(), true)]);
            assert_eq!(asked, [len], "once, and for all of it");
            for size in [1000, 4099, 70_001, input.len() - 1] {
                let (messages, asked) = receive(role, &input, size);
                assert_eq!(messages, [(payload.clone(), true)], "{role:?}, {len} in pieces of {size}");
                assert!(asked.iter().all(|&capacity| (LONG..=len).contains(&capacity)), "{asked:?}");
                assert!((1..=6).contains(&asked.len()), "{asked:?} for {len} in pieces of {size}");
            }
        }
    }
}

#[test]
fn in_fragments_too() {
    for role in ROLES {
        let payload = letters(300_001);
        let mut input = vec![];
        for (n, piece) in payload.chunks(50_003).enumerate() {
            input.extend(to(role, if n == 0 { BINARY_BEGINS } else { CONTINUES }, piece));
            input.extend(to(role, PING, "between"));
        }
        input.extend(to(role, LAST, ""));
        for size in [1, 3, 1000, 60_000, input.len()] {
            let (messages, asked) = receive(role, &input, size);
            assert_eq!(messages, [(payload.clone(), true)], "{role:?} in pieces of {size}");
            assert!(!asked.is_empty());
        }
    }
}

#[test]
fn only_long_ones_ask_for_memory_and_those_below_4_kib_and_text_are_borrowed() {
    for role in ROLES {
        let mut input = to(role, BINARY, letters(LONG - 1));
        let mut expected = vec![(letters(LONG - 1), true)];
        for (first, len, owned) in
            [(BINARY, 4096, true), (BINARY, 4095, false), (TEXT, LONG, false), (BINARY, 0, false)]
        {
            input.extend(to(role, first, letters(len)));
            expected.push((letters(len), owned));
        }
        assert!(receive(role, &input, input.len()) == (expected.clone(), vec![]));
        for size in [1, 1009] {
            let (messages, asked) = receive(role, &input, size);
            assert!(messages.iter().map(|(bytes, _)| bytes).eq(expected.iter().map(|(bytes, _)| bytes)));
            assert!(asked.len() <= 1, "{asked:?}");
        }
    }
}

#[test]
fn memory_still_follows_what_arrives() {
    for role in ROLES {
        ASKED.take();
        let mut connection = connection(role);
        let mut header = header_to(role, BINARY, 1 << 20);
        assert!(connection.receive(&mut header.as_mut_slice(), Timestamp::ZERO).is_none());
        for (more, asked) in [(10_000, vec![20_000]), (10_000, vec![]), (10_000, vec![60_000])] {
            let mut some = letters(more);
            assert!(connection.receive(&mut some.as_mut_slice(), Timestamp::ZERO).is_none());
            assert_eq!(ASKED.take(), asked, "for {more} more");
        }
    }
}
