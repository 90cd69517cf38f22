//! One round of a driver, under the connection's lock.

#[cfg(feature = "deflate")]
use std::mem;
use std::task::{Context, Poll, Waker};

use ws_proto::{CloseCode, CloseFrame, Timestamp, TransportState};

use super::Driver;
use crate::shared::{Due, Replaced, Shared, State};
use crate::transport::{Timer, Transport};

/// The budget of a poll for inflating, in the unit of [`Hooks::set_inflate_budget`](ws_proto::Hooks::set_inflate_budget):
/// about a millisecond.
#[cfg(feature = "deflate")]
const INFLATED_PER_POLL: usize = 256 << 10;

/// The result of one step, and the tasks to wake for it once the lock is released.
#[must_use]
pub(crate) struct Step {
    pub(crate) progress: Progress,
    pub(crate) due: Due,
    _replaced: Replaced,
}

/// The progress of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Input arrived or a deadline passed, so the application may have work.
    Made,
    /// No progress is possible before the task is woken.
    Blocked,
    /// The connection has ended, and the transport can be dropped.
    Done,
}

impl<T: Transport, C: Timer> Driver<T, C> {
    /// A step of a driver that has a task of its own. It wakes all tasks whose condition may have changed, and closes the
    /// connection when no handle is left. `shared` is the driver's own, lent so that a step counts no
    /// reference.
    pub(super) fn step_alone(&mut self, shared: &Shared, cx: &mut Context<'_>, another_follows: bool) -> Progress {
        let mut state = shared.lock();
        if shared.handles.are_gone() {
            state.lifecycle.close(CloseFrame::new(CloseCode::GOING_AWAY, ""));
        }
        let step = self.step(&mut state, cx, None, another_follows);
        drop(state);
        step.due.wake();
        step.progress
    }

    /// One round, under the connection's lock: handle requests, write the outgoing queue, read once, check the time.
    ///
    /// `own` is the task of the step if the application is polled in it too, so that it needs no waking. If another step
    /// follows at once after progress, the time is checked then.
    pub(crate) fn step(
        &mut self,
        state: &mut State,
        cx: &mut Context<'_>,
        own: Option<&Waker>,
        another_follows: bool,
    ) -> Step {
        let now = self.timer.now();
        state.wakers.set_driver_awake(false);
        let pings = state.pings.has_requests();
        if pings || state.is_asked() {
            state.do_what_was_asked(self.shared.info.id, now);
        }
        self.write(cx, state, now);
        if pings && state.has_ping_to_send() {
            state.send_pings(now);
            self.write(cx, state, now);
        }
        // The next input may answer a ping that was just written, so its round trip must not count as zero.
        let now = if pings { self.timer.now() } else { now };
        #[cfg(feature = "deflate")]
        if mem::take(&mut self.is_new_poll) {
            state.connection.hooks().set_inflate_budget(Some(INFLATED_PER_POLL));
        }
        let mut made = self.read(cx, state, now);
        #[cfg(feature = "deflate")]
        {
            self.is_spent = state.connection.hooks().is_inflate_budget_spent();
        }
        if made && another_follows && !self.is_spent && self.broken.is_none() && state.connection.is_open() {
            // The usual case: the connection continues, and the time is checked later.
            let replaced = state.wakers.set_driver(cx);
            return Step { progress: Progress::Made, due: state.due(own), _replaced: replaced };
        }
        let mut wanted = self.wanted(state);
        if wanted == TransportState::HalfClosed {
            self.shut_down(cx, state, now);
        }
        let mut ended = self.broken.is_some() && self.give_up_when_broken(state, now);
        if !((made || ended) && another_follows && !self.is_spent) {
            ended |= self.check_deadlines(cx, state, now);
        }
        made |= ended;
        if ended {
            wanted = self.wanted(state);
        }

        let is_done = wanted == TransportState::Closed;
        let replaced = if is_done { self.finish(cx, state).into() } else { state.wakers.set_driver(cx) };
        let due = state.due(own);
        let progress = match (is_done, made || due.is_own()) {
            (true, _) => Progress::Done,
            (false, true) => Progress::Made,
            (false, false) => Progress::Blocked,
        };
        Step { progress, due, _replaced: replaced }
    }

    /// Handles the end of the connection. Returns the waker that is no longer needed.
    #[cold]
    fn finish(&mut self, cx: &mut Context<'_>, state: &mut State) -> Option<Waker> {
        let ends_by_itself = self.transport.ends_when_dropped() && !self.keeps_transport;
        if !self.is_shut_down && !ends_by_itself {
            self.is_shut_down = true;
            // TLS must send its close_notify, or the peer takes the end for an attack.
            // Output that the transport does not take at once is dropped.
            let _ = self.transport.poll_shutdown(cx);
        }
        self.has_ended = true;
        state.on_gone(self.shared.info.id)
    }

    /// The connection's request to the transport, once the transport is flushed.
    fn wanted(&self, state: &mut State) -> TransportState {
        match self.needs_flush && !state.connection.is_over() {
            true => TransportState::Open,
            false => state.connection.transport_state(),
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
}
