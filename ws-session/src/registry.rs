//! The connections of a server, and its shutdown.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ws_proto::{CloseCode, CloseFrame, Timestamp};

use crate::shared::{Shared, set_waker, wake};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// The open connections, the opening handshakes in progress, and the state of a shutdown.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<u64, Arc<Shared>>,
    /// The opening handshakes in progress.
    handshakes: BTreeMap<u64, PendingHandshake>,
    next_handshake: u64,
    /// The number of them for each address.
    sources: BTreeMap<IpAddr, usize>,
    /// The number of them that were told to make room.
    displaced: usize,
    /// The number of them that will become connections.
    admitted: usize,
    shutting_down: bool,
    /// The waker of the server's own task, and the condition it waits for.
    server: Option<(Awaited, Waker)>,
}

#[derive(Debug)]
struct PendingHandshake {
    /// The time at which it began, by the server's timer.
    since: Timestamp,
    /// The address for which it counts.
    source: Option<IpAddr>,
    /// Whether the client has sent anything, apart from TLS.
    heard: bool,
    /// Whether it will become a connection.
    admitted: bool,
    /// Whether it was told to make room.
    displaced: bool,
    /// The waker of its task, for a shutdown and for making room.
    waker: Option<Waker>,
}

impl PendingHandshake {
    /// Whether it waits for its client, and so can make room for another.
    fn waits(&self) -> bool {
        !self.admitted && !self.displaced
    }
}

/// A condition that a server waits for. It is not woken for anything else.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Awaited {
    /// Fewer handshakes in progress than this, or a shutdown.
    Slot(usize),
    /// Fewer handshakes from this address in progress than this, or a shutdown.
    SlotOf(IpAddr, usize),
    /// A shutdown.
    Shutdown,
    /// No connections and no handshakes are left.
    Idle,
}

impl State {
    fn has_come(&self, awaited: Awaited) -> bool {
        match awaited {
            Awaited::Slot(limit) => self.handshakes.len() < limit || self.shutting_down,
            Awaited::SlotOf(source, limit) => self.handshakes_of(source) < limit || self.shutting_down,
            Awaited::Shutdown => self.shutting_down,
            Awaited::Idle => self.open.is_empty() && self.handshakes.is_empty(),
        }
    }

    fn handshakes_of(&self, source: IpAddr) -> usize {
        self.sources.get(&source).copied().unwrap_or(0)
    }

    /// The server's waker, if its condition holds.
    fn server_waker(&mut self) -> Option<Waker> {
        let (awaited, _) = self.server.as_ref()?;
        if self.has_come(*awaited) { self.server.take().map(|(_, waker)| waker) } else { None }
    }

    /// Removes a handshake that has ended or has become a connection.
    fn end_handshake(&mut self, id: u64) {
        let Some(handshake) = self.handshakes.remove(&id) else { return };
        self.admitted -= usize::from(handshake.admitted);
        self.displaced -= usize::from(handshake.displaced);
        if let Some(source) = handshake.source
            && let Some(count) = self.sources.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
    }

    /// The handshakes that wait for their clients, the oldest first. Empty while one is still making room.
    fn waiting(&self) -> impl Iterator<Item = (u64, &PendingHandshake)> {
        let all = self.handshakes.iter().filter(|_| self.displaced == 0);
        all.filter(|(_, handshake)| handshake.waits()).map(|(&id, handshake)| (id, handshake))
    }

    /// Tells a handshake to make room. Returns the waker of its task.
    fn displace(&mut self, id: u64) -> Option<Waker> {
        let handshake = self.handshakes.get_mut(&id)?;
        handshake.displaced = true;
        self.displaced += 1;
        handshake.waker.take()
    }
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of open connections.
    pub(crate) fn open_connections(&self) -> usize {
        self.lock().open.len()
    }

    /// Counts an opening handshake, also for its address if it has one, until the guard is dropped.
    pub(crate) fn begin_handshake(self: &Arc<Self>, source: Option<IpAddr>, since: Timestamp) -> HandshakeGuard {
        let mut state = self.lock();
        state.next_handshake += 1;
        let id = state.next_handshake;
        let handshake =
            PendingHandshake { since, source, heard: false, admitted: false, displaced: false, waker: None };
        state.handshakes.insert(id, handshake);
        if let Some(source) = source {
            *state.sources.entry(source).or_default() += 1;
        }
        HandshakeGuard { registry: Arc::clone(self), id }
    }

    /// The number of opening handshakes that count for this address.
    pub(crate) fn handshakes_of(&self, source: IpAddr) -> usize {
        self.lock().handshakes_of(source)
    }

    /// The time at which the oldest handshake began that waits for its client. `None` while one is still making room.
    pub(crate) fn oldest_waiting(&self) -> Option<Timestamp> {
        self.lock().waiting().next().map(|(_, handshake)| handshake.since)
    }

    /// Makes room by a handshake that has waited for its client for this time: the oldest without any input, otherwise the
    /// oldest. Returns whether there is one.
    pub(crate) fn displace(&self, now: Timestamp, grace: Duration) -> bool {
        let mut state = self.lock();
        let due = || state.waiting().take_while(|(_, handshake)| handshake.since + grace <= now);
        let silent = due().find(|(_, handshake)| !handshake.heard);
        let Some(id) = silent.or_else(|| due().next()).map(|(id, _)| id) else { return false };
        let waker = state.displace(id);
        drop(state);
        wake(waker);
        true
    }

    /// Makes room by the oldest handshake from this address that has waited for its client for this time. Returns whether
    /// there is one.
    pub(crate) fn displace_one_of(&self, source: IpAddr, now: Timestamp, grace: Duration) -> bool {
        let mut state = self.lock();
        let is_one = |handshake: &PendingHandshake| handshake.source == Some(source) && handshake.waits();
        let oldest = state.handshakes.iter().find(|(_, handshake)| is_one(handshake));
        let Some(id) = oldest.filter(|(_, oldest)| oldest.since + grace <= now).map(|(&id, _)| id) else {
            return false;
        };
        let waker = state.displace(id);
        drop(state);
        wake(waker);
        true
    }

    /// Counts an open connection until the guard is dropped. If the server is shutting down, the connection is closed at
    /// once.
    pub(crate) fn enter(self: &Arc<Self>, connection: &Arc<Shared>, handshake: HandshakeGuard) -> OpenGuard {
        let id = connection.info.id;
        let mut state = self.lock();
        state.end_handshake(handshake.id);
        let stopped = state.shutting_down.then_some(connection);
        state.open.insert(id, Arc::clone(connection));
        drop(state);
        drop(handshake);
        stopped.into_iter().for_each(close);
        OpenGuard { registry: Arc::clone(self), id }
    }

    /// Starts the shutdown: closes all open connections with 1001, and lets no more in.
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
        let open: Vec<_> = self.lock().open.values().cloned().collect();
        open.iter().for_each(|connection| connection.abort());
    }

    /// Lets the server's own task wait here, until the guard is dropped.
    pub(crate) fn serving(&self) -> ServingGuard<'_> {
        ServingGuard { registry: self }
    }

    /// Ready when the server's condition holds.
    pub(crate) fn poll(&self, awaited: Awaited, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.has_come(awaited) {
            return Poll::Ready(());
        }
        let replaced = state.server.replace((awaited, cx.waker().clone()));
        // Dropping it may drop a task and everything it holds.
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

fn close(connection: &Arc<Shared>) {
    connection.close(CloseFrame::new(CloseCode::GOING_AWAY, "server shutdown"));
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

/// An opening handshake in progress.
#[derive(Debug)]
pub(crate) struct HandshakeGuard {
    registry: Arc<Registry>,
    id: u64,
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

    fn poll_until(&self, cx: &mut Context<'_>, has_come: impl FnOnce(&State, &PendingHandshake) -> bool) -> Poll<()> {
        let mut state = self.registry.lock();
        if state.handshakes.get(&self.id).is_some_and(|handshake| has_come(&state, handshake)) {
            return Poll::Ready(());
        }
        let replaced = state.handshakes.get_mut(&self.id).map(|handshake| set_waker(&mut handshake.waker, cx));
        // Dropping it may drop a task and everything it holds.
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Records that the client has begun its request.
    pub(crate) fn hear(&self) {
        if let Some(handshake) = self.registry.lock().handshakes.get_mut(&self.id) {
            handshake.heard = true;
        }
    }

    /// Whether the server has room for one more connection. If so, the place is reserved.
    pub(crate) fn admit(&self, max_connections: Option<usize>) -> bool {
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

/// An open connection.
#[derive(Debug)]
pub(crate) struct OpenGuard {
    registry: Arc<Registry>,
    id: u64,
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
