//! A clock that moves when a test says so, and never otherwise: what waits for a deadline then waits for ever.

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ws_session::{Timer, Timestamp};

/// The time of a scenario. It is no concern of the schedule: its lock is an ordinary one, held for no longer than it
/// takes to look.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Timestamp,
    /// The alarm of each timer.
    alarms: Vec<Option<(Timestamp, Waker)>>,
}

impl Clock {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn timer(&self) -> Alarm {
        let mut state = self.lock();
        state.alarms.push(None);
        Alarm { clock: self.clone(), index: state.alarms.len() - 1 }
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.now = state.now + by;
        let now = state.now;
        let is_due = |alarm: &mut (Timestamp, Waker)| alarm.0 <= now;
        let due: Vec<_> = state.alarms.iter_mut().filter_map(|alarm| alarm.take_if(is_due)).collect();
        drop(state);
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

pub(crate) struct Alarm {
    clock: Clock,
    index: usize,
}

impl Timer for Alarm {
    fn now(&self) -> Timestamp {
        self.clock.lock().now
    }

    fn poll_at(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        let mut state = self.clock.lock();
        let is_due = deadline <= state.now;
        state.alarms[self.index] = (!is_due).then(|| (deadline, cx.waker().clone()));
        if is_due { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.clock.lock().alarms[self.index] = None;
    }
}
