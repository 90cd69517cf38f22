//! Ours against [`naive`]: the same messages and control frames, refused for the same reason at the same byte, and the
//! right answer.

use ws_proto::utf8::Utf8Stream;

use crate::driven::Driven;
use crate::input::{Cuts, Ending, Setup, Wire};
use crate::naive::{self, Decoded, End, Item, Rules};

pub fn differential(input: Wire) {
    let Wire { setup, cuts, bytes } = &input;
    let expected = naive::decode(bytes, &setup.rules());

    for cuts in [Cuts::WHOLE, *cuts] {
        let mut end = Driven::new(setup);
        for piece in cuts.pieces(bytes) {
            end.read(piece);
        }
        end.check_events();
        end.release_close();
        check_answer(&end, setup, &expected);
        end.end(Ending::Eof);
    }
    if Cuts::BYTES.is_bytewise(bytes) {
        check_place(setup, bytes, &expected.end);
    }
    check_text(cuts, bytes);
}

/// Pongs to the pings, and a Close frame to a Close frame or a fault. Nothing was written before all was read.
fn check_answer(end: &Driven, setup: &Setup, expected: &Decoded) {
    let rules = Rules { masked: !setup.rules().masked, frame: None, message: None, fragments: None };
    let answer = naive::decode(&end.stream, &rules);
    let closing = match (&answer.end, &expected.end) {
        (End::Open { midway: false }, End::Open { .. }) => false,
        (End::Close { code, reason, .. }, End::Close { code: theirs, .. }) => {
            assert_eq!((code, &**reason), (theirs, ""), "an echo of the code");
            true
        }
        (End::Close { code, reason, .. }, End::Fault { faults, .. }) => {
            assert!(faults.iter().any(|fault| *code == Some(fault.close_code())), "{code:?} for {faults:?}");
            assert!(!reason.is_empty());
            true
        }
        (ours, theirs) => panic!("{ours:?} is no answer to {theirs:?}"),
    };

    let pings = expected.items.iter().filter_map(|item| match item {
        Item::Ping(payload) => Some(payload),
        _ => None,
    });
    let mut pings: Vec<_> = pings.cloned().map(Item::Pong).collect();
    // The newest replaces the last that waits (RFC 6455 §5.5.3), for which room is left until the end.
    let most = end.connection.config().limits.pending_pongs.max(2);
    if pings.len() > most {
        pings.drain(most - 1..pings.len() - 1);
    }
    if !closing {
        pings.truncate(most - 1);
    }
    assert_eq!(answer.items, pings);
}

/// Byte by byte, what is wrong is refused at the byte that makes it wrong, and a Close is taken at its last.
fn check_place(setup: &Setup, bytes: &[u8], expected: &End) {
    let place = match expected {
        End::Open { .. } => None,
        End::Close { at, .. } | End::Fault { at, .. } => Some(*at),
    };
    let setup = Setup { holds_close: false, ..setup.clone() };
    let mut end = Driven::new(&setup);
    let closed_at = bytes.iter().position(|byte| {
        end.read(&[*byte]);
        end.outcome().is_some()
    });
    assert_eq!(closed_at.map(|index| index + 1), place);
}

/// The same for text alone.
fn check_text(cuts: &Cuts, bytes: &[u8]) {
    let mut stream = Utf8Stream::default();
    let mut text = String::new();
    let pieces = cuts.pieces(bytes).try_for_each(|piece| {
        let (head, body) = stream.push(piece)?;
        text.extend(head);
        text.push_str(body);
        Ok(())
    });
    let whole = pieces.and_then(|()| stream.finish()).is_ok();
    match std::str::from_utf8(bytes) {
        Ok(expected) => assert!(whole && text == expected),
        Err(error) => {
            assert!(!whole && text.len() <= error.valid_up_to() && bytes.starts_with(text.as_bytes()));
            assert_eq!(pieces.is_err(), error.error_len().is_some());
        }
    }
}
