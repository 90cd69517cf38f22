//! The work of a poll: moves bytes.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::WebSocketStream;
use super::pollers::{Pollers, Side};
use crate::driver::Progress;
use crate::handle::WebSocket;
use crate::shared::{Shared, State};
use crate::transport::{Timer, Transport};

/// The most rounds in one poll, so that other tasks get their turn.
const ROUNDS_PER_POLL: usize = 16;

impl<T: Transport, C: Timer> WebSocketStream<T, C> {
    /// Moves bytes until `find` is ready.
    ///
    /// While this runs, the driver counts as awake: other tasks, and `find` itself, wake no task to have a message written.
    /// It stays so after this was ready, because nothing is driven until the next poll.
    pub(super) fn poll_until<R>(
        &mut self,
        cx: &mut Context<'_>,
        side: Side,
        mut find: impl FnMut(&mut WebSocket, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let shared = Arc::clone(self.socket.shared());
        let both = self.waker_of_both(&shared, cx, side);
        shared.lock().wakers.set_driver_awake(true);
        let mut found = find(&mut self.socket, cx);
        let (mut is_second_look, mut is_blocked) = (false, true);
        self.driver.begin_poll();
        for round in 1..=ROUNDS_PER_POLL {
            if found.is_ready() || self.driver.has_ended() {
                break;
            }
            let progress = self.step(&shared, cx, both.as_ref(), round < ROUNDS_PER_POLL);
            is_blocked = progress != Progress::Made;
            found = find(&mut self.socket, cx);
            match progress {
                _ if found.is_ready() => {}
                Progress::Made if self.driver.is_spent() => break,
                Progress::Made | Progress::Done => is_second_look = false,
                Progress::Blocked => {
                    let mut state = shared.lock();
                    state.wakers.set_driver_awake(false);
                    // Requests of `find`, or of other tasks, are handled at once.
                    if is_second_look || !state.has_work() {
                        return Poll::Pending;
                    }
                    is_second_look = true;
                }
            }
        }
        if found.is_pending() && !self.driver.has_ended() {
            both.as_ref().unwrap_or(cx.waker()).wake_by_ref();
        }
        self.leave(&shared, cx, side, both, is_blocked);
        found
    }

    /// [`poll_until`](Self::poll_until) for a condition on the state, by a future that holds the stream.
    pub(super) fn poll_state<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut find: impl FnMut(&mut State) -> Option<R>,
    ) -> Poll<R> {
        self.poll_until(cx, Side::Sending, |socket, _| {
            find(&mut socket.shared().lock()).map_or(Poll::Pending, Poll::Ready)
        })
    }

    /// One round: writes the outgoing queue, as far as the transport takes it, and reads once.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>, side: Side) {
        if self.driver.has_ended() {
            return;
        }
        let shared = Arc::clone(self.socket.shared());
        let both = self.waker_of_both(&shared, cx, side);
        self.driver.begin_poll();
        let progress = self.step(&shared, cx, both.as_ref(), false);
        self.leave(&shared, cx, side, both, progress != Progress::Made);
    }

    fn step(&mut self, shared: &Shared, cx: &mut Context<'_>, both: Option<&Waker>, another_follows: bool) -> Progress {
        let own = cx.waker();
        let cx = &mut Context::from_waker(both.unwrap_or(own));
        let mut state = shared.lock();
        let step = self.driver.step(&mut state, cx, Some(own), another_follows);
        state.wakers.set_driver_awake(step.progress == Progress::Made);
        drop(state);
        if step.due.has_own_waiter() {
            // It may be a future of a `Sender` in this task, which was polled before the stream and is not polled after it.
            own.wake_by_ref();
        }
        step.due.wake();
        step.progress
    }

    /// Lets the other side continue, in this task or in another, after this side was ready. It must be woken if the last step
    /// was not `is_blocked`, because the transport wakes no task then.
    fn leave(&mut self, shared: &Shared, cx: &Context<'_>, side: Side, both: Option<Waker>, is_blocked: bool) {
        let mut state = shared.lock();
        let other_waits = match side {
            Side::Receiving => self.socket.is_sink_waiting(),
            Side::Sending => state.wakers.is_receiving(),
        };
        if !other_waits && both.is_none() {
            return;
        }
        state.wakers.set_driver_awake(false);
        let goes_on = !is_blocked || state.has_work();
        drop(state);
        if goes_on {
            both.as_ref().unwrap_or(cx.waker()).wake_by_ref();
        }
    }

    /// A waker for the tasks of both sides, once there are two.
    fn waker_of_both(&mut self, shared: &Shared, cx: &Context<'_>, side: Side) -> Option<Waker> {
        if self.pollers.is_none() {
            let others = self.other_pollers(shared, cx, side);
            if others.is_empty() {
                return None;
            }
            self.pollers = Some(Arc::new(Pollers::default()));
            // Both tasks register with the pair.
            others.into_iter().for_each(Waker::wake);
        }
        let pollers = self.pollers.as_ref()?;
        pollers.set(side, cx.waker());
        Some(Waker::from(Arc::clone(pollers)))
    }

    /// The task that waits by polling the other side of this stream.
    fn other_pollers(&self, shared: &Shared, cx: &Context<'_>, side: Side) -> Vec<Waker> {
        match side {
            Side::Receiving if !self.socket.is_sink_waiting() => Vec::new(),
            Side::Receiving => shared.lock().wakers.waiters().others(cx.waker()),
            Side::Sending => shared.lock().wakers.other_receiver(cx.waker()).into_iter().collect(),
        }
    }
}
