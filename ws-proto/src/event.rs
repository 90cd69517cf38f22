//! Events of a connection.

use alloc::borrow::Cow;
use core::time::Duration;

use crate::keepalive::PingId;
use crate::message::{Incoming, MessageKind};
use crate::outcome::Outcome;

/// An event of a connection. It borrows from the input where possible.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'i> {
    /// A whole message, with [`Delivery::Messages`](crate::Delivery::Messages).
    Message(Incoming<'i>),
    /// A piece of a message, with [`Delivery::Chunks`](crate::Delivery::Chunks) or after
    /// [`Hooks::stream_message`](crate::Hooks::stream_message).
    Chunk(Chunk<'i>),
    /// A message has begun and is incomplete. Reported after [`Hooks::set_announce`](crate::Hooks::set_announce) only, so that
    /// [`Hooks::stream_message`](crate::Hooks::stream_message) can choose to have it in chunks.
    Begun(MessageKind),
    /// A message is longer than [`Limits::message`](crate::Limits::message), and
    /// [`Limits::streamed`](crate::Limits::streamed) allows it in chunks. Until the choice is made,
    /// [`Connection::receive`](crate::Connection::receive) returns `None` and leaves the input. Make it with
    /// [`Hooks::stream_message`](crate::Hooks::stream_message) or [`Hooks::assemble_held`](crate::Hooks::assemble_held).
    Held(MessageKind),
    /// A ping's payload, at most 125 bytes. The pong is already queued.
    Ping(Cow<'i, [u8]>),
    /// A pong.
    Pong(Pong<'i>),
    /// The end: no message follows. This is the last event, reported exactly once.
    ///
    /// The transport is still needed. Keep writing the queued bytes, and bring the transport to its
    /// [`Connection::transport_state`](crate::Connection::transport_state) until that is
    /// [`Closed`](crate::TransportState::Closed).
    Closed(Outcome),
}

/// A piece of a message, reported as soon as it arrives and never merged with another. A compressed message is inflated
/// into pieces of about 10 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk<'i> {
    /// The kind of the message.
    pub kind: MessageKind,
    /// The bytes. Text is checked as it arrives: all chunks up to this one form the beginning of valid UTF-8. A chunk may end
    /// inside a character. Inflated bytes are owned; others borrow from the input.
    pub payload: Cow<'i, [u8]>,
    /// Whether this is the first chunk of the message.
    pub first: bool,
    /// Whether this is the last chunk of the message. Its payload may be empty.
    pub last: bool,
}

/// A pong (RFC 6455 §5.5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pong<'i> {
    /// The payload, at most 125 bytes.
    pub payload: Cow<'i, [u8]>,
    /// The ping that the pong answers, and the round-trip time. `None` when no ping is unanswered. The pong also answers every
    /// ping sent before that one.
    ///
    /// A pong with another payload than any of our pings, such as an empty one, answers the oldest ping: some peers send such
    /// pongs. Compare with [`PingId::payload`] to detect this.
    pub answers: Option<(PingId, Duration)>,
}
