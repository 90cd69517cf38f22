//! The last words of a connection whose driver is dropped, or may never run again.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ws_proto::{CloseCode, CloseFrame};

use super::step::Progress;
use super::{Driver, READS_PER_POLL};
use crate::shared::{State, wake};
use crate::transport::{Timer, Transport};

/// How much input is thrown away, and how much at a time. Input that a socket still holds when it is closed makes the
/// system reset the connection, and throw away what was written and has not left yet.
const DISCARDED: usize = 1 << 20;
const READ: usize = 16 << 10;

impl<T: Transport, C: Timer> Driver<T, C> {
    /// Does at once what the driver's task would do next, for a handle that is dropped.
    ///
    /// The transport keeps whom it knows: the task's waker. Where there is none, the task has been woken or has never run,
    /// and looks at everything when it does.
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
        // Whatever was left out, the time for one, is looked at in the task, which may also have an end to notice.
        let registered = shared.lock().wakers.take_driver();
        wake(waker.or(registered));
    }

    /// Writes what is queued, and a Close frame behind it, as far as the transport takes them at once: a runtime that ends
    /// drops its tasks, and what `send` has said `Ok` to is not to end with them.
    pub(super) fn leave(&mut self, state: &mut State) {
        if state.lifecycle.is_broken() || state.connection.is_over() {
            return;
        }
        let now = self.timer.now();
        // The task may be gone, and will not be polled again.
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
            // What is not taken at once is not waited for.
            let _ = self.transport.poll_shutdown(cx);
        }
    }

    /// Reads what has come in and is not of use any more.
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
