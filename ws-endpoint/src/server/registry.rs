//! The connections a server has, and its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ws_proto::{CloseCode, CloseFrame};

use crate::sender::Sender;
use crate::shared::{set_waker, wake};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Who is connected, who is about to be, and whether the server is shutting down.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<u64, Sender>,
    /// The opening handshakes under way.
    handshakes: BTreeMap<u64, Handshake>,
    next_handshake: u64,
    /// How many of them are to become connections.
    admitted: usize,
    shutting_down: bool,
    /// The server's own task, and what it waits for.
    server: Option<(Awaited, Waker)>,
}

#[derive(Debug, Default)]
struct Handshake {
    /// Whether it is to become a connection.
    admitted: bool,
    /// Who is to be told when the server shuts down.
    waker: Option<Waker>,
}

/// What a server waits for. It is woken for nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Awaited {
    /// Fewer handshakes under way than this, or its end.
    Slot(usize),
    /// Its end.
    Shutdown,
    /// That nobody is connected or about to be.
    Idle,
}

impl State {
    fn has_come(&self, awaited: Awaited) -> bool {
        match awaited {
            Awaited::Slot(limit) => self.handshakes.len() < limit || self.shutting_down,
            Awaited::Shutdown => self.shutting_down,
            Awaited::Idle => self.open.is_empty() && self.handshakes.is_empty(),
        }
    }

    /// The server's waker, when what it waits for has come.
    fn server_waker(&mut self) -> Option<Waker> {
        let (awaited, _) = self.server.as_ref()?;
        if self.has_come(*awaited) { self.server.take().map(|(_, waker)| waker) } else { None }
    }

    /// The handshake is over, or a connection.
    fn end_handshake(&mut self, id: u64) {
        if self.handshakes.remove(&id).is_some_and(|handshake| handshake.admitted) {
            self.admitted -= 1;
        }
    }
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
        state.handshakes.insert(id, Handshake::default());
        HandshakeGuard { registry: Arc::clone(self), id }
    }

    /// Enters an open connection, whose handshake is over, until the guard goes. When the server is shutting down it is
    /// closed at once.
    pub(crate) fn enter(self: &Arc<Self>, sender: Sender, handshake: HandshakeGuard) -> OpenGuard {
        let id = sender.id();
        let mut state = self.lock();
        state.end_handshake(handshake.id);
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
        let server = state.server_waker();
        let handshakes: Vec<_> = state.handshakes.values_mut().filter_map(|handshake| handshake.waker.take()).collect();
        drop(state);
        open.iter().for_each(close);
        wake(server);
        wake(handshakes);
    }

    /// Drops the connections and handlers that are left.
    pub(crate) fn abort(&self) {
        let senders: Vec<_> = self.lock().open.values().cloned().collect();
        senders.iter().for_each(|sender| sender.shared.abort());
    }

    /// While this is held, the server's own task may wait here; then it is forgotten.
    pub(crate) fn serving(&self) -> ServingGuard<'_> {
        ServingGuard { registry: self }
    }

    /// Ready when what the server waits for has come.
    pub(crate) fn poll(&self, awaited: Awaited, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.has_come(awaited) {
            return Poll::Ready(());
        }
        let replaced = state.server.replace((awaited, cx.waker().clone()));
        // Dropping it may drop a task and what that holds.
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let server = state.server_waker();
        drop(state);
        wake(server);
    }
}

fn close(sender: &Sender) {
    sender.shared.close(CloseFrame::new(CloseCode::GOING_AWAY, "server shutdown"));
}

/// A server that accepts connections or waits for their end.
#[derive(Debug)]
pub(crate) struct ServingGuard<'a> {
    registry: &'a Registry,
}

impl Drop for ServingGuard<'_> {
    fn drop(&mut self) {
        let forgotten = self.registry.lock().server.take();
        drop(forgotten);
    }
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
        let replaced = state.handshakes.get_mut(&self.id).and_then(|handshake| set_waker(&mut handshake.waker, cx));
        // Dropping it may drop a task and what that holds.
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Whether the server has room for this one, which is kept for it then.
    pub(super) fn admit(&self, max_connections: Option<usize>) -> bool {
        let mut state = self.registry.lock();
        let taken = state.open.len() + state.admitted;
        let has_room = !state.shutting_down && max_connections.is_none_or(|most| taken < most);
        if has_room && let Some(handshake) = state.handshakes.get_mut(&self.id) {
            handshake.admitted = true;
            state.admitted += 1;
        }
        has_room
    }
}

impl Drop for HandshakeGuard {
    fn drop(&mut self) {
        self.registry.change(|state| state.end_handshake(self.id));
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

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_server_that_is_gone_is_not_held_by_who_watches_it() {
        let (registry, task) = (Registry::default(), Arc::new(Task));
        let waker = Waker::from(Arc::clone(&task));
        let serving = registry.serving();
        assert!(registry.poll(Awaited::Shutdown, &mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&task), 2);
        drop(serving);
        assert_eq!(Arc::strong_count(&task), 1);
    }
}
