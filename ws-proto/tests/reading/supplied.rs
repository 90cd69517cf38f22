//! The memory that long binary messages lie in (`Memory::take_message`).

use std::borrow::Cow;
use std::sync::Mutex;

use ws_proto::Incoming;

use super::*;

const LONG: usize = 16 << 10;

/// The capacities that were asked for. It gives more, to see that it may.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Mutex<Vec<usize>>>);

impl Memory for Asked {
    fn take_message(&self, capacity: usize) -> Vec<u8> {
        self.0.lock().unwrap().push(capacity);
        Vec::with_capacity(capacity + 100)
    }
}

impl Asked {
    fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// The messages, and whether each is owned, when the input comes in pieces of this size; and what was asked for.
fn receive(role: Role, input: &[u8], size: usize) -> (Vec<(Vec<u8>, bool)>, Vec<usize>) {
    let asked = Asked::default();
    let mut connection = keeping(role, Config::default(), asked.clone());
    let mut messages = vec![];
    for piece in input.chunks(size) {
        let mut piece = piece.to_vec();
        let mut piece = piece.as_mut_slice();
        while let Some(event) = connection.receive(&mut piece, NOW) {
            match event {
                Event::Message(Incoming::Binary(Cow::Owned(bytes))) => messages.push((bytes, true)),
                Event::Message(Incoming::Text(Cow::Owned(text))) => messages.push((text.into_bytes(), true)),
                Event::Message(message) => messages.push((message.as_bytes().to_vec(), false)),
                _ => {}
            }
        }
    }
    assert!(connection.is_open());
    (messages, asked.take())
}

#[test]
fn a_long_message_lies_in_supplied_memory() {
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
        let supplied = Asked::default();
        let mut connection = keeping(role, Config::default(), supplied.clone());
        let mut header = header_to(role, BINARY, 1 << 20);
        assert!(connection.receive(&mut header.as_mut_slice(), NOW).is_none());
        for (more, asked) in [(10_000, vec![20_000]), (10_000, vec![]), (10_000, vec![60_000])] {
            let mut some = letters(more);
            assert!(connection.receive(&mut some.as_mut_slice(), NOW).is_none());
            assert_eq!(supplied.take(), asked, "for {more} more");
        }
    }
}
