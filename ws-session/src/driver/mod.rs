//! [`Driver`]: the loop that moves bytes.

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
use crate::registry::{OpenGuard, Registry};
use crate::shared::Shared;
use crate::transport::{Timer, Transport};

/// The most reads in one poll, so that other tasks get their turn.
const READS_PER_POLL: usize = 4;

/// Moves bytes between a transport and a connection, and keeps its deadlines, until the connection has ended.
///
/// It is a future to be spawned as a task beside the [`WebSocket`](crate::WebSocket). A server uses [`run`](Self::run)
/// instead, which runs it in the handler's own task.
///
/// Dropping it never waits. It writes the outgoing queue and a Close frame with 1001 as far as the transport takes them at
/// once, and drops the transport. So on a runtime that drops its tasks when it ends, as tokio does, messages are written for
/// which [`send`](crate::Sender::send) has returned `Ok`.
pub struct Driver<T: Transport, C: Timer> {
    transport: Slot<T>,
    timer: C,
    shared: Arc<Shared>,
    /// Input that was read and for which the inbound queue had no room. Boxed, because there is rarely any.
    unread: Option<Box<Unread>>,
    /// The time at which reading last stopped because the inbound queue was full.
    paused_at: Timestamp,
    /// The time at which the connection is closed, because it has lived for long enough.
    expires_at: Option<Timestamp>,
    /// The deadline that the timer is set to.
    armed: Option<(Timestamp, Waker)>,
    /// Whether this poll has done its share of work, and whether the next step is the first of a poll.
    is_spent: bool,
    is_new_poll: bool,
    /// Whether the last read of this poll brought an expected long message and nothing behind it.
    is_drained: bool,
    /// Whether a deadline that ends the connection was noticed late, and is judged when the timer expires.
    looks_again: bool,
    /// Whether the input has ended.
    read_ended: bool,
    /// Whether the write side has ended, or has failed.
    is_shut_down: bool,
    /// Whether the transport stays when the connection has ended, so that it must be shut down.
    keeps_transport: bool,
    /// Whether the connection has ended and the last step has been done.
    has_ended: bool,
    /// Whether the transport may need a flush.
    needs_flush: bool,
    /// The time since which the full transport has taken nothing.
    full_since: Option<Timestamp>,
    /// The limit of unsent bytes, until it has been set on the transport.
    notsent_lowat: Option<u32>,
    /// The failure of the transport. Input from before can still be received.
    broken: Option<Box<Broken>>,
    /// The log of frames.
    tap: Option<Box<Tap>>,
    /// The server that counts the connection until the driver is dropped. Its ID is known by `shared`, which saves a guard's
    /// second word.
    registry: Option<Arc<Registry>>,
    /// While it lives, the memory of long messages is kept for reuse.
    _keeper: StoreGuard,
}

impl<T: Transport, C: Timer> Driver<T, C> {
    /// `unread` are the bytes that were read after the opening handshake. An empty buffer is dropped.
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
            expires_at: None,
            armed: None,
            is_spent: false,
            is_new_poll: true,
            is_drained: false,
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
            registry: None,
            _keeper: StoreGuard::new(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Has a server count the connection, which has entered its registry, until the driver is dropped.
    pub(crate) fn set_registry(&mut self, registry: Arc<Registry>) {
        self.registry = Some(registry);
    }

    /// Sets the time at which the connection is closed, because it has lived for long enough.
    pub(crate) fn set_lifetime(&mut self, expires_at: Option<Timestamp>) {
        self.expires_at = expires_at;
    }

    /// The guard by which a server counts the connection. The driver no longer holds it.
    fn take_guard(&mut self) -> Option<OpenGuard> {
        self.registry.take().map(|registry| OpenGuard::new(registry, Arc::clone(&self.shared)))
    }

    /// Begins a poll, with a new share of work.
    pub(crate) fn begin_poll(&mut self) {
        self.is_new_poll = true;
        self.is_drained = false;
    }

    /// Whether this poll has done its share of work, so that other tasks get their turn.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// Whether the connection has ended and the transport can be dropped.
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
    /// Ends the waits for the transport, which is dropped.
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        let _counted = self.take_guard();
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
