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
    /// How much of what was ever queued has been written and flushed.
    pub(crate) flushed: u64,
}

/// What handles ask.
impl State {
    /// Whether nothing can be sent any more.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        !self.lifecycle.is_open() || !self.connection.is_open()
    }

    /// Whether a message can be queued now, or never again.
    pub(crate) fn has_room(&self) -> bool {
        self.is_closing() || !self.connection.is_above_high_water()
    }

    /// Whether all up to `target` has been written and passed on, once that is known.
    pub(crate) fn flush_result(&self, target: u64) -> Option<Result<(), Error>> {
        match self.flushed >= target {
            true => Some(Ok(())),
            false => (self.lifecycle.is_gone() || self.lifecycle.is_broken()).then(|| Err(self.lifecycle.error())),
        }
    }

    /// Whether the connection ended as a close should, once that is known: by both Close frames, or by a peer that let go
    /// after ours, and all was written. How the transport ends is not waited for then.
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

    /// How the connection ended, once its transport is gone.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let closed = self.lifecycle.closed()?;
        self.lifecycle.is_gone().then(|| closed.outcome.clone())
    }

    /// The driver's task, to be woken if reading has stopped and may go on.
    pub(crate) fn driver_to_resume(&mut self) -> Option<Waker> {
        if self.mailbox.may_resume() { self.wakers.driver() } else { None }
    }
}

/// What the driver asks.
impl State {
    /// Whether the driver may be asked to do something other than to read and write.
    #[inline]
    pub(crate) fn is_asked(&mut self) -> bool {
        self.lifecycle.close_asked().is_some() || self.connection.hooks().is_close_held()
    }

    /// Does what the driver was asked to do, since it has the time.
    #[cold]
    pub(crate) fn do_what_was_asked(&mut self, id: u64, now: Timestamp) {
        self.send_pings(now);
        if let Some(frame) = self.lifecycle.close_asked()
            && self.connection.is_open()
        {
            let frame = frame.clone();
            // The code was checked when the close was asked for.
            let _ = self.connection.close(frame, now);
        }
        if self.connection.hooks().is_close_held()
            && self.is_caught_up()
            && let Some(event) = self.connection.hooks().release_close(now)
        {
            self.on_event(event, id, now);
        }
    }

    /// Whether there is something the driver would do at once.
    pub(crate) fn has_work(&mut self) -> bool {
        (self.lifecycle.close_asked().is_some() && self.connection.is_open())
            || self.mailbox.may_resume()
            || (self.connection.hooks().is_close_held() && self.is_caught_up())
            || !self.connection.outgoing().is_empty()
            || self.has_ping_to_send()
            || self.connection.is_over()
    }

    /// Whether the application has answered all that it will: it waits for more, or wants no more.
    fn is_caught_up(&self) -> bool {
        let wants_no_more = self.mailbox.is_receiving_over() || !self.lifecycle.is_open();
        wants_no_more || (self.mailbox.is_empty() && self.wakers.is_receiving())
    }

    /// Whether a ping waits for room that there is now.
    pub(crate) fn has_ping_to_send(&self) -> bool {
        self.pings.has_requests() && !self.connection.is_above_high_water() && self.connection.is_open()
    }

    /// Sends the pings that have been asked for, as far as there is room.
    pub(crate) fn send_pings(&mut self, now: Timestamp) {
        self.pings.send(&mut self.connection, now);
    }

    /// The tasks that have something to find now; the caller's own task, if it is among them, is left out.
    #[inline]
    pub(crate) fn due(&mut self, own: Option<&Waker>) -> Due {
        let is_receivable = !self.mailbox.is_empty() || self.lifecycle.closed().is_some();
        self.wakers.due(is_receivable, own)
    }
}

/// What has happened.
impl State {
    /// Takes in what the connection reports.
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
            // The handle delivers whole messages, and sets its connections up so.
            _ => {}
        }
    }

    /// Keeps a message until it is asked for.
    #[inline]
    pub(crate) fn on_message(&mut self, message: Message, id: u64) {
        log_received(id, &message);
        match self.mailbox.is_abandoned() {
            true => self.discard_unwanted(1),
            false => self.mailbox.put(message),
        }
    }

    /// So many messages have come that nobody receives.
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

    /// The transport takes nothing more. Messages that came before can still be received.
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

    /// Ends the connection, unless it has ended, without another word.
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

    /// The transport is gone; the driver's waker, which is needed no more, is to be dropped once the lock is released.
    pub(crate) fn on_gone(&mut self, id: u64) -> Option<Waker> {
        self.lifecycle.set_gone(id);
        self.wakers.announce();
        self.wakers.take_driver()
    }
}
