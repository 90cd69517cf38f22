//! What a connection's handles and its driver share: the protocol engine and who waits for what, under one lock.

mod handles;
pub(crate) mod inbound;
pub(crate) mod pings;
mod unwanted;
pub(crate) mod waiting;

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Waker};

use tracing::info;
use ws_proto::{Cause, CloseCode, CloseFrame, Connection, Event, Message, Outcome, Timestamp};

pub(crate) use self::handles::Spawned;
use self::inbound::InboundLimits;
use self::pings::Pings;
pub use self::unwanted::Unwanted;
use self::waiting::Waiters;
use crate::error::{Closed, Ended, Error};
use crate::info::{Caller, Info, Opening};
use crate::logging::{TARGET, log_received};
use crate::memory::{recycle, scratch};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// How many messages a queue makes room for at once, at least, where so many may wait.
const BURST: usize = 16;

/// One connection, as its handles and its driver see it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) info: Info,
    /// Whether the handler, too, is to be dropped.
    handler_cancelled: AtomicBool,
    /// How many handles there are: senders, and the one within the socket.
    handles: AtomicUsize,
    /// The driver, where handles write what is queued when they are dropped.
    spawned: OnceLock<Weak<dyn Spawned>>,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) connection: Connection,
    pub(crate) caller: Caller,
    /// Messages that nobody has asked for yet.
    pub(crate) inbound: VecDeque<Message>,
    /// How many bytes they have.
    pub(crate) inbound_bytes: usize,
    /// How many messages the handle has taken that the application has not asked for yet, as far as it has told; and how
    /// many bytes those have.
    pub(crate) taken: u32,
    pub(crate) taken_bytes: usize,
    /// Whether the transport takes nothing at the moment.
    pub(crate) is_write_blocked: bool,
    /// How many there may be in both; then reading stops.
    pub(crate) inbound_limits: InboundLimits,
    /// Whether a message was thrown away because the application waited for nothing but the end. Then none follows it.
    pub(crate) has_gap: bool,
    /// Whether the transport takes nothing more.
    pub(crate) is_broken: bool,
    /// Set when no message will follow.
    pub(crate) closed: Option<Box<Closed>>,
    /// Set when the transport is gone.
    pub(crate) done: bool,
    /// Whether there is something to find for who waits for anything but a message.
    pub(crate) news: bool,
    /// How much of what was ever queued has been written and flushed.
    pub(crate) flushed: u64,
    /// What the driver is asked to do, since it has the time.
    pub(crate) close_request: Option<Box<CloseFrame>>,
    pub(crate) abort_request: bool,
    /// Whether nobody can receive any more: what comes is thrown away.
    pub(crate) receiver_dropped: bool,
    /// What becomes of it, and how much has.
    pub(crate) unwanted: Unwanted,
    pub(crate) discarded: u64,
    /// Whether the application has ever waited for a message, or was told that it should.
    pub(crate) has_received: bool,
    /// Whether nobody is left to send or to receive.
    pub(crate) handles_gone: bool,
    /// Whether the driver has stopped reading, until the application takes messages.
    pub(crate) paused: bool,
    /// Who runs the driver looks at it after this: there is no need to wake it.
    pub(crate) driver_follows: bool,
    pub(crate) pings: Pings,
    /// Who receives, and whether it waits for a message: its waker stays, so that it need not be cloned for each.
    pub(crate) receiver: Option<Waker>,
    pub(crate) is_receiving: bool,
    /// How many wait for nothing but the end, on the application's side.
    pub(crate) await_end: u32,
    pub(crate) driver: Option<Waker>,
    /// Who waits for anything else: room, a flush, a pong, the end.
    pub(crate) waiters: Waiters,
}

impl Shared {
    /// `path` is for the log: where a client connects to is known where it does, what it asked for is news to the server.
    pub(crate) fn new(
        mut connection: Connection,
        inbound_limits: InboundLimits,
        opening: Opening,
        path: Option<&str>,
        caller: Caller,
    ) -> Arc<Self> {
        // Messages wait in `inbound`: what came just before a Close can still be answered.
        connection.hooks().set_putting_off(true);
        connection.set_buffers(Some(recycle::take));
        connection.set_scratch(Some(&scratch::WRITING));
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (peer, client) = (caller.peer(), caller.client());
        info!(target: TARGET, id, peer, client, path, subprotocol = opening.subprotocol.as_deref(), "connection open");
        let info = Info { id, opening };
        Arc::new(Self {
            info,
            handler_cancelled: AtomicBool::new(false),
            handles: AtomicUsize::new(0),
            spawned: OnceLock::new(),
            state: Mutex::new(State {
                connection,
                caller,
                inbound: VecDeque::new(),
                inbound_bytes: 0,
                taken: 0,
                taken_bytes: 0,
                is_write_blocked: false,
                inbound_limits,
                has_gap: false,
                is_broken: false,
                closed: None,
                done: false,
                news: false,
                flushed: 0,
                close_request: None,
                abort_request: false,
                receiver_dropped: false,
                unwanted: Unwanted::Discard,
                discarded: 0,
                has_received: false,
                handles_gone: false,
                paused: false,
                driver_follows: false,
                pings: Pings::default(),
                receiver: None,
                is_receiving: false,
                await_end: 0,
                driver: None,
                waiters: Waiters::default(),
            }),
        })
    }

    /// The lock. A panic while it was held cannot have left anything half done that matters: only the engine's own
    /// code runs under it, and a transport's.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the closing handshake, unless it has begun.
    pub(crate) fn close(&self, frame: CloseFrame) {
        let mut state = self.lock();
        if state.close_request.is_none() {
            state.close_request = Some(Box::new(frame));
            // Who waits for room waits in vain.
            state.news = true;
        }
        let waiters = state.take_waiters();
        let waker = state.driver_waker();
        drop(state);
        wake(waker);
        wake(waiters.into_iter().flatten().map(|(_, waker)| waker));
    }

    /// Says where handles that are dropped find the driver.
    pub(crate) fn set_spawned(&self, driver: Weak<dyn Spawned>) {
        let _ = self.spawned.set(driver);
    }

    pub(crate) fn add_handle(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// A handle is gone. The last tells the driver; where the driver may never run again, each writes what is queued.
    pub(crate) fn drop_handle(&self) {
        let is_last = self.handles.fetch_sub(1, Ordering::AcqRel) == 1;
        let spawned = self.spawned.get().and_then(Weak::upgrade);
        if !is_last && spawned.is_none() {
            return;
        }
        let mut state = self.lock();
        state.handles_gone |= is_last;
        let is_due = is_last || !state.connection.outgoing().is_empty();
        let waker = if is_last && spawned.is_none() { state.driver_waker() } else { None };
        drop(state);
        wake(waker);
        if let Some(spawned) = spawned
            && is_due
            && !spawned.hasten()
        {
            let waker = self.lock().driver.take();
            wake(waker);
        }
    }

    /// Whether the handler is to be dropped.
    pub(crate) fn is_handler_cancelled(&self) -> bool {
        self.handler_cancelled.load(Ordering::Acquire)
    }

    /// Asks for the end of the connection without another word, and of its handler.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        state.abort_request = true;
        self.handler_cancelled.store(true, Ordering::Release);
        let waker = state.driver.take();
        drop(state);
        wake(waker);
    }
}

impl State {
    /// Why nothing can be sent any more.
    pub(crate) fn closed_error(&self) -> Error {
        self.closed.clone().map_or(Error::Closing, Error::Closed)
    }

    /// Whether nothing can be sent any more.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.is_broken || self.closed.is_some() || self.close_request.is_some() || !self.connection.is_open()
    }

    /// Whether a message can be queued now, or never again.
    pub(crate) fn has_room(&self) -> bool {
        self.is_closing() || !self.connection.is_above_high_water()
    }

    /// Whether all up to `target` has been written and passed on, once that is known.
    pub(crate) fn flush_result(&self, target: u64) -> Option<Result<(), Error>> {
        match self.flushed >= target {
            true => Some(Ok(())),
            false => (self.done || self.is_broken).then(|| Err(self.closed_error())),
        }
    }

    /// Whether the connection ended as a close should, once that is known: by both Close frames, or by a peer that let go
    /// after ours, and all was written. How the transport ends is not waited for then.
    pub(crate) fn close_result(&mut self) -> Option<Result<Outcome, Error>> {
        if let Some(closed) = &self.closed
            && (closed.outcome.is_clean() || closed.outcome.cause == Cause::Unanswered)
            && !self.connection.has_lost()
        {
            let is_through = self.done || self.flushed == self.connection.outgoing().queued();
            return is_through.then(|| Ok(closed.outcome.clone()));
        }
        self.done.then(|| Err(self.closed_error()))
    }

    /// How the connection ended.
    pub(crate) fn outcome(&self) -> Outcome {
        let gone = Outcome::new(None, None, Cause::Aborted);
        self.closed.as_ref().map_or(gone, |closed| closed.outcome.clone())
    }

    /// The driver's waker, when the driver must be told of what has changed.
    #[inline]
    pub(crate) fn driver_waker(&mut self) -> Option<Waker> {
        if self.driver_follows { None } else { self.driver.take() }
    }

    /// Who waits to receive and has something to find now, to be woken; or whether it is the one that needs no waking.
    #[inline]
    pub(crate) fn receiver_with_news(&mut self, is_beside: impl FnOnce(&Waker) -> bool) -> (Option<Waker>, bool) {
        let has_news = !self.inbound.is_empty() || self.closed.is_some();
        if !has_news || !mem::take(&mut self.is_receiving) {
            return (None, false);
        }
        match self.receiver.as_ref().is_some_and(is_beside) {
            true => (None, true),
            false => (self.receiver.take(), false),
        }
    }

    /// Who waits to receive in another task than this waker's.
    pub(crate) fn other_receiver(&self, waker: &Waker) -> Option<Waker> {
        let receiver = self.receiver.as_ref().filter(|_| self.is_receiving);
        receiver.filter(|receiver| !receiver.will_wake(waker)).cloned()
    }

    /// Those who have something to find now, if any.
    #[inline]
    pub(crate) fn take_waiters(&mut self) -> Option<Vec<(NonZeroU64, Waker)>> {
        if mem::take(&mut self.news) { self.waiters.take() } else { None }
    }

    /// Whether the application has as many messages waiting as it may have.
    ///
    /// Who takes none lets all come: what finds no room is thrown away.
    pub(crate) fn is_inbound_full(&self) -> bool {
        self.has_no_room() && !self.is_receiving_over()
    }

    /// Whether the application takes no message: it waits for nothing but the end, or has let go of the handle.
    fn is_receiving_over(&self) -> bool {
        self.await_end > 0 || self.receiver_dropped
    }

    /// The handle has `taken` messages left, of so many bytes; the driver's waker, when it must be told that there is room
    /// again.
    pub(crate) fn leave_to_handle(&mut self, taken: usize, bytes: usize) -> Option<Waker> {
        self.taken = u32::try_from(taken).unwrap_or(u32::MAX);
        self.taken_bytes = bytes;
        if self.may_resume() { self.driver_waker() } else { None }
    }

    /// Whether reading has stopped and enough messages have been taken for it to go on.
    pub(crate) fn may_resume(&self) -> bool {
        self.paused && (self.has_room_again() || self.is_receiving_over())
    }

    /// Whether the application has answered all that it will: it waits for more, or wants no more.
    pub(crate) fn is_caught_up(&self) -> bool {
        let wants_no_more = self.is_receiving_over() || self.close_request.is_some();
        wants_no_more || (self.inbound.is_empty() && self.is_receiving)
    }

    /// Whether the driver may be asked to do something other than to read and write.
    #[inline]
    pub(crate) fn is_asked(&mut self) -> bool {
        self.abort_request || self.handles_gone || self.close_request.is_some() || self.connection.hooks().is_ending()
    }

    /// Does what the driver was asked to do. `is_beside`: the application's own task runs the driver.
    #[cold]
    pub(crate) fn do_what_was_asked(&mut self, is_beside: bool, id: u64, now: Timestamp) {
        if mem::take(&mut self.abort_request)
            && let Some(event) = self.connection.abort()
        {
            self.on_event(event, id, now);
        }
        if self.handles_gone && !is_beside && self.close_request.is_none() {
            self.close_request = Some(Box::new(CloseFrame::new(CloseCode::GOING_AWAY, "")));
        }
        self.send_pings(now);
        if let Some(frame) = &self.close_request
            && self.connection.is_open()
        {
            let frame = CloseFrame::clone(frame);
            // The code was checked when the close was asked for.
            let _ = self.connection.close(frame, now);
        }
        if self.connection.hooks().is_ending()
            && self.is_caught_up()
            && let Some(event) = self.connection.hooks().conclude(now)
        {
            self.on_event(event, id, now);
        }
    }

    /// Whether there is something the driver would do at once.
    pub(crate) fn has_work(&mut self) -> bool {
        self.abort_request
            || (self.close_request.is_some() && self.connection.is_open())
            || self.may_resume()
            || (self.connection.hooks().is_ending() && self.is_caught_up())
            || !self.connection.outgoing().is_empty()
            || self.has_ping_to_send()
    }

    /// Takes in what the connection reports.
    pub(crate) fn on_event(&mut self, event: Event<'_>, id: u64, now: Timestamp) {
        match event {
            Event::Message(message) => self.on_message(recycle::into_message(message), id),
            Event::Pong(pong) => {
                if let Some((answered, _)) = pong.answers {
                    let payload_differed = *pong.payload != answered.payload();
                    self.news |= self.pings.on_pong(answered, payload_differed, now);
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
        if self.receiver_dropped {
            self.discard_unwanted(1);
            return;
        }
        // Reading stops before a message finds no room, unless the application waits for nothing but the end.
        if self.has_gap || (self.await_end > 0 && self.has_no_room()) {
            self.has_gap = true;
            return;
        }
        if self.inbound.len() == self.inbound.capacity() {
            self.grow_inbound();
        }
        self.inbound_bytes += message.len();
        self.inbound.push_back(message);
    }

    /// Makes room for as many messages as may wait, or, where that is many, for some more.
    #[inline(never)]
    fn grow_inbound(&mut self) {
        let len = self.inbound.len();
        let (most, larger) = (self.inbound_limits.messages(), len + len.max(BURST));
        // There are more than may wait in general only while writing is blocked.
        let larger = if len < most { most.min(larger) } else { larger };
        self.inbound.reserve_exact(larger - len);
    }

    /// Gives back the room that an empty queue keeps for the next burst.
    pub(crate) fn shrink(&mut self) {
        if self.inbound.is_empty() {
            self.inbound = VecDeque::new();
        }
    }

    /// Records the I/O error that ended the connection, if one did.
    pub(crate) fn on_io_error(&mut self, error: io::Error, id: u64) {
        if let Some(Event::Closed(outcome)) = self.connection.fail() {
            self.on_closed(outcome, Some(Arc::new(error)), id);
        }
    }

    fn on_closed(&mut self, outcome: Outcome, io: Option<Arc<io::Error>>, id: u64) {
        let closed = Box::new(Closed { ended: Ended { id }, outcome, io });
        let (peer, client) = (self.caller.peer(), self.caller.client());
        info!(target: TARGET, id, peer, client, "connection closed: {closed}");
        self.closed = Some(closed);
        self.news = true;
    }

    /// Whether a ping waits for room that there is now.
    pub(crate) fn has_ping_to_send(&self) -> bool {
        self.pings.has_requests() && !self.connection.is_above_high_water() && self.connection.is_open()
    }

    /// Sends the pings that have been asked for, as far as there is room.
    pub(crate) fn send_pings(&mut self, now: Timestamp) {
        self.pings.send(&mut self.connection, now);
    }
}

pub(crate) fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

/// Registers the task's waker; what it replaces is to be dropped when the lock is released, for that may drop a task
/// and what it holds.
#[must_use]
pub(crate) fn set_waker(slot: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        slot => slot.replace(cx.waker().clone()),
    }
}
