//! A handler and its driver in one task.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use ws_proto::{CloseCode, CloseFrame};

use super::Driver;
use super::step::Progress;
use crate::error::{HandlerError, HandlerResult};
use crate::registry::OpenGuard;
use crate::shared::Shared;
use crate::transport::{Timer, Transport};

/// The most rounds in one poll, so that other tasks get their turn.
const ROUNDS_PER_POLL: usize = 16;

impl<T: Transport + Unpin, C: Timer + Unpin> Driver<T, C> {
    /// Runs `handler` and moves the bytes of its connection, both in this task. Pings are answered and deadlines kept while
    /// the handler does something else. A message needs no pass through the scheduler.
    ///
    /// When the handler returns, the connection is closed: with 1000 after `Ok`, with 1011 after an error or a panic. The
    /// future is ready when the connection has ended.
    ///
    /// Dropping the future drops handler and transport.
    ///
    /// # Errors
    ///
    /// [`HandlerError`] if the handler failed.
    pub fn run<F>(mut self, handler: F) -> impl Future<Output = Result<(), HandlerError>>
    where
        F: Future<Output = HandlerResult>,
    {
        let guard = self.take_guard();
        Run { shared: Arc::clone(self.shared()), driver: Some(self), handler: Some(handler), result: None, guard }
    }
}

pin_project! {
    /// The future of [`Driver::run`], written by hand, because that of an `async fn` would hold driver and handler twice.
    struct Run<T: Transport, C: Timer, F> {
        shared: Arc<Shared>,
        driver: Option<Driver<T, C>>,
        #[pin]
        handler: Option<F>,
        result: Option<Result<(), HandlerError>>,
        // Its server counts the connection until the handler has returned and this future is dropped.
        guard: Option<OpenGuard>,
    }
}

impl<T, C, F> Future for Run<T, C, F>
where
    T: Transport + Unpin,
    C: Timer + Unpin,
    F: Future<Output = HandlerResult>,
{
    type Output = Result<(), HandlerError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(handler) = this.handler.as_mut().as_pin_mut() {
            let result = ready!(poll_beside(this.shared, this.driver, handler, cx));
            this.handler.set(None);
            let is_aborted = matches!(result, Err(HandlerError::Aborted));
            if is_aborted {
                *this.driver = None;
            }
            if this.driver.is_none() {
                // Dropped once the lock is released.
                let _waker = this.shared.lock().wakers.take_driver();
            }
            if !is_aborted {
                this.shared.close(match &result {
                    Ok(()) => CloseFrame::new(CloseCode::NORMAL, ""),
                    Err(_) => CloseFrame::new(CloseCode::INTERNAL_ERROR, "internal error"),
                });
            }
            *this.result = Some(result);
        }
        if let Some(driver) = this.driver {
            ready!(Pin::new(driver).poll(cx));
            *this.driver = None;
        }
        Poll::Ready(this.result.take().unwrap_or(Ok(())))
    }
}

/// Moves bytes and polls the handler in turns, until neither makes progress. The driver and its transport are dropped as soon
/// as the connection has ended, even if the handler has not returned.
fn poll_beside<T: Transport, C: Timer, F: Future<Output = HandlerResult>>(
    shared: &Shared,
    driver: &mut Option<Driver<T, C>>,
    mut handler: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), HandlerError>> {
    // The task may have been woken for the handler.
    let mut is_due = true;
    if let Some(driver) = driver {
        driver.begin_poll();
    }
    for round in 1..=ROUNDS_PER_POLL {
        let progress = match driver {
            Some(driver) => {
                let mut state = shared.lock();
                let own = cx.waker();
                let step = driver.step(&mut state, &mut Context::from_waker(own), Some(own), round < ROUNDS_PER_POLL);
                // The handler is polled after this. The next step handles its requests.
                state.wakers.set_driver_awake(is_due || step.progress == Progress::Made);
                drop(state);
                step.due.wake();
                step.progress
            }
            None => Progress::Blocked,
        };
        if progress == Progress::Done {
            *driver = None;
        }
        if progress == Progress::Blocked && !is_due {
            return Poll::Pending;
        }
        is_due = false;

        if shared.is_handler_cancelled() {
            return Poll::Ready(Err(HandlerError::Aborted));
        }
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
            Ok(Poll::Ready(result)) => return Poll::Ready(result.map_err(HandlerError::Failed)),
            Ok(Poll::Pending) => {}
            Err(panic) => return Poll::Ready(Err(HandlerError::Panicked(panic_message(&*panic)))),
        }
        if progress == Progress::Made {
            if driver.as_ref().is_some_and(Driver::is_spent) {
                break;
            }
            // The next round does the work that the handler has left.
            continue;
        }
        let mut state = shared.lock();
        state.wakers.set_driver_awake(false);
        let may_sleep = match driver {
            Some(_) => !state.has_work(),
            None => {
                // Only an abort by the server is left to wait for.
                let replaced = state.wakers.set_driver(cx);
                drop(state);
                drop(replaced);
                if shared.is_handler_cancelled() {
                    return Poll::Ready(Err(HandlerError::Aborted));
                }
                true
            }
        };
        if progress == Progress::Blocked && may_sleep {
            return Poll::Pending;
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// The message of a panic.
fn panic_message(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (_, Some(message)) => message.clone(),
        _ => "(no message)".to_owned(),
    }
}
