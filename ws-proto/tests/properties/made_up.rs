//! Generators of payloads, messages, frames and cuts.

use crate::common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ws_proto::{Config, Connection, Delivery, Message, Role, Timestamp};

/// So many cases, unless the environment says otherwise.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    ProptestConfig { cases, failure_persistence: None, ..default }
}

pub(crate) fn any_role() -> impl Strategy<Value = Role> {
    select(&ROLES[..])
}

pub(crate) fn any_delivery() -> impl Strategy<Value = Delivery> {
    select(&[Delivery::Messages, Delivery::Chunks][..])
}

/// Text or bytes that are short to print however long they are.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Text { word: String, times: usize },
    Binary { byte: u8, len: usize },
}

impl Payload {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text { word, times } => word.repeat(*times).into_bytes(),
            Self::Binary { byte, len } => vec![*byte; *len],
        }
    }

    pub(crate) fn message(&self) -> Message {
        match self {
            Self::Text { word, times } => word.repeat(*times).into(),
            Self::Binary { byte, len } => vec![*byte; *len].into(),
        }
    }

    /// A message of this kind that is whole.
    pub(crate) fn seen(&self, bytes: Vec<u8>) -> Seen {
        match self {
            Self::Text { .. } => Seen::Text(String::from_utf8(bytes).unwrap()),
            Self::Binary { .. } => Seen::Binary(bytes),
        }
    }

    /// Another one of the same kind.
    pub(crate) fn alike(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Text { .. }, Self::Binary { len, .. }) => Self::Text { word: "κ".into(), times: *len / 2 },
            (Self::Binary { .. }, Self::Text { times, .. }) => Self::Binary { byte: 0xFF, len: *times },
            _ => other.clone(),
        }
    }
}

pub(crate) fn any_payload(most: usize) -> impl Strategy<Value = Payload> {
    let edges = [0, 1, 2, 124, 125, 126, 127, 4095, 4096, 65_535, 65_536];
    let edges: Vec<usize> = edges.into_iter().filter(|&len| len <= most).collect();
    let len = prop_oneof![3 => 0..200usize, 1 => select(edges)];
    prop_oneof![
        (any::<String>(), 0..3usize).prop_map(|(word, times)| Payload::Text { word, times }),
        len.clone().prop_map(|times| Payload::Text { word: "x".into(), times }),
        (0..most.min(3000) / 4).prop_map(|times| Payload::Text { word: "é😀".into(), times: times / 2 }),
        (any::<u8>(), len).prop_map(|(byte, len)| Payload::Binary { byte, len }),
    ]
}

/// The sizes of reads or writes, one after the other, over and over.
#[derive(Clone, Debug)]
pub(crate) struct Cuts(pub(crate) Vec<usize>);

pub(crate) fn any_cuts() -> impl Strategy<Value = Cuts> {
    let size = prop_oneof![4 => 1..10usize, 2 => 10..300usize, 1 => 300..70_000usize];
    prop_oneof![1 => Just(Cuts(vec![1])), 6 => vec(size, 1..8).prop_map(Cuts)]
}

impl Cuts {
    pub(crate) fn pieces<'a>(&self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = vec![];
        for &size in self.0.iter().cycle() {
            if bytes.is_empty() {
                break;
            }
            let (piece, rest) = bytes.split_at(size.min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}

/// An end of a connection whose client uses a new key for each frame.
pub(crate) fn end(role: Role, config: &Config) -> End {
    let mut n = 0u32;
    let keys = move || {
        n = n.wrapping_mul(0x9E37_79B9).wrapping_add(0x7F4A_7C15);
        n.to_be_bytes()
    };
    let connection = match role {
        Role::Server => Connection::server(config.clone(), Timestamp::ZERO),
        Role::Client => Connection::client(config.clone(), keys, Timestamp::ZERO),
    };
    End { connection, now: Timestamp::ZERO, seen: vec![], written: vec![], writable: false }
}

pub(crate) fn peer(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

/// The messages among events, put together where they came in chunks.
pub(crate) fn messages(seen: &[Seen]) -> Vec<Seen> {
    let mut seen = put_together(seen);
    seen.retain(|event| matches!(event, Seen::Text(_) | Seen::Binary(_)));
    seen
}
