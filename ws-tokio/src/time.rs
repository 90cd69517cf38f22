//! tokio's clock and timer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};
use ws_session::{Timer, Timestamp};

/// tokio's clock and one timer, which is created when it is first needed. It follows tokio's paused time in tests.
#[derive(Debug)]
pub struct TokioTimer {
    origin: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl TokioTimer {
    /// A timer whose origin is now.
    pub fn new() -> Self {
        Self { origin: Instant::now(), sleep: None }
    }
}

impl Default for TokioTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl Timer for TokioTimer {
    fn now(&self) -> Timestamp {
        Timestamp::new(self.origin.elapsed())
    }

    fn poll_at(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        // A deadline beyond the range of `Instant` never comes.
        let Some(deadline) = self.origin.checked_add(deadline.since_origin()) else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}
