//! The state that handles and driver share under one lock, and the rules that concern more than one part of it.

use std::io;
use std::sync::Arc;
use std::task::Waker;

use tracing::info;
use ws_proto::{Cause, Connection, Event, Message, Outcome, Timestamp};

use super::lifecycle::Lifecycle;
use super::mailbox::Mailbox;
use super::pings::Pings;
use super::wakers::{Due, Wakers};
use crate::error::{Closed, ClosedSource, Error};
use crate::info::Caller;
use crate::logging::{TARGET, log_received};
use crate::memory::recycle;

/// The state that handles and driver share under one lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) connection: Connection,
    pub(crate) caller: Caller,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) mailbox: Mailbox,
    pub(crate) wakers: Wakers,
    pub(crate) pings: Pings,
    /// The number of bytes, of all that were ever queued, that have been written and flushed.
    pub(crate) flushed: u64,
}

/// Queries and requests of handles.
impl State {
    /// Whether no message can be sent any more.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        !self.lifecycle.is_open() || !self.connection.is_open()
    }

    /// Whether a message can be queued now, or never again.
    pub(crate) fn has_room(&self) -> bool {
        self.is_closing() || (!self.wakers.senders_wait && !self.connection.is_above_high_water())
    }

    /// The result of a flush: whether everything up to `target` has been written and flushed, once known.
    pub(crate) fn flush_result(&self, target: u64) -> Option<Result<(), Error>> {
        match self.flushed >= target {
            true => Some(Ok(())),
            false => (self.lifecycle.is_gone() || self.lifecycle.is_broken()).then(|| Err(self.lifecycle.error())),
        }
    }

    /// The result of a close, once known. It succeeds if everything was written, and the connection ended by both Close
    /// frames or by the peer after our Close. The end of the transport is not awaited then.
    pub(crate) fn close_result(&mut self) -> Option<Result<Outcome, Error>> {
        let is_gone = self.lifecycle.is_gone();
        if let Some(closed) = self.lifecycle.closed()
            && (closed.outcome.is_clean() || closed.outcome.cause == Cause::Unanswered)
            && !self.connection.has_lost()
        {
            let is_through = is_gone || self.flushed == self.connection.outgoing().queued();
            return is_through.then(|| Ok(closed.outcome.clone()));
        }
        is_gone.then(|| Err(self.lifecycle.error()))
    }

    /// Whether our Close frame and everything before it have been written and flushed, once known.
    pub(crate) fn close_sent(&mut self) -> Option<Result<(), Error>> {
        if self.lifecycle.closed().is_some() {
            return self.close_result().map(|result| result.map(drop));
        }
        if self.lifecycle.is_broken() {
            return Some(Err(self.lifecycle.error()));
        }
        let is_sent = !self.connection.is_open() && self.flushed == self.connection.outgoing().queued();
        is_sent.then_some(Ok(()))
    }

    /// The outcome of the connection, once its transport has ended.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let closed = self.lifecycle.closed()?;
        self.lifecycle.is_gone().then(|| closed.outcome.clone())
    }

    /// The driver's task, to be woken if reading has stopped and may continue.
    pub(crate) fn driver_to_resume(&mut self) -> Option<Waker> {
        if self.mailbox.is_paused() && self.may_resume() { self.wakers.driver() } else { None }
    }
}

/// Queries and requests of the driver.
impl State {
    /// Whether the driver may have requests other than reading and writing.
    #[inline]
    pub(crate) fn is_asked(&mut self) -> bool {
        self.lifecycle.close_asked().is_some() || self.connection.hooks().is_close_held()
    }

    /// Handles the requests to the driver, at this time.
    #[cold]
    pub(crate) fn do_what_was_asked(&mut self, id: u64, now: Timestamp) {
        self.send_pings(now);
        if let Some(frame) = self.lifecycle.close_asked()
            && self.connection.is_open()
        {
            let frame = frame.clone();
            // The code was checked when the close was requested.
            let _ = self.connection.close(frame, now);
        }
        if self.connection.hooks().is_close_held()
            && self.is_caught_up()
            && let Some(event) = self.connection.hooks().release_close(now)
        {
            self.on_event(event, id, now);
        }
    }

    /// Whether the driver has work that it can do at once.
    pub(crate) fn has_work(&mut self) -> bool {
        (self.lifecycle.close_asked().is_some() && self.connection.is_open())
            || (self.mailbox.is_paused() && self.may_resume())
            || (self.connection.hooks().is_close_held() && self.is_caught_up())
            || !self.connection.outgoing().is_empty()
            || self.has_ping_to_send()
            || self.connection.is_over()
    }

    /// Whether the application has answered all that it will: it waits for more messages, or wants none.
    fn is_caught_up(&self) -> bool {
        let wants_no_more = self.mailbox.is_receiving_over() || !self.lifecycle.is_open();
        wants_no_more || (self.mailbox.is_empty() && self.wakers.is_receiving())
    }

    /// Whether a requested ping can be sent now.
    pub(crate) fn has_ping_to_send(&self) -> bool {
        self.pings.has_requests() && !self.connection.is_above_high_water() && self.connection.is_open()
    }

    /// Sends the requested pings, as far as there is room.
    pub(crate) fn send_pings(&mut self, now: Timestamp) {
        self.pings.send(&mut self.connection, now);
    }

    /// The tasks to wake now, without the caller's own task.
    #[inline]
    pub(crate) fn due(&mut self, own: Option<&Waker>) -> Due {
        let is_receivable = !self.mailbox.is_empty() || self.lifecycle.closed().is_some();
        self.wakers.due(is_receivable, own)
    }
}

/// Events.
impl State {
    /// Handles an event of the core.
    pub(crate) fn on_event(&mut self, event: Event<'_>, id: u64, now: Timestamp) {
        match event {
            Event::Message(message) => self.on_message(recycle::into_message(message), id),
            Event::Pong(pong) => {
                if let Some((answered, _)) = pong.answers {
                    let payload_differed = *pong.payload != answered.payload();
                    if self.pings.on_pong(answered, payload_differed, now) {
                        self.wakers.announce();
                    }
                }
            }
            Event::Closed(outcome) => self.on_closed(outcome, None, id),
            // A task that waits for the next message in chunks can have it.
            Event::Begun(_) => self.wakers.announce(),
            // The driver handles chunks and held messages. Pings are answered by the core.
            _ => {}
        }
    }

    /// Keeps a message until it is received.
    #[inline]
    pub(crate) fn on_message(&mut self, message: Message, id: u64) {
        log_received(id, &message);
        if !self.mailbox.put(message) {
            self.discard_unwanted(1);
        }
    }

    /// Handles this many unwanted messages.
    #[cold]
    pub(crate) fn discard_unwanted(&mut self, messages: usize) {
        let unwanted = self.mailbox.discard(messages);
        if messages > 0
            && !self.is_closing()
            && let Some(frame) = unwanted.refusal()
            && self.lifecycle.close(frame)
        {
            self.wakers.announce();
        }
    }

    /// Records that the transport takes no more output. Input from before can still be received.
    pub(crate) fn on_broken(&mut self, id: u64, now: Timestamp) {
        self.lifecycle.set_broken();
        self.wakers.announce();
        if let Some(event) = self.connection.fail_writing() {
            self.on_event(event, id, now);
        }
    }

    /// Ends the connection, unless it has ended, with the I/O error that broke it.
    pub(crate) fn on_io_error(&mut self, error: io::Error, id: u64) {
        if let Some(Event::Closed(outcome)) = self.connection.fail() {
            self.on_closed(outcome, Some(Arc::new(error)), id);
        }
    }

    /// Ends the connection, unless it has ended, without a Close frame.
    pub(crate) fn abort(&mut self, id: u64) {
        if let Some(Event::Closed(outcome)) = self.connection.abort() {
            self.on_closed(outcome, None, id);
        }
    }

    fn on_closed(&mut self, outcome: Outcome, io: Option<Arc<io::Error>>, id: u64) {
        let closed = Box::new(Closed { ended: ClosedSource { id }, outcome, io });
        let (peer, client) = (self.caller.peer(), self.caller.client());
        info!(target: TARGET, id, peer, client, "connection closed: {closed}");
        self.lifecycle.set_closed(closed);
        self.wakers.announce();
    }

    /// Records that the transport has ended. Returns the driver's waker, to be dropped once the lock is released.
    pub(crate) fn on_gone(&mut self, id: u64) -> Option<Waker> {
        self.lifecycle.set_gone(id);
        self.wakers.announce();
        self.wakers.take_driver()
    }
}
