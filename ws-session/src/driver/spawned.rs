//! A driver in a task of its own, for runtimes whose tasks may end with the process: its handles can reach it.
//!
//! A runtime that drops its tasks when it ends drops the driver, which then writes the outgoing queue. Other runtimes do not
//! end their threads and tasks before the process ends, and a driver that was woken may never run again. There, a dropped
//! handle does the next work of the driver's task.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tracing::{Instrument, Span, info_span};

use super::Driver;
use crate::logging::TARGET;
use crate::runtime::Runtime;
use crate::shared::Spawned;
use crate::sync::{Mutex, PoisonError};
use crate::transport::{Timer, Transport};

thread_local! {
    /// Whether this thread is within a driver that handles can reach.
    static IS_WITHIN: Cell<bool> = const { Cell::new(false) };
}

impl<T, C> Driver<T, C>
where
    T: Transport + Unpin + Send + 'static,
    C: Timer + Unpin + Send + 'static,
{
    /// Runs the driver in a task of its own.
    ///
    /// If the runtime does not drop its tasks when the program ends ([`Runtime::DROPS_TASKS`]), a dropped handle writes the
    /// outgoing queue as far as the transport takes it at once. A driver that is spawned in another way does not do that.
    pub fn spawn<R: Runtime>(self) {
        let span = self.span();
        if R::DROPS_TASKS {
            spawn_in::<R>(span, self);
            return;
        }
        let shared = Arc::clone(self.shared());
        let driver = Arc::new(Mutex::new(self));
        let weak = Arc::downgrade(&driver);
        shared.handles.set_spawned(weak);
        spawn_in::<R>(span, DriverTask { driver });
    }

    /// The span of the connection: what the driver logs is in it.
    fn span(&self) -> Span {
        let info = &self.shared().info;
        let caller = &self.shared().lock().caller;
        let (peer, client, path) = (caller.peer(), caller.client(), info.opening.heads.path());
        info_span!(target: TARGET, "websocket", id = info.id, peer, client, path)
    }
}

/// Spawns a task. A span that nobody listens to would only take memory.
fn spawn_in<R: Runtime>(span: Span, task: impl Future<Output = ()> + Send + 'static) {
    match span.is_disabled() {
        true => R::spawn(task),
        false => R::spawn(task.instrument(span)),
    }
}

/// The driver's task.
struct DriverTask<T: Transport, C: Timer> {
    driver: Arc<Mutex<Driver<T, C>>>,
}

impl<T: Transport + Unpin, C: Timer + Unpin> Future for DriverTask<T, C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = within(&self.driver, |driver| match driver.is_done() {
            true => Poll::Ready(()),
            false => Pin::new(driver).poll(cx),
        });
        // A driver polls no other.
        polled.unwrap_or(Poll::Pending)
    }
}

impl<T: Transport + Send, C: Timer + Send> Spawned for Mutex<Driver<T, C>> {
    fn hasten(&self) -> bool {
        within(self, Driver::hasten).is_some()
    }
}

/// Locks a driver, unless this thread is within one. A waker that a driver calls may drop handles of that driver, and must not
/// wait for its lock then. The driver is woken for their requests.
fn within<D, R>(driver: &Mutex<D>, act: impl FnOnce(&mut D) -> R) -> Option<R> {
    struct Within;
    impl Drop for Within {
        fn drop(&mut self) {
            let _ = IS_WITHIN.try_with(|within| within.set(false));
        }
    }
    // A thread that is ending has no such flag any more, and polls no driver.
    if IS_WITHIN.try_with(|within| within.replace(true)).unwrap_or(false) {
        return None;
    }
    let _within = Within;
    let mut driver = driver.lock().unwrap_or_else(PoisonError::into_inner);
    Some(act(&mut driver))
}
