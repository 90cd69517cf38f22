//! The system's clock and async-io's timer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use ws_session::{Timer, Timestamp};

/// The system's clock and one timer of [`async_io`], which is created when it is first needed.
#[derive(Debug)]
pub struct AsyncTimer {
    origin: Instant,
    alarm: Option<Alarm>,
}

/// A timer that has not expired.
#[derive(Debug)]
struct Alarm {
    deadline: Instant,
    timer: async_io::Timer,
}

impl AsyncTimer {
    /// A timer whose origin is now.
    pub fn new() -> Self {
        Self { origin: Instant::now(), alarm: None }
    }
}

impl Default for AsyncTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl Timer for AsyncTimer {
    fn now(&self) -> Timestamp {
        Timestamp::new(self.origin.elapsed())
    }

    fn poll_at(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        // A deadline beyond the range of `Instant` never comes.
        let Some(deadline) = self.origin.checked_add(deadline.since_origin()) else {
            self.alarm = None;
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| Alarm { deadline, timer: async_io::Timer::at(deadline) });
        if alarm.deadline != deadline {
            alarm.deadline = deadline;
            alarm.timer.set_at(deadline);
        }
        let rang = Pin::new(&mut alarm.timer).poll(cx).map(drop);
        if rang.is_ready() {
            // An async-io timer expires once. A later call with a deadline in the past must be ready too, so it gets a new one.
            self.alarm = None;
        }
        rang
    }
}
