//! The connections of a server, and its shutdown.

mod guards;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ws_proto::{CloseCode, CloseFrame, Timestamp};

pub(crate) use self::guards::{HandshakeGuard, Observer, OpenGuard, ServingGuard};
use crate::shared::{Shared, wake};
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
    /// Whether the drain deadline of a shutdown has passed.
    aborted: bool,
    /// The tasks that wait for the end of a shutdown, and the conditions they wait for.
    observers: BTreeMap<u64, (Awaited, Waker)>,
    next_observer: u64,
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

    /// Whether there is room for one more connection.
    fn has_room(&self, max_connections: Option<usize>) -> bool {
        let taken = self.open.len() + self.admitted;
        !self.shutting_down && max_connections.is_none_or(|most| taken < most)
    }

    fn handshakes_of(&self, source: IpAddr) -> usize {
        self.sources.get(&source).copied().unwrap_or(0)
    }

    /// The wakers of the server and of observers whose conditions hold.
    fn due(&mut self) -> (Option<Waker>, Vec<Waker>) {
        let is_due = self.server.as_ref().is_some_and(|(awaited, _)| self.has_come(*awaited));
        let server = if is_due { self.server.take().map(|(_, waker)| waker) } else { None };
        if self.observers.is_empty() {
            return (server, Vec::new());
        }
        let due: Vec<u64> =
            self.observers.iter().filter(|(_, (awaited, _))| self.has_come(*awaited)).map(|(&key, _)| key).collect();
        let observers = due.iter().filter_map(|key| self.observers.remove(key)).map(|(_, waker)| waker).collect();
        (server, observers)
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

    fn handshake_wakers(&mut self) -> Vec<Waker> {
        self.handshakes.values_mut().filter_map(|handshake| handshake.waker.take()).collect()
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

    /// Reserves a place for a connection whose request was accepted, unless the server is shutting down or at its limit.
    pub(crate) fn reserve(self: &Arc<Self>, max_connections: Option<usize>) -> Option<HandshakeGuard> {
        let mut state = self.lock();
        if !state.has_room(max_connections) {
            return None;
        }
        state.next_handshake += 1;
        let id = state.next_handshake;
        let handshake = PendingHandshake {
            since: Timestamp::ZERO,
            source: None,
            heard: true,
            admitted: true,
            displaced: false,
            waker: None,
        };
        state.handshakes.insert(id, handshake);
        state.admitted += 1;
        Some(HandshakeGuard { registry: Arc::clone(self), id })
    }

    fn enter(&self, connection: &Arc<Shared>, handshake: u64) {
        let mut state = self.lock();
        state.end_handshake(handshake);
        let (stopped, aborted) = (state.shutting_down, state.aborted);
        state.open.insert(connection.info.id, Arc::clone(connection));
        drop(state);
        if stopped {
            close(connection);
        }
        if aborted {
            connection.abort();
        }
    }

    /// Stops counting a connection.
    pub(crate) fn leave(&self, id: u64) {
        let mut gone = None;
        self.change(|state| gone = state.open.remove(&id));
    }

    /// Starts the shutdown: closes all open connections with 1001, and lets no more in.
    pub(crate) fn shut_down(&self) {
        let mut state = self.lock();
        state.shutting_down = true;
        let open: Vec<_> = state.open.values().cloned().collect();
        let (server, observers) = state.due();
        let handshakes = state.handshake_wakers();
        drop(state);
        open.iter().for_each(close);
        wake(server);
        wake(observers);
        wake(handshakes);
    }

    /// Drops the connections and handlers that are left, and ends the upgrades that HTTP servers have not completed.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        state.aborted = true;
        let open: Vec<_> = state.open.values().cloned().collect();
        let handshakes = state.handshake_wakers();
        drop(state);
        open.iter().for_each(|connection| connection.abort());
        wake(handshakes);
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

    /// Lets another task wait for the end of a shutdown, until the guard is dropped.
    pub(crate) fn observe(&self) -> Observer<'_> {
        let mut state = self.lock();
        state.next_observer += 1;
        Observer { registry: self, key: state.next_observer }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let (server, observers) = state.due();
        drop(state);
        wake(server);
        wake(observers);
    }
}

fn close(connection: &Arc<Shared>) {
    connection.close(CloseFrame::new(CloseCode::GOING_AWAY, "server shutdown"));
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
