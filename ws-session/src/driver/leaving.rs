//! Writes the last output of a connection whose driver is dropped, or may never run again.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ws_proto::{CloseCode, CloseFrame};

use super::step::Progress;
use super::{Driver, READS_PER_POLL};
use crate::shared::{State, wake};
use crate::transport::{Timer, Transport};

/// The most input that is discarded, in bytes, and the bytes of one read. Unread input in a socket that is closed makes the
/// system reset the connection, and drop output that was not sent yet.
const DISCARDED: usize = 1 << 20;
const READ: usize = 16 << 10;

impl<T: Transport, C: Timer> Driver<T, C> {
    /// Does the next work of the driver's task at once, for a handle that is dropped.
    ///
    /// The transport keeps the waker of the task. If there is none, the task has been woken or has never run, and checks
    /// everything when it runs.
    pub(crate) fn hasten(&mut self) {
        let shared = Arc::clone(&self.shared);
        let state = shared.lock();
        if state.lifecycle.is_gone() {
            return;
        }
        let waker = state.wakers.peek_driver().cloned();
        drop(state);
        let cx = &mut Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
        for _ in 0..READS_PER_POLL {
            if self.step_alone(&shared, cx, true) != Progress::Made {
                break;
            }
        }
        // The task does the rest, such as checking the time, and may also have to notice the end.
        let registered = shared.lock().wakers.take_driver();
        wake(waker.or(registered));
    }

    /// Writes the outgoing queue and a Close frame, as far as the transport takes them at once. A runtime that ends drops its
    /// tasks, and messages for which `send` returned `Ok` must not be lost with them.
    pub(super) fn leave(&mut self, state: &mut State) {
        if state.lifecycle.is_broken() || state.connection.is_over() {
            return;
        }
        let now = self.timer.now();
        // The task may have ended, and is not polled again.
        let cx = &mut Context::from_waker(Waker::noop());
        state.lifecycle.close(CloseFrame::new(CloseCode::GOING_AWAY, ""));
        state.do_what_was_asked(self.shared.info.id, now);
        self.write(cx, state, now);
        if state.lifecycle.is_broken() || state.connection.is_over() {
            return;
        }
        self.discard_input(cx);
        if !self.is_shut_down && !self.transport.ends_when_dropped() {
            self.is_shut_down = true;
            // Output that is not taken at once is dropped.
            let _ = self.transport.poll_shutdown(cx);
        }
    }

    /// Reads and discards input.
    fn discard_input(&mut self, cx: &mut Context<'_>) {
        let mut buffer = [0; READ];
        for _ in 0..DISCARDED / READ {
            if self.read_ended {
                return;
            }
            self.read_ended = !matches!(self.transport.poll_read(cx, &mut buffer), Poll::Ready(Ok(n)) if n > 0);
        }
    }
}
