//! What a connection's handles and its driver share: the protocol engine and who waits for what, under one lock.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use http::{Request, Response};
use tracing::debug;
use ws_proto::{CloseFrame, Connection, Event, Message, Outcome, PingId, SendError, Timestamp};

use crate::error::{Closed, Error};
use crate::logging::Elided;

/// One connection, as its handles and its driver see it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) info: Info,
    state: Mutex<State>,
}

/// What does not change while a connection is open.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) id: u64,
    pub(crate) request: Request<()>,
    pub(crate) response: Response<()>,
    pub(crate) addresses: Addresses,
}

/// The two ends of a transport, where it has addresses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addresses {
    /// Our end.
    pub local: Option<SocketAddr>,
    /// The peer's end.
    pub peer: Option<SocketAddr>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) connection: Connection,
    /// Messages that nobody has asked for yet.
    pub(crate) inbound: VecDeque<Message>,
    /// How many of them there may be; then reading stops.
    pub(crate) inbound_limit: usize,
    /// Set when no message will follow.
    pub(crate) closed: Option<Closed>,
    /// Set when the transport is gone.
    pub(crate) done: bool,
    /// Whether there is something to find for who waits for anything but a message.
    pub(crate) news: bool,
    /// How much of what was ever queued has been written and flushed.
    pub(crate) flushed: u64,
    /// What the driver is asked to do, since it has the time.
    pub(crate) close_request: Option<CloseFrame>,
    pub(crate) abort_request: bool,
    /// Whether the handler, too, is to be dropped.
    pub(crate) handler_cancelled: bool,
    pub(crate) handle_dropped: bool,
    /// Whether the driver has stopped reading, until the application takes messages.
    pub(crate) paused: bool,
    /// Who runs the driver looks at it after this: there is no need to wake it.
    pub(crate) driver_follows: bool,
    pings: Vec<PingWait>,
    next_ping: u64,
    pub(crate) receiver: Option<Waker>,
    /// Whether the application waits for nothing but the end.
    pub(crate) awaits_end: bool,
    pub(crate) driver: Option<Waker>,
    /// Who waits for anything else: room, a flush, a pong, the end.
    waiters: Vec<Waker>,
}

/// A ping that somebody waits for.
#[derive(Debug)]
struct PingWait {
    token: u64,
    ping: PingState,
}

#[derive(Debug)]
enum PingState {
    Requested,
    Sent { id: PingId, at: Timestamp },
    Answered(Duration),
}

impl Shared {
    pub(crate) fn new(
        mut connection: Connection,
        inbound_limit: usize,
        request: Request<()>,
        response: Response<()>,
        addresses: Addresses,
    ) -> Arc<Self> {
        // Messages wait in `inbound`: what came just before a Close can still be answered.
        connection.set_putting_off(true);
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            info: Info { id, request, response, addresses },
            state: Mutex::new(State {
                connection,
                inbound: VecDeque::new(),
                inbound_limit: inbound_limit.max(1),
                closed: None,
                done: false,
                news: false,
                flushed: 0,
                close_request: None,
                abort_request: false,
                handler_cancelled: false,
                handle_dropped: false,
                paused: false,
                driver_follows: false,
                pings: Vec::new(),
                next_ping: 0,
                receiver: None,
                awaits_end: false,
                driver: None,
                waiters: Vec::new(),
            }),
        })
    }

    /// The lock. A panic while it was held cannot have left anything half done that matters: only the engine's own
    /// code runs under it, and a transport's.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message, or its next fragment, and tells the driver.
    pub(crate) fn send(&self, message: Message, fragment: Option<bool>) -> Result<(), SendError<Message>> {
        let mut state = self.lock();
        if state.is_closing() {
            return Err(SendError::Closed(message));
        }
        debug!(id = self.info.id, "> {}", Elided(&message));
        match fragment {
            None => state.connection.send(message)?,
            Some(last) => state.connection.send_fragment(message, last)?,
        }
        let waker = state.driver_waker();
        drop(state);
        wake(waker);
        Ok(())
    }

    /// Asks for the closing handshake, unless it has begun.
    pub(crate) fn close(&self, frame: CloseFrame) {
        let mut state = self.lock();
        if state.close_request.is_none() {
            state.close_request = Some(frame);
        }
        let waker = state.driver_waker();
        drop(state);
        wake(waker);
    }

    /// Asks for the end of the connection without another word, and of its handler.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        state.abort_request = true;
        state.handler_cancelled = true;
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
    pub(crate) fn is_closing(&self) -> bool {
        self.closed.is_some() || self.close_request.is_some() || !self.connection.is_open()
    }

    /// The driver's waker, when the driver must be told of what has changed.
    pub(crate) fn driver_waker(&mut self) -> Option<Waker> {
        if self.driver_follows { None } else { self.driver.take() }
    }

    /// Registers who waits for anything but a message.
    pub(crate) fn wait(&mut self, waker: &Waker) {
        if !self.waiters.iter().any(|waiting| waiting.will_wake(waker)) {
            self.waiters.push(waker.clone());
        }
    }

    /// Those who have something to find now.
    pub(crate) fn take_waiters(&mut self) -> Vec<Waker> {
        if mem::take(&mut self.news) { mem::take(&mut self.waiters) } else { Vec::new() }
    }

    /// Whether all that was ever queued has been written.
    pub(crate) fn is_all_written(&mut self) -> bool {
        let outgoing = self.connection.outgoing();
        outgoing.written() == outgoing.queued()
    }

    /// Whether the application has as many messages waiting as it may have.
    pub(crate) fn is_inbound_full(&self) -> bool {
        self.inbound.len() >= self.inbound_limit
    }

    /// Whether reading has stopped and enough messages have been taken for it to go on.
    pub(crate) fn may_resume(&self) -> bool {
        self.paused && self.inbound.len() <= self.inbound_limit / 2
    }

    /// Whether the application has dealt with all that came in: it waits for more, or wants no more.
    pub(crate) fn is_caught_up(&self) -> bool {
        let wants_no_more = self.awaits_end || self.handle_dropped || self.close_request.is_some();
        self.inbound.is_empty() && (self.receiver.is_some() || wants_no_more)
    }

    /// Whether there is something the driver would do at once.
    pub(crate) fn has_work(&mut self) -> bool {
        self.abort_request
            || (self.close_request.is_some() && self.connection.is_open())
            || self.may_resume()
            || (self.connection.is_ending() && self.is_caught_up())
            || !self.connection.outgoing().is_empty()
            || self.pings.iter().any(|wait| matches!(wait.ping, PingState::Requested))
    }

    /// Takes in what the connection reports.
    pub(crate) fn on_event(&mut self, event: Event<'_>, id: u64) {
        match event {
            Event::Message(message) => {
                let message = message.into_message();
                debug!(id, "< {}", Elided(&message));
                if !self.handle_dropped {
                    self.inbound.push_back(message);
                }
            }
            Event::Ping(payload) => debug!(id, "< ping [{} bytes], answered", payload.len()),
            Event::Pong(pong) => {
                debug!(id, "< pong [{} bytes]", pong.payload.len());
                if let Some((answered, took)) = pong.answers {
                    self.on_pong(answered, took);
                }
            }
            Event::Closed(outcome) => self.on_closed(outcome, id),
            // The handle delivers whole messages, and sets its connections up so.
            _ => {}
        }
    }

    fn on_closed(&mut self, outcome: Outcome, id: u64) {
        debug!(id, "closed: {outcome}");
        self.closed = Some(Closed { outcome, io: None });
        self.news = true;
    }

    /// Records the I/O error that ended the connection, if one did.
    pub(crate) fn on_io_error(&mut self, error: io::Error, id: u64) {
        if let Some(event) = self.connection.fail() {
            self.on_event(event, id);
            if let Some(closed) = &mut self.closed {
                closed.io = Some(Arc::new(error));
            }
        }
    }

    // ---- pings ----

    pub(crate) fn request_ping(&mut self) -> u64 {
        self.next_ping += 1;
        self.pings.push(PingWait { token: self.next_ping, ping: PingState::Requested });
        self.next_ping
    }

    pub(crate) fn forget_ping(&mut self, token: u64) {
        self.pings.retain(|wait| wait.token != token);
    }

    /// The round-trip time of a ping that has been answered.
    pub(crate) fn ping_answer(&self, token: u64) -> Option<Duration> {
        self.pings.iter().find(|wait| wait.token == token).and_then(|wait| match wait.ping {
            PingState::Answered(took) => Some(took),
            _ => None,
        })
    }

    /// Sends the pings that have been asked for, as far as there is room.
    pub(crate) fn send_pings(&mut self, now: Timestamp) {
        for wait in &mut self.pings {
            if let PingState::Requested = wait.ping
                && let Ok(id) = self.connection.ping(now)
            {
                wait.ping = PingState::Sent { id, at: now };
            }
        }
    }

    fn on_pong(&mut self, answered: PingId, took: Duration) {
        let Some(sent) = self.pings.iter().find_map(|wait| match wait.ping {
            PingState::Sent { id, at } if id == answered => Some(at + took),
            _ => None,
        }) else {
            return;
        };
        for wait in &mut self.pings {
            if let PingState::Sent { id, at } = wait.ping
                && id <= answered
            {
                wait.ping = PingState::Answered(sent - at);
                self.news = true;
            }
        }
    }
}

pub(crate) fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
