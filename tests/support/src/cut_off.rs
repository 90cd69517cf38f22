//! Futures that are not waited for to the end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Polls `future` `polls` times at most, and then drops it: right after it said that it is not ready, or when it has been
/// woken and would be polled again. `None` when that was before it was ready.
pub async fn cut_off<F: Future>(future: F, polls: usize, when_woken: bool) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|cx| {
        if polled >= polls {
            return Poll::Ready(None);
        }
        polled += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if polled >= polls && !when_woken => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
