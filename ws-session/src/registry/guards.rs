//! Guards: a task that waits, an opening handshake in progress, an open connection.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::handshakes::PendingHandshake;
use super::{Awaited, HandshakeFailure, NoRoom, Observing, Quota, Registry, State};
use crate::shared::{Shared, set_waker};

/// A task that waits for a condition: a server that accepts connections, or a caller that waits for the end of a shutdown.
#[derive(Debug)]
pub(crate) struct Observer<'a> {
    pub(super) registry: &'a Registry,
    pub(super) key: u64,
}

impl Observer<'_> {
    /// Ready when the condition holds.
    pub(crate) fn poll(&self, awaited: Awaited, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.registry.lock();
        if state.has_come(awaited) {
            return Poll::Ready(());
        }
        let replaced = state.forget_observer(self.key);
        state.observers.push(Observing { key: self.key, awaited, waker: cx.waker().clone() });
        // Dropping it may drop a task and everything it holds.
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Observer<'_> {
    fn drop(&mut self) {
        let forgotten = self.registry.lock().forget_observer(self.key);
        drop(forgotten);
    }
}

/// An opening handshake in progress.
#[derive(Debug)]
pub(crate) struct HandshakeGuard {
    pub(super) registry: Arc<Registry>,
    pub(super) id: u64,
}

impl HandshakeGuard {
    /// Ready when the server is shutting down.
    pub(crate) fn poll_stopped(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, |state, _| state.shutting_down)
    }

    /// Ready when this handshake must make room for another.
    pub(crate) fn poll_displaced(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, |_, handshake| handshake.displaced)
    }

    /// Ready when the drain deadline of a shutdown has passed.
    pub(crate) fn poll_aborted(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, |state, _| state.aborted)
    }

    /// The address for which it counts.
    #[cfg(feature = "http2")]
    pub(crate) fn source(&self) -> Option<IpAddr> {
        self.registry.lock().handshakes.get(self.id)?.source
    }

    /// Turns the handshake into an open connection. It is counted until it [leaves](Registry::leave). If the server is
    /// shutting down, the connection is closed at once.
    pub(crate) fn enter(self, connection: &Arc<Shared>) -> Arc<Registry> {
        self.registry.enter(connection, self.id);
        Arc::clone(&self.registry)
    }

    fn poll_until(&self, cx: &mut Context<'_>, has_come: impl FnOnce(&State, &PendingHandshake) -> bool) -> Poll<()> {
        let mut state = self.registry.lock();
        if state.handshakes.get(self.id).is_some_and(|handshake| has_come(&state, handshake)) {
            return Poll::Ready(());
        }
        let replaced = state.handshakes.get_mut(self.id).map(|handshake| set_waker(&mut handshake.waker, cx));
        // Dropping it may drop a task and everything it holds.
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Records that the client has begun its request.
    pub(crate) fn hear(&self) {
        if let Some(handshake) = self.registry.lock().handshakes.get_mut(self.id) {
            handshake.heard = true;
        }
    }

    /// Sets whether the server is deciding on the request. Meanwhile the handshake does not wait for its client, and is not
    /// told to make room.
    pub(crate) fn set_deciding(&self, deciding: bool) {
        if let Some(handshake) = self.registry.lock().handshakes.get_mut(self.id) {
            handshake.deciding = deciding;
        }
    }

    /// Counts the handshake as failed.
    pub(crate) fn fail(&self, reason: HandshakeFailure) {
        self.registry.fail(reason);
    }

    /// Reserves a place among the connections.
    pub(crate) fn admit(&self, quota: Quota, source: Option<IpAddr>) -> Result<(), NoRoom> {
        self.registry.lock().admit(self.id, quota, source)
    }

    /// The registry that it is counted in.
    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }
}

impl Drop for HandshakeGuard {
    fn drop(&mut self) {
        self.registry.change(|state| state.end_handshake(self.id));
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct OpenGuard {
    registry: Arc<Registry>,
    connection: Arc<Shared>,
}

impl OpenGuard {
    /// The guard of a connection that has [entered](HandshakeGuard::enter).
    pub(crate) fn new(registry: Arc<Registry>, connection: Arc<Shared>) -> Self {
        Self { registry, connection }
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.registry.leave(&self.connection);
    }
}
