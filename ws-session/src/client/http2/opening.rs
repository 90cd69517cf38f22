//! [`Opening`]: a connection that one client opens, and for which others wait.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use crate::sync::{Mutex, PoisonError};

/// A connection that is being opened.
#[derive(Default)]
pub(super) struct Opening {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ended: Option<Ended>,
    waiting: Vec<Waker>,
}

/// The end of opening a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is among the shared ones.
    Added,
    /// There is none: an error, or a server that does not offer WebSocket over HTTP/2.
    Failed,
    /// The client that opened it has been dropped.
    Left,
}

impl Opening {
    /// Waits until opening has ended.
    pub(super) async fn ended(&self) -> Ended {
        let mut place = None;
        poll_fn(|cx| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(ended) = state.ended {
                return Poll::Ready(ended);
            }
            match place.and_then(|place: usize| state.waiting.get_mut(place)) {
                Some(waker) => waker.clone_from(cx.waker()),
                None => {
                    place = Some(state.waiting.len());
                    state.waiting.push(cx.waker().clone());
                }
            }
            Poll::Pending
        })
        .await
    }

    pub(super) fn end(&self, ended: Ended) {
        let waiting = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.ended = Some(ended);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}
