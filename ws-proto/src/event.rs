//! What a connection reports.

use alloc::borrow::Cow;
use core::time::Duration;

use crate::keepalive::PingId;
use crate::message::{Incoming, MessageKind};
use crate::outcome::Outcome;

/// Something that happened on a connection, borrowing from the input where it can.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'i> {
    /// A whole message ([`Delivery::Messages`](crate::Delivery::Messages)).
    Message(Incoming<'i>),
    /// A piece of a message ([`Delivery::Chunks`](crate::Delivery::Chunks)).
    Chunk(Chunk<'i>),
    /// A ping, at most 125 bytes. Its pong is queued already; nothing is left to do.
    Ping(Cow<'i, [u8]>),
    /// A pong.
    Pong(Pong<'i>),
    /// The connection has ended, as far as messages go: the last event, and reported exactly once.
    ///
    /// What is left is the transport's farewell: keep writing what is queued and do what
    /// [`Connection::transport_state`](crate::Connection::transport_state) says until it says
    /// [`Closed`](crate::TransportState::Closed).
    Closed(Outcome),
}

/// A piece of a message, as it came off the wire: never held back, never put together. What came compressed is inflated,
/// 10 KiB at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk<'i> {
    /// The kind of the message it belongs to.
    pub kind: MessageKind,
    /// The bytes. Text is checked as it comes, so that what has been handed out is always the beginning of valid
    /// UTF-8; a chunk may end inside a character. What was inflated is owned, all else borrows from the input.
    pub payload: Cow<'i, [u8]>,
    /// Whether it begins the message.
    pub first: bool,
    /// Whether it ends the message. The payload of a last chunk may be empty.
    pub last: bool,
}

/// A pong (RFC 6455 §5.5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pong<'i> {
    /// What it carries, at most 125 bytes.
    pub payload: Cow<'i, [u8]>,
    /// Which of our pings it answers, and how long that took; `None` when no ping is unanswered. It also answers every ping
    /// sent before that one.
    ///
    /// A pong whose payload is that of no ping of ours, an empty one for instance, answers the oldest: some peers send
    /// such pongs. [`PingId::payload`] tells whether it is the right one.
    pub answers: Option<(PingId, Duration)>,
}
