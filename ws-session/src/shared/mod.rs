//! The state that a connection's handles and its driver share under one lock: the core, the lifecycle, the waiting messages
//! and the waiting tasks.

mod handles;
pub(crate) mod inbound;
mod incoming;
mod key;
mod lifecycle;
mod mailbox;
mod pings;
mod state;
mod streamed;
mod unwanted;
mod waiting;
mod wakers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tracing::info;
use ws_proto::{CloseFrame, Connection};

pub(crate) use self::handles::{Handles, Spawned};
use self::inbound::InboundLimits;
pub(crate) use self::key::Key;
use self::lifecycle::Lifecycle;
use self::mailbox::Mailbox;
use self::pings::Pings;
pub use self::pings::RoundTrip;
pub(crate) use self::state::State;
pub use self::unwanted::Unwanted;
pub(crate) use self::waiting::Waiting;
use self::wakers::Wakers;
pub(crate) use self::wakers::{Due, Replaced, set as set_waker, wake};
use crate::info::{Caller, ConnectionInfo, HandshakeInfo, OpenedAt};
use crate::logging::TARGET;
use crate::memory::supplied;
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// One connection, as its handles and its driver see it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) info: ConnectionInfo,
    pub(crate) handles: Handles,
    /// Whether the handler must be dropped too.
    handler_cancelled: AtomicBool,
    state: Mutex<State>,
}

impl Shared {
    /// `path` is for the log of a server. A client's caller knows the path.
    pub(crate) fn new(
        id: u64,
        mut connection: Connection,
        inbound_limits: InboundLimits,
        opening: HandshakeInfo,
        path: Option<&str>,
        caller: Caller,
    ) -> Arc<Self> {
        // The mailbox holds messages, so those that arrive just before a Close can still be answered.
        connection.hooks().set_hold_close(true);
        connection.set_memory(Some(supplied()));
        let (peer, client) = (caller.peer(), caller.client());
        info!(target: TARGET, id, peer, client, path, subprotocol = opening.subprotocol.as_deref(), "connection open");
        Arc::new(Self {
            info: ConnectionInfo { id, opened_at: OpenedAt::now(), opening },
            handles: Handles::default(),
            handler_cancelled: AtomicBool::new(false),
            state: Mutex::new(State {
                connection,
                caller,
                lifecycle: Lifecycle::default(),
                mailbox: Mailbox::new(inbound_limits),
                wakers: Wakers::default(),
                pings: Pings::default(),
                flushed: 0,
            }),
        })
    }

    /// Locks the state. Poisoning is ignored: only code of the core and of a transport runs under the lock, so a panic leaves
    /// the state valid.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of `ready`. Without one, `waiting` wakes the task when its condition may hold.
    pub(crate) fn poll_until<R>(
        &self,
        waiting: &mut Waiting,
        cx: &mut Context<'_>,
        ready: impl FnOnce(&mut State) -> Option<R>,
    ) -> Poll<R> {
        let mut state = self.lock();
        match ready(&mut state) {
            Some(result) => {
                waiting.leave(state.wakers.waiters());
                Poll::Ready(result)
            }
            None => {
                waiting.wait(state.wakers.waiters(), cx.waker());
                Poll::Pending
            }
        }
    }

    /// Requests the closing handshake, unless it has begun. Returns whether this is the first request, and the connection was
    /// open.
    pub(crate) fn close(&self, frame: CloseFrame) -> bool {
        let mut state = self.lock();
        let was_open = !state.is_closing();
        let is_first = state.lifecycle.close(frame);
        if is_first {
            // A task that waits for room must learn that there will be none.
            state.wakers.announce();
        }
        let due = state.due(None);
        let driver = state.wakers.driver();
        drop(state);
        wake(driver);
        due.wake();
        is_first && was_open
    }

    /// Removes a handle. The last one wakes the driver. If the driver may never run again, each handle writes the outgoing
    /// queue.
    pub(crate) fn drop_handle(&self) {
        let is_last = self.handles.remove();
        let spawned = self.handles.spawned();
        if !is_last && spawned.is_none() {
            return;
        }
        let mut state = self.lock();
        let is_due = is_last || !state.connection.outgoing().is_empty();
        let driver = if is_last && spawned.is_none() { state.wakers.driver() } else { None };
        drop(state);
        wake(driver);
        if let Some(spawned) = spawned
            && is_due
            && !spawned.hasten()
        {
            let driver = self.lock().wakers.take_driver();
            wake(driver);
        }
    }

    /// Whether the handler must be dropped.
    pub(crate) fn is_handler_cancelled(&self) -> bool {
        self.handler_cancelled.load(Ordering::Acquire)
    }

    /// Aborts the connection without a Close frame, and has its handler dropped.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        state.abort(self.info.id);
        self.handler_cancelled.store(true, Ordering::Release);
        let driver = state.wakers.take_driver();
        drop(state);
        wake(driver);
    }
}
