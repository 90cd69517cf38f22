//! [`Clock`]: time and tasks of the runtime that a hub was started on.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use ws_session::{Runtime, Timer, Timestamp};

use crate::tasks::Tasks;

/// Time and tasks of a runtime, whatever its type is. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Clock {
    shared: Arc<Shared>,
}

struct Shared {
    /// Whose origin all times of a hub have.
    timer: Mutex<Box<dyn Timer + Send>>,
    new_timer: fn() -> Box<dyn Timer + Send + Unpin>,
    tasks: Tasks,
}

impl Clock {
    /// Must be called within the runtime.
    pub(crate) fn new<R: Runtime>() -> Self {
        let shared = Shared {
            timer: Mutex::new(Box::new(R::timer())),
            new_timer: || Box::new(R::timer()),
            tasks: Tasks::new::<R>(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The time since the hub was started.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.timer.lock().unwrap_or_else(PoisonError::into_inner).now()
    }

    /// Spawns a task, on any thread.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared.tasks.spawn(task);
    }

    /// A future that is ready after this time.
    pub(crate) fn sleep(&self, time: Duration) -> Sleep {
        let timer = (self.shared.new_timer)();
        let deadline = timer.now() + time;
        Sleep { timer, deadline }
    }

    /// Polls a future for at most this time. A future that is ready at once needs no timer.
    pub(crate) async fn within<T>(&self, time: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        let mut sleep = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            Pin::new(sleep.get_or_insert_with(|| self.sleep(time))).poll(cx).map(|()| None)
        })
        .await
    }
}

pub(crate) struct Sleep {
    timer: Box<dyn Timer + Send + Unpin>,
    deadline: Timestamp,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        self.timer.poll_at(cx, deadline)
    }
}
