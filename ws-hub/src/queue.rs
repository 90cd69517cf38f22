//! [`Queue`]: a subscriber whose deliveries wait to be taken.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::options::SlowPolicy;
use crate::publication::Delivery;
use crate::subscriber::{Offer, Subscriber};
use crate::waiting::{Bound, Waiting};

/// The deliveries that wait for a subscription.
pub(crate) struct Queue {
    state: Mutex<State>,
}

struct State {
    waiting: Waiting,
    /// It was too slow: after what waits, there is nothing more.
    has_ended: bool,
    waker: Option<Waker>,
}

impl Queue {
    pub(crate) fn new(bound: Bound, policy: SlowPolicy) -> Self {
        let state = State { waiting: Waiting::new(bound, policy), has_ended: false, waker: None };
        Self { state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn try_next(&self) -> Option<Delivery> {
        self.lock().waiting.take()
    }

    /// Lets the reader that waits look again.
    #[cfg(feature = "client")]
    pub(crate) fn wake(&self) {
        let waker = self.lock().waker.take();
        waker.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let mut state = self.lock();
        if let Some(delivery) = state.waiting.take() {
            return Poll::Ready(Some(delivery));
        }
        if state.has_ended {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Subscriber for Queue {
    fn offer(&self, delivery: &Delivery) -> Offer {
        let mut state = self.lock();
        if state.has_ended {
            return Offer::Gone;
        }
        if !state.waiting.offer(delivery) {
            return Offer::Full;
        }
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Offer::Taken
    }

    fn recovered(&self, deliveries: &[Delivery]) -> Offer {
        let mut state = self.lock();
        if state.has_ended {
            return Offer::Gone;
        }
        state.waiting.add_recovered(deliveries);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Offer::Taken
    }

    fn end(&self) {
        let mut state = self.lock();
        state.has_ended = true;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}
