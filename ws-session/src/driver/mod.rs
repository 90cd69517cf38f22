//! The one loop that moves bytes.

mod leaving;
mod owning;
mod reading;
mod run;
mod slot;
mod spawned;
mod writing;

use std::fmt;
use std::future::Future;
use std::io;
#[cfg(feature = "deflate")]
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ws_proto::{Timestamp, Transport as Wanted};

use self::reading::Unread;
use self::slot::Slot;
use crate::logging::Tap;
use crate::memory::recycle::{self, Keeper};
use crate::memory::scratch;
use crate::shared::{Shared, State, set_waker, wake};
use crate::sync::MutexGuard;
use crate::transport::{Timer, Transport};

/// How many reads one poll does before other tasks get their turn.
const READS_PER_POLL: usize = 4;

/// How much it inflates, as [`Hooks::set_inflate_budget`](ws_proto::Hooks::set_inflate_budget) counts: about a
/// millisecond's worth.
#[cfg(feature = "deflate")]
const INFLATED_PER_POLL: usize = 256 << 10;

/// How long after a transport has failed there may still be something to read although a read says that there is not: a
/// runtime can know of a failed write at once, and of what came before it only when it has asked the system again.
const LAST_READ: Duration = Duration::from_millis(100);

/// How long a transport is full before it is to hold fewer unsent bytes. What it holds then takes its peer longer than that,
/// and a ping or a Close frame waits behind all of it.
const FULL_FOR: Duration = Duration::from_secs(1);

/// How much is read from a transport that has failed: more than a system's receive buffers hold. Whoever can still send
/// then could do so for ever.
const MOST_READ: usize = 64 << 20;

/// Moves bytes between a transport and a connection, and keeps its deadlines, until the connection has ended.
///
/// It is a future to be spawned beside whoever holds the [`WebSocket`](crate::WebSocket); a server uses
/// [`run`](Self::run) instead, to have it in the handler's own task.
///
/// Dropping it never waits. It writes what is queued and a Close frame with 1001 behind that, as far as the transport
/// takes them at once, and drops the transport. So a runtime that drops its tasks when it ends, as tokio does, sends
/// what [`send`](crate::Sender::send) has said `Ok` to.
pub struct Driver<T: Transport, C: Timer> {
    transport: Slot<T>,
    timer: C,
    shared: Arc<Shared>,
    /// Input that was read and that the application has not had room for. On the heap: most of the time there is none.
    unread: Option<Box<Unread>>,
    /// How much the last read to a buffer brought.
    last_read: usize,
    /// When reading last stopped for the application to take messages.
    paused_at: Timestamp,
    /// The deadline that the timer is set to.
    armed: Option<(Timestamp, Waker)>,
    /// Whether this poll has done its share of work, and whether the next step is the first of a poll.
    is_spent: bool,
    is_new_poll: bool,
    /// Whether a deadline that ends the connection was noticed late, and waits for what the timer is set to.
    looks_again: bool,
    /// Whether there is nothing left to read.
    read_ended: bool,
    /// Whether the write side has been ended.
    is_shut_down: bool,
    /// Whether the transport stays when the connection has ended, so that its end has to be told.
    keeps_transport: bool,
    /// Whether the connection has ended and the last step has been done.
    has_ended: bool,
    /// Whether the transport may hold back what it took.
    needs_flush: bool,
    /// Since when the transport has taken nothing, while it is full;
    full_since: Option<Timestamp>,
    /// and how many unsent bytes it may hold, until it has been told.
    notsent_lowat: Option<u32>,
    /// How the transport failed. What had come before can still be taken.
    broken: Option<Box<Broken>>,
    /// Where frames are logged.
    tap: Option<Box<Tap>>,
    /// While it lives, the memory of long messages is kept to be used again.
    _keeper: Keeper,
}

/// A transport that has failed.
struct Broken {
    error: io::Error,
    since: Timestamp,
    /// When something that had come before was last taken in.
    taken_in: Timestamp,
    /// How much has been read from it nevertheless.
    read: usize,
}

/// How long a deadline that was noticed late is put off: time for a full turn of any runtime's reactor.
const TURN: Duration = Duration::from_millis(10);

/// What came of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something came in, or a deadline passed: the application may have something to do.
    Made,
    /// Nothing can be done before the task is woken.
    Blocked,
    /// The connection has ended and the transport can go.
    Done,
}

/// An application that is polled after each step, in the driver's own task.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'a> {
    /// The task's waker: what it would wake need not be woken.
    pub(crate) waker: &'a Waker,
    /// Whether it is polled next even when the step makes no progress.
    pub(crate) is_due: bool,
}

impl<T: Transport, C: Timer> Driver<T, C> {
    /// `unread` is what was read behind the opening handshake; its buffer goes, unless there is something in it.
    pub(crate) fn new(
        transport: T,
        timer: C,
        shared: Arc<Shared>,
        unread: Vec<u8>,
        notsent_lowat: Option<u32>,
    ) -> Self {
        scratch::prepare();
        let mut tap = Tap::new(shared.info.id);
        if let Some(tap) = &mut tap {
            tap.received(&unread);
        }
        Self {
            transport: Slot::new(transport),
            timer,
            shared,
            unread: Unread::new(unread),
            last_read: 0,
            paused_at: Timestamp::ZERO,
            armed: None,
            is_spent: false,
            is_new_poll: true,
            looks_again: false,
            read_ended: false,
            is_shut_down: false,
            keeps_transport: false,
            has_ended: false,
            needs_flush: false,
            full_since: None,
            notsent_lowat,
            broken: None,
            tap,
            _keeper: Keeper::new(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// A poll begins, with a share of work of its own.
    pub(crate) fn begin_poll(&mut self) {
        self.is_new_poll = true;
    }

    /// Whether this poll has done its share of work: other tasks are to get their turn.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// Whether the connection has ended and the transport can go.
    pub(crate) fn is_done(&self) -> bool {
        self.shared.lock().done
    }

    /// One round: do what was asked, write what is queued, read once, look at the time. `beside` tells of an application
    /// that is polled after this in the same task. When another step follows at once if this one makes progress, the time
    /// can wait for that. `shared` is the driver's own, lent so that not each round counts a reference.
    pub(crate) fn step(
        &mut self,
        shared: &Shared,
        cx: &mut Context<'_>,
        beside: Option<Beside<'_>>,
        another_follows: bool,
    ) -> Progress {
        let now = self.timer.now();
        let mut state = shared.lock();
        state.driver_follows = false;
        let pings = state.pings.has_requests();
        if pings || state.is_asked() {
            state.do_what_was_asked(beside.is_some(), shared.info.id, now);
        }
        self.write(cx, &mut state, now);
        if pings && state.has_ping_to_send() {
            state.send_pings(now);
            self.write(cx, &mut state, now);
        }
        // What is read next may answer a ping that has just left, and did not come in no time at all.
        let now = if pings { self.timer.now() } else { now };
        #[cfg(feature = "deflate")]
        if mem::take(&mut self.is_new_poll) {
            state.connection.hooks().set_inflate_budget(Some(INFLATED_PER_POLL));
        }
        let mut made = self.read(cx, &mut state, now);
        #[cfg(feature = "deflate")]
        {
            self.is_spent = state.connection.hooks().is_inflate_budget_spent();
        }
        if made && another_follows && !self.is_spent && self.broken.is_none() && state.connection.is_open() {
            // The usual case: the connection goes on, and the time can wait.
            let _replaced = set_waker(&mut state.driver, cx);
            wake_whom_it_concerns(state, beside, true);
            return Progress::Made;
        }
        let mut wanted = self.wanted(&mut state);
        if wanted == Wanted::HalfClose {
            self.shut_down(cx, &mut state, now);
        }
        let mut ended = self.broken.is_some() && self.give_up_when_broken(&mut state, now);
        if !((made || ended) && another_follows && !self.is_spent) {
            ended |= self.check_deadlines(cx, &mut state, now);
        }
        made |= ended;
        if ended {
            wanted = self.wanted(&mut state);
        }

        let done = wanted == Wanted::Close;
        let _replaced = if done { self.finish(cx, &mut state) } else { set_waker(&mut state.driver, cx) };
        made |= wake_whom_it_concerns(state, beside, made && !done);
        match (done, made) {
            (true, _) => Progress::Done,
            (false, true) => Progress::Made,
            (false, false) => Progress::Blocked,
        }
    }

    /// The connection has ended; the waker that is needed no more.
    #[cold]
    fn finish(&mut self, cx: &mut Context<'_>, state: &mut State) -> Option<Waker> {
        let ends_by_itself = self.transport.ends_when_dropped() && !self.keeps_transport;
        if !self.is_shut_down && !state.is_broken && !ends_by_itself {
            self.is_shut_down = true;
            // TLS has to say that it ends, or the peer takes the end for somebody else's doing.
            // What the transport does not take at once is not waited for.
            let _ = self.transport.poll_shutdown(cx);
        }
        self.has_ended = true;
        state.done = true;
        state.news = true;
        state.driver.take()
    }

    /// The transport has failed. Nothing can be sent any more; what had come before can still be taken.
    #[cold]
    fn break_off(&mut self, state: &mut State, error: io::Error, now: Timestamp) {
        state.is_broken = true;
        state.news = true;
        self.needs_flush = false;
        self.broken.get_or_insert_with(|| Box::new(Broken { error, since: now, taken_in: now, read: 0 }));
        if let Some(event) = state.connection.fail_writing() {
            state.on_event(event, self.shared.info.id, now);
        }
    }

    /// Ends a connection whose transport has failed: as soon as all that had come before has been taken in, or when the
    /// application takes none of it for as long as a peer may take nothing.
    #[cold]
    fn give_up_when_broken(&mut self, state: &mut State, now: Timestamp) -> bool {
        let is_taken_in = self.read_ended && self.unread.is_none();
        let is_late = self.patience(state).is_some_and(|patience| patience <= now);
        if !(is_taken_in || is_late || state.closed.is_some()) {
            return false;
        }
        let Some(broken) = self.broken.take() else { return false };
        self.read_ended = true;
        state.on_io_error(broken.error, self.shared.info.id);
        true
    }

    /// Until when something may still come of a transport that has failed, if it has.
    fn last_read(&self) -> Option<Timestamp> {
        self.broken.as_ref().map(|broken| broken.since + LAST_READ)
    }

    /// Until when the application may leave alone what a transport brought that has failed.
    fn patience(&self, state: &State) -> Option<Timestamp> {
        let stall = state.connection.config().deadlines.write_stall?;
        self.broken.as_ref().map(|broken| broken.taken_in + stall)
    }

    /// When a transport that has failed is looked after next: once the last read has been tried, it is for the application to
    /// take what has come.
    #[cold]
    fn broken_until(&self, state: &State, now: Timestamp) -> Option<Timestamp> {
        let last_read = self.last_read().filter(|&last_read| last_read > now);
        last_read.or_else(|| self.patience(state).filter(|&patience| patience > now))
    }

    /// What the connection wants of the transport, once the transport has passed on what it has.
    fn wanted(&self, state: &mut State) -> Wanted {
        match self.needs_flush && !state.connection.is_over() {
            true => Wanted::Open,
            false => state.connection.transport(),
        }
    }

    /// Ends the write side, once.
    #[cold]
    fn shut_down(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) {
        if !self.is_shut_down
            && self.broken.is_none()
            && let Poll::Ready(result) = self.transport.poll_shutdown(cx)
        {
            self.is_shut_down = true;
            if let Err(error) = result {
                self.break_off(state, error, now);
            }
        }
    }

    /// Whether a deadline that ends the connection waits for one more look at the transport.
    ///
    /// A process that was stopped finds the deadline passed before it finds what has come meanwhile: a runtime looks at its
    /// timers without having asked the system about its sockets. A timer that is set now goes off after it has.
    fn looks_once_more(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) -> bool {
        if !state.connection.hooks().is_overdue(now) {
            self.looks_again = false;
            return false;
        }
        let until = match &self.armed {
            Some((until, _)) if self.looks_again => *until,
            _ => now + TURN,
        };
        // The timer is asked, not the clock: tokio's goes off in the turn that looks at the sockets, too, and a program may
        // block its thread until long past this time.
        self.looks_again = self.timer.poll_at(cx, until).is_pending();
        if self.looks_again {
            self.armed = Some((until, cx.waker().clone()));
        }
        self.looks_again
    }

    /// Tells the connection what is on its way to the peer.
    fn ask_in_flight(&mut self, state: &mut State, now: Timestamp) {
        if state.connection.hooks().is_peer_late(now) {
            self.hold_little();
        }
        if let Some(in_flight) = self.transport.in_flight() {
            state.connection.hooks().set_in_flight(in_flight, now);
        }
    }

    /// Acts on deadlines that have passed and sets the timer to the next; whether one had.
    ///
    /// The timer is left alone while it is set to an earlier time: it fires for nothing then, once, and messages that
    /// come and go do not touch it.
    fn check_deadlines(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) -> bool {
        let mut acted = false;
        loop {
            if state.connection.hooks().wants_in_flight(now) {
                self.ask_in_flight(state, now);
            }
            let mut next = state.connection.poll_timeout(now);
            if self.broken.is_some() {
                next = next.into_iter().chain(self.broken_until(state, now)).min();
            }
            let Some(deadline) = next else { return acted };
            if deadline <= now {
                if self.looks_once_more(cx, state, now) {
                    return acted;
                }
                if let Some(event) = state.connection.handle_timeout(now) {
                    state.on_event(event, self.shared.info.id, now);
                }
                state.shrink();
                recycle::tidy();
                acted = true;
                continue;
            }
            self.looks_again = false;
            let set = matches!(&self.armed, Some((armed, waker))
                if now < *armed && *armed <= deadline && waker.will_wake(cx.waker()));
            if set {
                return acted;
            }
            self.armed = Some((deadline, cx.waker().clone()));
            if self.timer.poll_at(cx, deadline).is_pending() {
                return acted;
            }
            // It came while it was being set.
            self.armed = None;
            cx.waker().wake_by_ref();
            return acted;
        }
    }
}

impl<T: Transport + Unpin, C: Timer + Unpin> Future for Driver<T, C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let shared = Arc::clone(&driver.shared);
        driver.begin_poll();
        for round in 1..=READS_PER_POLL {
            match driver.step(&shared, cx, None, round < READS_PER_POLL) {
                Progress::Made if driver.is_spent => break,
                Progress::Made => {}
                Progress::Blocked => return Poll::Pending,
                Progress::Done => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T: Transport, C: Timer> Drop for Driver<T, C> {
    /// With the transport gone, nobody is left waiting for it.
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        if state.done {
            return;
        }
        if !self.transport.is_empty() {
            self.leave(&mut state);
        }
        state.done = true;
        state.news = true;
        let _waker = state.driver.take();
        if let Some(event) = state.connection.abort() {
            state.on_event(event, self.shared.info.id, Timestamp::ZERO);
        }
        let _ = wake_whom_it_concerns(state, None, false);
    }
}

/// Wakes who has something to find, once the lock is released; whether that is the application beside the driver,
/// which needs no waking because it is polled next. Then, or when `made` progress is a reason, the driver follows it.
#[inline]
fn wake_whom_it_concerns(mut state: MutexGuard<'_, State>, beside: Option<Beside<'_>>, made: bool) -> bool {
    let is_beside = |waker: &Waker| beside.is_some_and(|beside| beside.waker.will_wake(waker));
    let (receiver, mut concerns_it) = state.receiver_with_news(is_beside);
    let waiters = state.take_waiters();
    if let Some(waiters) = &waiters {
        concerns_it |= waiters.iter().any(|(_, waker)| is_beside(waker));
    }
    state.driver_follows = !state.done && beside.is_some_and(|beside| made || concerns_it || beside.is_due);
    drop(state);
    wake(receiver);
    if let Some(waiters) = waiters {
        wake(waiters.into_iter().map(|(_, waker)| waker).filter(|waker| !is_beside(waker)));
    }
    concerns_it
}

impl<T: Transport, C: Timer> fmt::Debug for Driver<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("id", &self.shared.info.id)
            .field("read_ended", &self.read_ended)
            .field("is_shut_down", &self.is_shut_down)
            .finish_non_exhaustive()
    }
}
