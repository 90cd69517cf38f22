//! Events that own what they say, and what they mean in the naive decoder's words.

use std::time::Duration;

use ws_proto::{Event, Incoming, MessageKind, Outcome, PingId, Violation};

use crate::naive::{Fault, Item};

/// An event that owns what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Chunk { kind: MessageKind, payload: Vec<u8>, first: bool, last: bool },
    Ping(Vec<u8>),
    Pong(Vec<u8>, Option<(PingId, Duration)>),
    Closed(Outcome),
}

impl Seen {
    pub fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Message(Incoming::Text(text)) => Self::Text(text.to_string()),
            Event::Message(Incoming::Binary(bytes)) => Self::Binary(bytes.to_vec()),
            Event::Chunk(chunk) => {
                Self::Chunk { kind: chunk.kind, payload: chunk.payload.to_vec(), first: chunk.first, last: chunk.last }
            }
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(pong) => Self::Pong(pong.payload.to_vec(), pong.answers),
            Event::Closed(outcome) => Self::Closed(outcome.clone()),
            event => panic!("{event:?} is new"),
        }
    }
}

/// The items that events stand for, and for each the index of the event that completed it; then how it ended. Chunks
/// are put together, and must begin and end as they should.
pub fn merge(seen: &[Seen]) -> (Vec<(Item, usize)>, Option<&Outcome>) {
    let mut open: Option<(MessageKind, Vec<u8>)> = None;
    let (mut items, mut outcome) = (vec![], None);
    for (i, event) in seen.iter().enumerate() {
        assert_eq!(outcome, None, "{event:?} after Closed");
        let item = match event {
            Seen::Text(text) => Item::Text(text.clone()),
            Seen::Binary(bytes) => Item::Binary(bytes.clone()),
            Seen::Ping(payload) => Item::Ping(payload.clone()),
            Seen::Pong(payload, _) => Item::Pong(payload.clone()),
            Seen::Closed(end) => {
                outcome = Some(end);
                continue;
            }
            Seen::Chunk { kind, payload, first, last } => {
                assert_eq!(*first, open.is_none(), "the first chunk of a message, and no other, says so");
                assert!(!payload.is_empty() || *last, "a chunk that says nothing");
                let (begun, so_far) = open.get_or_insert((*kind, vec![]));
                assert_eq!(begun, kind);
                so_far.extend_from_slice(payload);
                if !*last {
                    continue;
                }
                let (kind, bytes) = open.take().expect("it is open");
                match kind {
                    MessageKind::Text => Item::Text(String::from_utf8(bytes).expect("text is UTF-8")),
                    MessageKind::Binary => Item::Binary(bytes),
                }
            }
        };
        items.push((item, i));
    }
    if let Some((MessageKind::Text, bytes)) = open {
        let is_beginning = std::str::from_utf8(&bytes).map_or_else(|error| error.error_len().is_none(), |_| true);
        assert!(is_beginning, "what was handed out is not the beginning of text");
    }
    (items, outcome)
}

/// The same in the naive decoder's words.
pub fn fault(violation: Violation) -> Fault {
    match violation {
        Violation::ReservedBits => Fault::ReservedBits,
        Violation::ReservedOpcode(_) => Fault::ReservedOpcode,
        Violation::FragmentedControl => Fault::FragmentedControl,
        Violation::ControlTooLong => Fault::ControlTooLong,
        Violation::Unmasked => Fault::Unmasked,
        Violation::Masked => Fault::Masked,
        Violation::NonMinimalLength => Fault::NonMinimalLength,
        Violation::LengthTooLarge => Fault::LengthTooLarge,
        Violation::UnexpectedContinuation => Fault::UnexpectedContinuation,
        Violation::UnfinishedMessage => Fault::UnfinishedMessage,
        Violation::FrameTooBig { .. } => Fault::FrameTooBig,
        Violation::MessageTooBig { .. } => Fault::MessageTooBig,
        Violation::TooManyFragments { .. } => Fault::TooManyFragments,
        Violation::InvalidUtf8 => Fault::InvalidUtf8,
        Violation::TruncatedCloseCode => Fault::TruncatedCloseCode,
        Violation::InvalidCloseCode(_) => Fault::InvalidCloseCode,
        Violation::InvalidCloseReason => Fault::InvalidCloseReason,
        violation => panic!("{violation:?} is new"),
    }
}
