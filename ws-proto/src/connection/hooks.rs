//! What a driver needs that queues messages or owns a transport, in one place.

use crate::connection::Connection;
use crate::event::Event;
use crate::in_flight::InFlight;
use crate::time::Timestamp;

/// The hooks of a driver that queues messages or owns a transport: [`Connection::hooks`].
///
/// A driver that handles each event before it asks for the next, and that reads on whatever happens, needs none of them. The
/// others come in four groups, each of use without the others. None costs anything per message.
///
/// **Messages wait in a queue.** Then the application answers a message after the connection has seen what followed it. If that is
/// the peer's Close frame, or a violation, the answer would find the connection closed.
/// [`set_hold_close(true)`](Self::set_hold_close), once, makes the connection hold its own Close frame back. While
/// [`is_close_held`](Self::is_close_held), messages can still be sent. Call [`release_close`](Self::release_close) when the application has taken
/// everything and waits for more, or wants no more.
///
/// **Reading stops for a while**, because the queue is full. [`set_paused`](Self::set_paused) tells, so that deadlines that
/// wait for bytes of the peer stand still.
///
/// **Connections share a thread.** [`set_inflate_budget`](Self::set_inflate_budget) before each poll bounds the time that
/// compressed messages take; [`is_inflate_budget_spent`](Self::is_inflate_budget_spent) after it tells that other tasks
/// should get their turn. (Both with the feature `deflate`.)
///
/// **Deadlines depend on the system.** When a deadline is due, and before [`Connection::poll_timeout`] and
/// [`Connection::handle_timeout`]:
///
/// - if [`wants_in_flight`](Self::wants_in_flight), ask the transport what is still on its way to the peer and pass it to
///   [`set_in_flight`](Self::set_in_flight). A transport that does not know can ignore this.
/// - if [`is_peer_late`](Self::is_peer_late), have the system hold fewer unsent bytes from now on.
/// - if [`is_overdue`](Self::is_overdue), look once more for what can be read and written: the process was stopped, or the
///   machine asleep, and the peer may have acted in time.
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
    /// The hooks of a driver that queues messages or owns a transport. Who handles events one by one needs none of them.
    #[inline]
    pub fn hooks(&mut self) -> Hooks<'_> {
        Hooks { connection: self }
    }
}

// What they do stands with what they act on: closing.rs, deadlines.rs, in_flight.rs, receiving.rs.
impl Hooks<'_> {
    /// Puts our answer to the peer's Close frame, or to a violation, off until [`release_close`](Self::release_close). Off at first.
    ///
    /// [`receive`](Connection::receive) throws away what follows the Close frame, as ever. Nothing is put off longer than
    /// [`Deadlines::answer`](crate::Deadlines::answer).
    #[inline]
    pub fn set_hold_close(&mut self, holding_close: bool) {
        self.connection.holding_close = holding_close;
    }

    /// Whether the peer has closed or broken the protocol, and our answer waits for [`release_close`](Self::release_close).
    #[inline]
    pub fn is_close_held(&self) -> bool {
        self.connection.is_close_held()
    }

    /// Gives the answer that was put off, and reports the end. Does nothing when none was put off.
    #[inline]
    pub fn release_close(&mut self, now: Timestamp) -> Option<Event<'static>> {
        self.connection.release_close(now)
    }

    /// Tells that reading stops for a while, because the application cannot take more, or goes on. The deadlines that
    /// wait for bytes of the peer stand still meanwhile, and start afresh when reading goes on.
    #[inline]
    pub fn set_paused(&mut self, paused: bool, now: Timestamp) {
        self.connection.set_paused(paused, now);
    }

    /// Bounds how much is inflated before [`receive`](Connection::receive) returns `None` although its input is not used
    /// up, so that one connection does not hold up others: what a peer sends compressed can take a thousand times as long as
    /// its bytes did to arrive. Set the budget anew and give what is left of the input to `receive` again; what came in
    /// later goes behind it.
    ///
    /// The unit is a byte that comes out. A compressed byte counts for 8 of them, a message for 1,024 besides. It is
    /// overdrawn by one step, of some 40 KiB at most. `None`, as at first, bounds nothing. Messages that are not compressed
    /// do not count. Without compression agreed on, this does nothing.
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

    /// Whether a deadline that ends the connection has passed before `now`, and was noticed too late to be sure of it: the
    /// process was stopped, or the machine asleep. What the peer did in time may lie in the system's hands then. Look once
    /// more for what can be read and written, as long as it takes for the system to be asked, before
    /// [`handle_timeout`](Connection::handle_timeout).
    #[inline]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.connection.is_overdue(now)
    }

    /// Whether the connection would act on what the transport knows, by [`set_in_flight`](Self::set_in_flight): when a
    /// deadline that runs from what the peer has taken is due, and now and then while the transport takes no more or our
    /// Close frame is written. Ask before [`poll_timeout`](Connection::poll_timeout) and
    /// [`handle_timeout`](Connection::handle_timeout).
    #[inline]
    pub fn wants_in_flight(&self, now: Timestamp) -> bool {
        self.connection.wants_in_flight(now)
    }

    /// Whether a deadline is due that runs from what the peer has taken: for half the time of a pong nothing has come in, or
    /// the peer takes nothing.
    #[inline]
    pub fn is_peer_late(&self, now: Timestamp) -> bool {
        self.connection.is_peer_late(now)
    }

    /// Tells what of all that was written is still on its way to the peer. Without it, what was written counts as taken.
    #[inline]
    pub fn set_in_flight(&mut self, in_flight: InFlight, now: Timestamp) {
        self.connection.set_in_flight(in_flight, now);
    }
}
