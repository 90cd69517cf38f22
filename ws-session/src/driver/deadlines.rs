//! The deadlines of the connection, and the timer.

use std::task::Context;
use std::time::Duration;

use ws_proto::{CloseCode, CloseFrame, Timestamp};

use super::Driver;
use crate::memory::recycle;
use crate::shared::State;
use crate::transport::{Timer, Transport};

/// The delay of a deadline that was noticed late: time for a full turn of any runtime's reactor.
const TURN: Duration = Duration::from_millis(10);

impl<T: Transport, C: Timer> Driver<T, C> {
    /// Whether a deadline that ends the connection waits for one more read of the transport.
    ///
    /// A process that was stopped notices the deadline before the input that has arrived meanwhile, because a runtime checks
    /// its timers before it asks the system about its sockets. A timer that is set now expires after that.
    fn looks_once_more(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) -> bool {
        if !state.connection.hooks().is_overdue(now) {
            self.looks_again = false;
            return false;
        }
        let until = match &self.armed {
            Some((until, _)) if self.looks_again => *until,
            _ => now + TURN,
        };
        // The timer is polled, not the clock: tokio's expires in the turn that checks the sockets too, and a program may
        // block its thread until long after this time.
        self.looks_again = self.timer.poll_at(cx, until).is_pending();
        if self.looks_again {
            self.armed = Some((until, cx.waker().clone()));
        }
        self.looks_again
    }

    /// Reports the bytes in flight to the connection.
    fn ask_in_flight(&mut self, state: &mut State, now: Timestamp) {
        if state.connection.hooks().is_peer_late(now) {
            self.hold_little();
        }
        if let Some(in_flight) = self.transport.in_flight() {
            state.connection.hooks().set_in_flight(in_flight, now);
        }
    }

    /// Requests the closing handshake, because the connection has lived for long enough. The next step sends the Close frame.
    #[cold]
    fn expire(&mut self, state: &mut State) {
        self.expires_at = None;
        if state.lifecycle.close(CloseFrame::new(CloseCode::GOING_AWAY, "connection lifetime")) {
            // A task that waits for room must learn that there will be none.
            state.wakers.announce();
        }
    }

    /// Acts on deadlines that have passed, and sets the timer to the next one. Returns whether one had passed.
    ///
    /// A timer that is set to an earlier time is left alone. It then expires once without need, but messages do not touch
    /// it.
    pub(super) fn check_deadlines(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) -> bool {
        let mut acted = false;
        loop {
            if state.connection.hooks().wants_in_flight(now) {
                self.ask_in_flight(state, now);
            }
            let mut next = state.connection.poll_timeout(now);
            if self.broken.is_some() {
                next = next.into_iter().chain(self.broken_until(state, now)).min();
            }
            if let Some(expires_at) = self.expires_at {
                if expires_at <= now {
                    self.expire(state);
                    acted = true;
                    continue;
                }
                next = next.into_iter().chain([expires_at]).min();
            }
            let Some(deadline) = next else { return acted };
            if deadline <= now {
                if self.looks_once_more(cx, state, now) {
                    return acted;
                }
                if let Some(event) = state.connection.handle_timeout(now) {
                    state.on_event(event, self.shared.info.id, now);
                }
                state.mailbox.shrink();
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
            // The deadline passed while the timer was being set.
            self.armed = None;
            cx.waker().wake_by_ref();
            return acted;
        }
    }
}
