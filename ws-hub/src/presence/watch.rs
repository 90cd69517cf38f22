//! [`PresenceWatch`]: the members of a topic as a stream of changes.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::{Presence, PresenceEvent};

/// Events that wait for one watcher. Above it, it gets all members anew instead.
const BOUND: usize = 1000;

/// The members of a topic: first [all of them](PresenceEvent::Members), then each change. A watcher that does not take the
/// events in time gets all members anew. It is a [`Stream`], too.
#[must_use = "dropping it ends it"]
pub struct PresenceWatch {
    presence: Arc<Presence>,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<PresenceEvent>,
    /// The next event is to be all members.
    is_behind: bool,
    waker: Option<Waker>,
}

/// The watchers of a topic.
#[derive(Default)]
pub(super) struct Watchers(Vec<Weak<Mutex<Queue>>>);

impl PresenceWatch {
    pub(super) fn new(presence: Arc<Presence>) -> Self {
        let queue = Arc::new(Mutex::new(Queue { is_behind: true, ..Queue::default() }));
        presence.lock().watchers.0.push(Arc::downgrade(&queue));
        Self { presence, queue }
    }

    /// Waits for the next event. It always comes some day: a watch does not end by itself.
    ///
    /// Cancel-safe: when the future is dropped, no event is lost.
    pub async fn next(&mut self) -> PresenceEvent {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<PresenceEvent> {
        // The lock of the members first, as where events come from.
        let state = self.presence.lock();
        let mut queue = lock(&self.queue);
        if std::mem::take(&mut queue.is_behind) {
            queue.events.clear();
            return Poll::Ready(PresenceEvent::Members(state.roster.members()));
        }
        if let Some(event) = queue.events.pop_front() {
            return Poll::Ready(event);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Stream for PresenceWatch {
    type Item = PresenceEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PresenceEvent>> {
        self.poll(cx).map(Some)
    }
}

impl fmt::Debug for PresenceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceWatch").finish_non_exhaustive()
    }
}

impl Watchers {
    /// Tells all watchers.
    pub(super) fn tell(&mut self, events: &[PresenceEvent]) {
        if events.is_empty() {
            return;
        }
        self.0.retain(|watcher| {
            let Some(watcher) = watcher.upgrade() else { return false };
            let mut queue = lock(&watcher);
            if queue.events.len() + events.len() > BOUND {
                queue.is_behind = true;
                queue.events = VecDeque::new();
            }
            if !queue.is_behind {
                queue.events.extend(events.iter().cloned());
            }
            let waker = queue.waker.take();
            drop(queue);
            waker.into_iter().for_each(Waker::wake);
            true
        });
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
