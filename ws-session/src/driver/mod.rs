//! The one loop that moves bytes.

mod broken;
mod deadlines;
mod leaving;
mod owning;
mod reading;
mod run;
mod slot;
mod spawned;
mod step;
mod writing;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ws_proto::Timestamp;

use self::broken::Broken;
use self::reading::Unread;
use self::slot::Slot;
pub(crate) use self::step::Progress;
use crate::logging::Tap;
use crate::memory::recycle::StoreGuard;
use crate::memory::scratch;
use crate::shared::Shared;
use crate::transport::{Timer, Transport};

/// How many reads one poll does before other tasks get their turn.
const READS_PER_POLL: usize = 4;

/// Moves bytes between a transport and a connection, and keeps its deadlines, until the connection has ended.
///
/// It is a future to be spawned beside whoever holds the [`WebSocket`](crate::WebSocket); a server uses
/// [`run`](Self::run) instead, to have it in the handler's own task.
///
/// Dropping it never waits. It writes what is queued and a Close frame with 1001 behind that, as far as the transport
/// takes them at once, and drops the transport. So a runtime that drops its tasks when it ends, as tokio does, sends
/// what [`send`](crate::Sender::send) has said `Ok` to.
pub struct Driver<T: Transport, C: Timer> {
    transport: Slot<T>,
    timer: C,
    shared: Arc<Shared>,
    /// Input that was read and that the application has not had room for. On the heap: most of the time there is none.
    unread: Option<Box<Unread>>,
    /// When reading last stopped for the application to take messages.
    paused_at: Timestamp,
    /// The deadline that the timer is set to.
    armed: Option<(Timestamp, Waker)>,
    /// Whether this poll has done its share of work, and whether the next step is the first of a poll.
    is_spent: bool,
    is_new_poll: bool,
    /// Whether a deadline that ends the connection was noticed late, and waits for what the timer is set to.
    looks_again: bool,
    /// Whether there is nothing left to read.
    read_ended: bool,
    /// Whether the write side has ended, or has failed.
    is_shut_down: bool,
    /// Whether the transport stays when the connection has ended, so that its end has to be told.
    keeps_transport: bool,
    /// Whether the connection has ended and the last step has been done.
    has_ended: bool,
    /// Whether the transport may hold back what it took.
    needs_flush: bool,
    /// Since when the transport has taken nothing, while it is full;
    full_since: Option<Timestamp>,
    /// and how many unsent bytes it may hold, until it has been told.
    notsent_lowat: Option<u32>,
    /// How the transport failed. What had come before can still be taken.
    broken: Option<Box<Broken>>,
    /// Where frames are logged.
    tap: Option<Box<Tap>>,
    /// While it lives, the memory of long messages is kept to be used again.
    _keeper: StoreGuard,
}

impl<T: Transport, C: Timer> Driver<T, C> {
    /// `unread` is what was read behind the opening handshake; its buffer goes, unless there is something in it.
    pub(crate) fn new(
        transport: T,
        timer: C,
        shared: Arc<Shared>,
        unread: Vec<u8>,
        notsent_lowat: Option<u32>,
    ) -> Self {
        scratch::prepare();
        let mut tap = Tap::new(shared.info.id);
        if let Some(tap) = &mut tap {
            tap.received(&unread);
        }
        Self {
            transport: Slot::new(transport),
            timer,
            shared,
            unread: Unread::new(unread),
            paused_at: Timestamp::ZERO,
            armed: None,
            is_spent: false,
            is_new_poll: true,
            looks_again: false,
            read_ended: false,
            is_shut_down: false,
            keeps_transport: false,
            has_ended: false,
            needs_flush: false,
            full_since: None,
            notsent_lowat,
            broken: None,
            tap,
            _keeper: StoreGuard::new(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// A poll begins, with a share of work of its own.
    pub(crate) fn begin_poll(&mut self) {
        self.is_new_poll = true;
    }

    /// Whether this poll has done its share of work: other tasks are to get their turn.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// Whether the connection has ended and the transport can go.
    pub(crate) fn is_done(&self) -> bool {
        self.shared.lock().lifecycle.is_gone()
    }
}

impl<T: Transport + Unpin, C: Timer + Unpin> Future for Driver<T, C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let shared = Arc::clone(&driver.shared);
        driver.begin_poll();
        for round in 1..=READS_PER_POLL {
            match driver.step_alone(&shared, cx, round < READS_PER_POLL) {
                Progress::Made if driver.is_spent => break,
                Progress::Made => {}
                Progress::Blocked => return Poll::Pending,
                Progress::Done => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T: Transport, C: Timer> Drop for Driver<T, C> {
    /// With the transport gone, nobody is left waiting for it.
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        if state.lifecycle.is_gone() {
            return;
        }
        if !self.transport.is_empty() {
            self.leave(&mut state);
        }
        let id = shared.info.id;
        state.abort(id);
        let _waker = state.on_gone(id);
        let due = state.due(None);
        drop(state);
        due.wake();
    }
}

impl<T: Transport, C: Timer> fmt::Debug for Driver<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("id", &self.shared.info.id)
            .field("read_ended", &self.read_ended)
            .field("is_shut_down", &self.is_shut_down)
            .finish_non_exhaustive()
    }
}
