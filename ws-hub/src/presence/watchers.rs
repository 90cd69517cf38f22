//! [`Watchers`]: who is told of changes of the members.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use super::{Member, PresenceEvent};

/// Events that wait for one watcher. Above it, it gets all members anew instead.
const BOUND: usize = 1000;

/// The watchers of a topic.
#[derive(Default)]
pub(crate) struct Watchers {
    list: Vec<Weak<Mutex<Queue>>>,
    /// The number at which those that are gone are removed next.
    sweep_at: usize,
}

/// One of the [`Watchers`], until it is dropped.
pub(crate) struct Watcher(Arc<Mutex<Queue>>);

struct Queue {
    events: VecDeque<PresenceEvent>,
    /// The next event is to be all members.
    is_behind: bool,
    waker: Option<Waker>,
}

impl Watchers {
    /// A watcher, whose first event are all members.
    pub(crate) fn add(&mut self) -> Watcher {
        let queue = Queue { events: VecDeque::new(), is_behind: true, waker: None };
        let queue = Arc::new(Mutex::new(queue));
        if self.list.len() >= self.sweep_at.max(16) {
            self.list.retain(|watcher| watcher.strong_count() > 0);
            self.sweep_at = self.list.len() * 2;
        }
        self.list.push(Arc::downgrade(&queue));
        Watcher(queue)
    }

    /// Tells all watchers.
    pub(crate) fn tell(&mut self, events: &[PresenceEvent]) {
        if events.is_empty() {
            return;
        }
        self.list.retain(|watcher| {
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

impl Watcher {
    /// The next event. `members` are all there are now; they must not change meanwhile.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, members: impl FnOnce() -> Vec<Member>) -> Poll<PresenceEvent> {
        let mut queue = lock(&self.0);
        if std::mem::take(&mut queue.is_behind) {
            return Poll::Ready(PresenceEvent::Members(members()));
        }
        if let Some(event) = queue.events.pop_front() {
            return Poll::Ready(event);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
