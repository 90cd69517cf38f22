//! Additional calls for a driver that queues messages or owns a transport.

use alloc::sync::Arc;

use bytes::Bytes;

use crate::config::Config;
use crate::connection::Connection;
use crate::connection::rates::Meter;
use crate::error::SendError;
use crate::event::{Chunk, Event};
use crate::frame::FrameHeader;
use crate::in_flight::InFlight;
use crate::time::Timestamp;

/// Additional calls for a driver that queues messages or owns a transport. [`Connection::hooks`] returns them.
///
/// A driver that handles each event before it asks for the next one, and never stops reading, needs none of them. There are
/// seven independent groups. No call is needed per message.
///
/// **Messages wait in a queue.** Then the connection receives the bytes after a message before the application answers it. If
/// they hold the peer's Close frame, or a violation, the connection would close before the answer.
/// [`set_hold_close(true)`](Self::set_hold_close), called once, makes the connection hold its own Close frame back. While
/// [`is_close_held`](Self::is_close_held), messages can still be sent. Call [`release_close`](Self::release_close) when the
/// application has taken all messages and waits for more, or wants no more.
///
/// **Reading stops for a while**, because the queue is full. [`set_paused`](Self::set_paused) suspends the deadlines that
/// wait for bytes from the peer.
///
/// **Rates are limited**, and a peer that exceeds one waits. [`must_pause`](Self::must_pause), before each read and before the
/// rest of an input is passed to [`receive`](Connection::receive), tells whether to stop until a deadline has passed.
///
/// **Connections share a thread.** [`set_inflate_budget`](Self::set_inflate_budget) before each poll bounds the time to
/// inflate messages. If [`is_inflate_budget_spent`](Self::is_inflate_budget_spent) after the poll, let other tasks run. Both
/// need the feature `deflate`.
///
/// **Deadlines depend on the system.** When a deadline is due, and before [`Connection::poll_timeout`] and
/// [`Connection::handle_timeout`]:
///
/// - If [`wants_in_flight`](Self::wants_in_flight), ask the transport for the bytes in flight and pass them to
///   [`set_in_flight`](Self::set_in_flight). A transport that does not know them can ignore this.
/// - If [`is_peer_late`](Self::is_peer_late), limit the unsent bytes in the system's buffers from now on.
/// - If [`is_overdue`](Self::is_overdue), read and write once more first. The process was stopped, or the machine asleep, and
///   the peer may have acted in time.
///
/// **Single messages are wanted in chunks**, and the others whole. [`stream_message`](Self::stream_message) chooses chunks for
/// the message that is arriving, and [`set_announce`](Self::set_announce) reports when one begins. A message that is too long
/// to be assembled is [held](Event::Held) meanwhile.
///
/// **An embedder has frames of its own**, such as pings with a payload of the application's: [`send_frame`](Self::send_frame).
/// [`set_config`](Self::set_config), [`set_accept_unmasked`](Self::set_accept_unmasked),
/// [`refused_size`](Self::refused_size) and, with the feature `deflate`,
/// `has_inflated` are for APIs that promise more than RFC 6455 asks for.
///
/// ```
/// use std::collections::VecDeque;
///
/// use ws_proto::{Config, Connection, Event, Message, Timestamp};
///
/// let now = Timestamp::ZERO;
/// let mut connection = Connection::server(Config::default(), now);
/// connection.hooks().set_hold_close(true);
///
/// // "hi" and a Close frame arrive in one read, masked with a key of zeros.
/// let mut bytes = *b"\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0";
/// let mut input = &mut bytes[..];
/// let mut queue = VecDeque::new();
/// while let Some(event) = connection.receive(&mut input, now) {
///     if let Event::Message(message) = event {
///         queue.push_back(message.into_message());
///     }
/// }
///
/// // Later the application answers, although the peer has closed; and then there is nothing more to wait for.
/// assert!(connection.hooks().is_close_held());
/// connection.send(queue.pop_front().unwrap()).unwrap();
/// assert!(matches!(connection.hooks().release_close(now), Some(Event::Closed(_))));
/// assert_eq!(connection.outgoing().len(), 4 + 2, "the answer and our Close frame");
/// ```
#[derive(Debug)]
pub struct Hooks<'c> {
    connection: &'c mut Connection,
}

impl Connection {
    /// Additional calls for a driver that queues messages or owns a transport. A driver that handles events one by one needs
    /// none of them.
    #[inline]
    pub fn hooks(&mut self) -> Hooks<'_> {
        Hooks { connection: self }
    }
}

// The implementations are in closing.rs, deadlines.rs, in_flight.rs and receiving.rs, beside the state they act on.
impl Hooks<'_> {
    /// Sets whether our answer to the peer's Close frame, or to a violation, is held until
    /// [`release_close`](Self::release_close). `false` at first.
    ///
    /// [`receive`](Connection::receive) discards the input after the Close frame in any case. The answer is held for
    /// [`Deadlines::answer`](crate::Deadlines::answer) at most.
    #[inline]
    pub fn set_hold_close(&mut self, holding_close: bool) {
        self.connection.holding_close = holding_close;
    }

    /// Whether the peer has closed or broken the protocol, and our Close frame waits for
    /// [`release_close`](Self::release_close).
    #[inline]
    pub fn is_close_held(&self) -> bool {
        self.connection.is_close_held()
    }

    /// Queues the Close frame that was held, and returns the event of the end. Does nothing when none is held.
    #[inline]
    pub fn release_close(&mut self, now: Timestamp) -> Option<Event<'static>> {
        self.connection.release_close(now)
    }

    /// Reports that reading stops for a while, because the application cannot take more, or that it resumes. The deadlines
    /// that wait for bytes from the peer are suspended meanwhile, and restart when reading resumes.
    #[inline]
    pub fn set_paused(&mut self, paused: bool, now: Timestamp) {
        self.connection.set_paused(paused, now);
    }

    /// Whether reading stops now, because the peer is over a rate ([`Limits::message_rate`](crate::Limits::message_rate),
    /// [`Limits::byte_rate`](crate::Limits::byte_rate)) and [`OverRate::Pause`](crate::OverRate::Pause) applies. The deadlines
    /// that wait for bytes from the peer are suspended meanwhile. [`poll_timeout`](Connection::poll_timeout) returns the end of
    /// the pause. Always `false` without such a rate.
    #[inline]
    pub fn must_pause(&mut self, now: Timestamp) -> bool {
        self.connection.meter.is_some() && self.connection.must_pause(now)
    }

    /// Sets whether [`Event::Begun`] reports each message that begins and is not complete at once. `false` at first.
    pub fn set_announce(&mut self, announces: bool) {
        self.connection.decoder.set_announce(announces);
    }

    /// Has the rest of the incomplete message delivered as [`Event::Chunk`], and returns its beginning, which may be empty.
    /// `None` if no message is incomplete, or if it is delivered in chunks already. The messages behind it are not affected.
    ///
    /// [`Limits::streamed`](crate::Limits::streamed) limits the length of the message. All chunks but the last part of an
    /// inflated one borrow from the input, so the connection holds no part of it.
    pub fn stream_message(&mut self) -> Option<Chunk<'static>> {
        let delivery = self.connection.config.delivery;
        self.connection.decoder.stream(delivery)
    }

    /// Whether a message waits for the choice between chunks and a whole: see [`Event::Held`].
    pub fn is_message_held(&self) -> bool {
        self.connection.decoder.is_held()
    }

    /// Chooses to assemble the message that waits. It is refused if it exceeds [`Limits::message`](crate::Limits::message) or
    /// [`Limits::frame`](crate::Limits::frame). A compressed message is held a few KiB before that, so it may still fit.
    pub fn assemble_held(&mut self) {
        self.connection.decoder.assemble_held();
    }

    /// Whether a message of ours has begun in fragments, and its last one was not queued yet.
    pub fn is_sending_fragments(&self) -> bool {
        self.connection.encoder.is_unfinished()
    }

    /// Limits the inflated bytes until [`receive`](Connection::receive) returns `None` with input left, so that one connection
    /// does not delay others: a compressed message can take a thousand times as long to inflate as to arrive. Then set the
    /// budget again and pass the rest of the input to `receive`. Put input that arrives later behind the rest.
    ///
    /// The budget counts inflated bytes. Each compressed byte adds 8 to the count, and each message 1,024. The count exceeds the
    /// budget by one step at most, about 40 KiB. `None`, the initial value, sets no limit. Messages that are not compressed do
    /// not count. Without negotiated compression this has no effect.
    #[cfg(feature = "deflate")]
    #[inline]
    pub fn set_inflate_budget(&mut self, budget: Option<usize>) {
        self.connection.decoder.set_inflate_budget(budget);
    }

    /// Whether the budget for inflating is spent.
    #[cfg(feature = "deflate")]
    #[inline]
    pub fn is_inflate_budget_spent(&self) -> bool {
        self.connection.decoder.is_inflate_budget_spent()
    }

    /// Queues a frame with this `payload`, behind the queued bytes. A client's frame gets a masking key; `mask` and `len` of
    /// `header` are ignored.
    ///
    /// Nothing is checked: neither the order of fragments, nor the reserved bits, nor the length of a control frame. A Close
    /// frame does not begin the closing handshake: use [`Connection::close`]. A frame is never compressed.
    ///
    /// # Errors
    ///
    /// When the connection is closing, or the queue is at its cap ([`Limits::hard_cap`](crate::Limits::hard_cap)).
    pub fn send_frame(&mut self, header: &FrameHeader, payload: Bytes) -> Result<(), SendError<()>> {
        self.connection.send_frame(header, payload)
    }

    /// Replaces the configuration. Limits apply from the next frame header on, and to messages queued later. Deadlines that are
    /// set already stay.
    pub fn set_config(&mut self, config: impl Into<Arc<Config>>) {
        let config = config.into();
        self.connection.decoder.set_config(&config);
        match (&self.connection.meter, config.limits.has_rates()) {
            (None, true) => self.connection.meter = Meter::new(&config.limits),
            (Some(_), false) => self.connection.meter = None,
            _ => {}
        }
        self.connection.config = config;
    }

    /// Sets whether a server accepts frames that are not masked, against RFC 6455 §5.1. `false` at first.
    pub fn set_accept_unmasked(&mut self, accepts_unmasked: bool) {
        self.connection.decoder.set_accept_unmasked(accepts_unmasked);
    }

    /// The size of the message or frame that was refused by [`Limits::message`](crate::Limits::message) or
    /// [`Limits::frame`](crate::Limits::frame), in bytes: as its headers announce it, or as far as it was inflated. 0 when none
    /// was refused.
    pub fn refused_size(&self) -> u64 {
        self.connection.decoder.refused()
    }

    /// Whether a compressed message was received, which shows that the peer has agreed to compression.
    #[cfg(feature = "deflate")]
    pub fn has_inflated(&self) -> bool {
        self.connection.decoder.has_inflated()
    }

    /// Whether a deadline that ends the connection passed well before `now`: the process was stopped, or the machine asleep.
    ///
    /// The system may hold bytes that the peer sent in time. Read and write once more, and give the runtime the time to poll
    /// its sockets, before [`handle_timeout`](Connection::handle_timeout).
    #[inline]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.connection.is_overdue(now)
    }

    /// Whether the connection needs [`set_in_flight`](Self::set_in_flight) now. This is so when a deadline is due that depends
    /// on the bytes the peer has acknowledged, and about once a second while the transport is full or after our Close frame has
    /// been written. Ask before [`poll_timeout`](Connection::poll_timeout) and
    /// [`handle_timeout`](Connection::handle_timeout).
    #[inline]
    pub fn wants_in_flight(&self, now: Timestamp) -> bool {
        self.connection.wants_in_flight(now)
    }

    /// Whether a deadline is due that depends on the bytes the peer has acknowledged. Either nothing has been received for half
    /// of [`Deadlines::pong`](crate::Deadlines::pong), or the peer takes no bytes.
    #[inline]
    pub fn is_peer_late(&self, now: Timestamp) -> bool {
        self.connection.is_peer_late(now)
    }

    /// Reports the written bytes that are still on their way to the peer. Without reports, written bytes count as acknowledged.
    #[inline]
    pub fn set_in_flight(&mut self, in_flight: InFlight, now: Timestamp) {
        self.connection.set_in_flight(in_flight, now);
    }
}
