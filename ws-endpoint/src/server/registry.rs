//! The connections a server has, and its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ws_proto::{CloseCode, CloseFrame};

use crate::sender::Sender;
use crate::shared::wake;
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Who is connected, who is about to be, and whether the server is shutting down.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<u64, Sender>,
    /// The opening handshakes under way, and who is to be told when the server shuts down.
    handshakes: BTreeMap<u64, Option<Waker>>,
    next_handshake: u64,
    /// Those of them that are to become connections.
    admitted: BTreeSet<u64>,
    shutting_down: bool,
    /// Who waits for any of it to change.
    waiters: Vec<Waker>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many connections are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.lock().open.len()
    }

    /// Counts an opening handshake until the guard goes.
    pub(crate) fn begin_handshake(self: &Arc<Self>) -> HandshakeGuard {
        let mut state = self.lock();
        state.next_handshake += 1;
        let id = state.next_handshake;
        state.handshakes.insert(id, None);
        HandshakeGuard { registry: Arc::clone(self), id }
    }

    /// Enters an open connection, whose handshake is over, until the guard goes. When the server is shutting down it is
    /// closed at once.
    pub(crate) fn enter(self: &Arc<Self>, sender: Sender, handshake: HandshakeGuard) -> OpenGuard {
        let id = sender.id();
        let mut state = self.lock();
        state.admitted.remove(&handshake.id);
        let stopped = state.shutting_down.then(|| sender.clone());
        state.open.insert(id, sender);
        drop(state);
        drop(handshake);
        stopped.iter().for_each(close);
        OpenGuard { registry: Arc::clone(self), id }
    }

    /// Accepts no more, and closes all that is open with 1001.
    pub(crate) fn shut_down(&self) {
        let mut state = self.lock();
        state.shutting_down = true;
        let open: Vec<_> = state.open.values().cloned().collect();
        let waiters = std::mem::take(&mut state.waiters);
        let handshakes: Vec<_> = state.handshakes.values_mut().filter_map(Option::take).collect();
        drop(state);
        open.iter().for_each(close);
        wake(waiters);
        wake(handshakes);
    }

    /// Drops the connections and handlers that are left.
    pub(crate) fn abort(&self) {
        let senders: Vec<_> = self.lock().open.values().cloned().collect();
        senders.iter().for_each(|sender| sender.shared.abort());
    }

    /// Ready when fewer than `limit` handshakes are under way, or the server is shutting down.
    pub(crate) fn poll_handshake_slot(&self, limit: usize, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, |state| state.handshakes.len() < limit || state.shutting_down)
    }

    /// Ready when the server is shutting down.
    pub(crate) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, |state| state.shutting_down)
    }

    /// Ready when nobody is connected or about to be.
    pub(crate) fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, |state| state.open.is_empty() && state.handshakes.is_empty())
    }

    fn poll_until(&self, cx: &mut Context<'_>, is_so: impl FnOnce(&State) -> bool) -> Poll<()> {
        let mut state = self.lock();
        if is_so(&state) {
            return Poll::Ready(());
        }
        if !state.waiters.iter().any(|waiter| waiter.will_wake(cx.waker())) {
            state.waiters.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        wake(waiters);
    }
}

fn close(sender: &Sender) {
    sender.shared.close(CloseFrame::new(CloseCode::GOING_AWAY, "server shutdown"));
}

/// An opening handshake under way.
#[derive(Debug)]
pub(crate) struct HandshakeGuard {
    registry: Arc<Registry>,
    id: u64,
}

impl HandshakeGuard {
    /// Ready when the server is shutting down.
    pub(super) fn poll_stopped(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.registry.lock();
        if state.shutting_down {
            return Poll::Ready(());
        }
        state.handshakes.insert(self.id, Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Whether the server has room for this one, which is kept for it then.
    pub(super) fn admit(&self, max_connections: Option<usize>) -> bool {
        let mut state = self.registry.lock();
        let taken = state.open.len() + state.admitted.len();
        let admitted = !state.shutting_down && max_connections.is_none_or(|most| taken < most);
        if admitted {
            state.admitted.insert(self.id);
        }
        admitted
    }
}

impl Drop for HandshakeGuard {
    fn drop(&mut self) {
        self.registry.change(|state| {
            state.handshakes.remove(&self.id);
            state.admitted.remove(&self.id);
        });
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct OpenGuard {
    registry: Arc<Registry>,
    id: u64,
}

impl OpenGuard {
    /// Which connection it is.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        let mut gone = None;
        self.registry.change(|state| gone = state.open.remove(&self.id));
    }
}
