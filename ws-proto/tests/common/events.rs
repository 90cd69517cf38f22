//! Events that own their contents.

use std::time::Duration;

use ws_proto::{CloseFrame, Event, Incoming, MessageKind, Outcome, PingId};

/// An event that owns what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Chunk { kind: MessageKind, payload: Vec<u8>, first: bool, last: bool },
    Ping(Vec<u8>),
    Pong(Vec<u8>, Option<(PingId, Duration)>),
    Closed(Outcome),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Message(Incoming::Text(text)) => Self::Text(text.into()),
            Event::Message(Incoming::Binary(bytes)) => Self::Binary(bytes.into()),
            Event::Chunk(chunk) => {
                Self::Chunk { kind: chunk.kind, payload: chunk.payload.into(), first: chunk.first, last: chunk.last }
            }
            Event::Ping(payload) => Self::Ping(payload.into()),
            Event::Pong(pong) => Self::Pong(pong.payload.into(), pong.answers),
            Event::Closed(outcome) => Self::Closed(outcome),
            event => panic!("{event:?} is new"),
        }
    }
}

pub(crate) fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

pub(crate) fn binary(bytes: impl AsRef<[u8]>) -> Seen {
    Seen::Binary(bytes.as_ref().into())
}

pub(crate) fn ping(payload: impl AsRef<[u8]>) -> Seen {
    Seen::Ping(payload.as_ref().into())
}

/// A pong that nobody asked for.
pub(crate) fn pong(payload: impl AsRef<[u8]>) -> Seen {
    Seen::Pong(payload.as_ref().into(), None)
}

pub(crate) fn close_frame(code: u16, reason: &str) -> CloseFrame {
    CloseFrame { code: code.into(), reason: reason.into() }
}

/// Whole messages, made of chunks that must begin and end as they should; and the other events.
#[track_caller]
pub(crate) fn put_together(seen: &[Seen]) -> Vec<Seen> {
    let mut open: Option<(MessageKind, Vec<u8>)> = None;
    let mut out = vec![];
    for event in seen {
        let Seen::Chunk { kind, payload, first, last } = event else {
            out.push(event.clone());
            continue;
        };
        assert_eq!(*first, open.is_none(), "the first chunk of a message, and no other, says so");
        let (begun, so_far) = open.get_or_insert_with(|| (*kind, vec![]));
        assert_eq!(begun, kind);
        assert!(!payload.is_empty() || *last, "an empty chunk says nothing");
        so_far.extend(payload);
        if *kind == MessageKind::Text && so_far.len() < 1000 {
            let valid = std::str::from_utf8(so_far).map_or_else(|error| error.error_len().is_none(), |_| true);
            assert!(valid, "what was handed out is the beginning of valid text");
        }
        if *last {
            let (kind, payload) = open.take().unwrap();
            out.push(match kind {
                MessageKind::Text => Seen::Text(String::from_utf8(payload).unwrap()),
                MessageKind::Binary => Seen::Binary(payload),
            });
        }
    }
    out
}
