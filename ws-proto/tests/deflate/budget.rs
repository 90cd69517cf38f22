//! How much is inflated before the caller looks at something else.

use ws_proto::{Config, Event, Message, Timestamp};

use super::samples::*;
use crate::common::*;

const BUDGET: usize = 64 << 10;

/// One step more than the budget: 4 KiB of input and what comes of it.
const MOST: usize = BUDGET + (44 << 10);

/// Receives all of `input`, in pieces of this size, with a budget for each call until nothing more comes; the messages,
/// and for each such round how much input it took and how many bytes its messages have.
fn in_rounds(role: ws_proto::Role, config: &Config, input: &[u8], size: usize) -> (Vec<Message>, Vec<(usize, usize)>) {
    let mut end = End::compressing(role, config, WIDE);
    let (mut messages, mut rounds) = (Vec::new(), Vec::new());
    for piece in input.chunks(size) {
        let mut piece = piece.to_vec();
        let mut input = &mut *piece;
        while !input.is_empty() {
            let before = input.len();
            end.connection.hooks().set_inflate_budget(Some(BUDGET));
            let mut inflated = 0;
            while let Some(event) = end.connection.receive(&mut input, Timestamp::ZERO) {
                let Event::Message(message) = event else { panic!("{event:?}") };
                let message = message.into_message();
                inflated += message.len();
                messages.push(message);
            }
            assert!(before > input.len(), "each round takes something");
            assert!(input.is_empty() || end.connection.hooks().is_inflate_budget_spent());
            rounds.push((before - input.len(), inflated));
        }
    }
    (messages, rounds)
}

#[test]
fn received_messages_do_not_depend_on_the_budget() {
    for role in ROLES {
        let samples: Vec<_> = samples().into_iter().chain([vec![0; 900_000]]).collect();
        let frames: Vec<_> = samples.iter().map(|sample| (BINARY | RSV1, alone(sample))).collect();
        let frames: Vec<_> = frames.iter().map(|(first, payload)| (*first, &**payload)).collect();
        let input = all_to(role, &frames);
        let expected: Vec<_> = samples.into_iter().map(Message::from).collect();
        for size in [1, 7, 5000, input.len()] {
            let (messages, _) = in_rounds(role, &config(|config| config.limits.message = None), &input, size);
            assert!(messages == expected, "{role:?}, {size}");
        }
    }
}

#[test]
fn a_round_ends_when_much_has_been_inflated() {
    for role in ROLES {
        let frames = vec![(BINARY | RSV1, alone(&[0; 16 << 10])); 1000];
        let frames: Vec<_> = frames.iter().map(|(first, payload)| (*first, &**payload)).collect();
        let input = all_to(role, &frames);
        let (messages, rounds) = in_rounds(role, &Config::default(), &input, input.len());
        assert_eq!(messages.len(), 1000);
        assert!(rounds.iter().all(|(_, inflated)| *inflated <= MOST), "{role:?}: {rounds:?}");
        // A single message, too.
        let input = to(role, BINARY | RSV1, alone(&[0; 1 << 20]));
        let (messages, rounds) = in_rounds(role, &Config::default(), &input, input.len());
        assert_eq!(messages.len(), 1);
        assert!(rounds.len() >= (1 << 20) / MOST, "{role:?}: {rounds:?}");
    }
}

#[test]
fn a_round_ends_when_much_was_compressed_or_came_in_short_messages() {
    for role in ROLES {
        // Blocks that hold nothing.
        let payload = [0x00, 0x00, 0x00, 0xFF, 0xFF].repeat(40_000);
        let input = to(role, BINARY | RSV1, [&*payload, &[0x00]].concat());
        let (_, rounds) = in_rounds(role, &Config::default(), &input, input.len());
        assert!(rounds.iter().all(|(taken, _)| *taken <= MOST / 8), "{role:?}: {rounds:?}");
        // Messages that hold nothing.
        let input = to(role, BINARY | RSV1, [0x00]).repeat(10_000);
        let (messages, rounds) = in_rounds(role, &Config::default(), &input, input.len());
        assert_eq!((messages.len(), messages[0].len()), (10_000, 0));
        assert!(rounds.len() >= 10_000 / (MOST >> 10), "{role:?}: {rounds:?}");
    }
}

#[test]
fn without_a_budget_all_is_received_at_once() {
    for role in ROLES {
        let mut end = End::compressing(role, &Config::default(), WIDE);
        assert!(!end.connection.hooks().is_inflate_budget_spent());
        end.connection.hooks().set_inflate_budget(Some(0));
        assert!(end.connection.hooks().is_inflate_budget_spent());
        let mut input = to(role, BINARY | RSV1, alone(&[0; 1 << 20]));
        let mut input = &mut *input;
        assert!(end.connection.receive(&mut input, Timestamp::ZERO).is_none() && !input.is_empty());
        end.connection.hooks().set_inflate_budget(None);
        assert!(end.connection.receive(&mut input, Timestamp::ZERO).is_some() && input.is_empty());

        // What is not compressed costs nothing.
        end.connection.hooks().set_inflate_budget(Some(0));
        end.read_frame(BINARY, vec![0; 1 << 20]);
        assert_eq!(end.seen.len(), 1);
    }
}
