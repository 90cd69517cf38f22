//! The connections of a server, and its shutdown.

mod addresses;
#[cfg(feature = "http2")]
mod carriers;
mod guards;
mod handshakes;
mod listing;
mod named;
mod totals;

use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use ws_proto::{CloseCode, CloseFrame, Timestamp};

pub(crate) use self::addresses::ConnectionRate;
use self::addresses::{Counts, Rates};
#[cfg(feature = "http2")]
pub(crate) use self::carriers::{CarrierGuard, StreamGuard};
pub(crate) use self::guards::{HandshakeGuard, Observer, OpenGuard};
use self::handshakes::Handshakes;
pub use self::totals::{Ends, FailedHandshakes, HandshakeFailure, ServerStats};
use self::totals::{Final, Totals};
use crate::shared::{Shared, wake};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// The open connections, the opening handshakes in progress, and the state of a shutdown.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
    /// The counters that were recorded last. Its lock is taken before that of the state.
    #[cfg(feature = "metrics")]
    recorded: Mutex<ServerStats>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<u64, Arc<Shared>>,
    handshakes: Handshakes,
    /// Both are empty unless there is a limit for each address.
    counts: Counts,
    rates: Rates,
    totals: Totals,
    shutting_down: bool,
    /// Whether the drain deadline of a shutdown has passed.
    aborted: bool,
    /// The tasks that wait, and the conditions they wait for.
    observers: Vec<Observing>,
    next_observer: u64,
    /// The connections of HTTP/2.
    #[cfg(feature = "http2")]
    carriers: carriers::Carriers,
}

/// A task that waits.
#[derive(Debug)]
struct Observing {
    key: u64,
    awaited: Awaited,
    waker: Waker,
}

/// The most connections, open or about to be. `None` for no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quota {
    pub(crate) all: Option<usize>,
    /// Of each address.
    pub(crate) of_one: Option<usize>,
}

/// The reason why there is no room for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    ShuttingDown,
    /// For none.
    Full,
    /// For none of its address.
    FullForOne,
}

/// A condition that a task waits for. It is not woken for anything else.
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
            Awaited::SlotOf(source, limit) => self.handshakes.of(source) < limit || self.shutting_down,
            Awaited::Shutdown => self.shutting_down,
            Awaited::Idle => self.open.is_empty() && self.handshakes.is_empty() && !self.has_carriers(),
        }
    }

    /// Whether connections of HTTP/2 are left.
    fn has_carriers(&self) -> bool {
        #[cfg(feature = "http2")]
        return !self.carriers.is_empty();
        #[cfg(not(feature = "http2"))]
        false
    }

    /// Counts an accepted handshake as a connection, if there is room for one more.
    fn admit(&mut self, handshake: u64, quota: Quota, source: Option<IpAddr>) -> Result<(), NoRoom> {
        if self.shutting_down {
            return Err(NoRoom::ShuttingDown);
        }
        let taken = self.open.len() + self.handshakes.admitted();
        if quota.all.is_some_and(|most| taken >= most) {
            return Err(NoRoom::Full);
        }
        if let (Some(source), Some(most)) = (source, quota.of_one) {
            if self.counts.of(source) >= most {
                return Err(NoRoom::FullForOne);
            }
            self.counts.admit(handshake, source);
        }
        self.handshakes.admit(handshake);
        Ok(())
    }

    /// Removes a handshake that has not become a connection.
    fn end_handshake(&mut self, handshake: u64) {
        self.handshakes.end(handshake);
        self.counts.end(handshake);
    }

    fn forget_observer(&mut self, key: u64) -> Option<Observing> {
        let place = self.observers.iter().position(|observer| observer.key == key)?;
        Some(self.observers.swap_remove(place))
    }

    /// The wakers of observers whose conditions hold.
    fn due(&mut self) -> Vec<Waker> {
        if !self.observers.iter().any(|observer| self.has_come(observer.awaited)) {
            return Vec::new();
        }
        let all = mem::take(&mut self.observers).into_iter();
        let (due, waiting): (Vec<_>, Vec<_>) = all.partition(|observer| self.has_come(observer.awaited));
        self.observers = waiting;
        due.into_iter().map(|observer| observer.waker).collect()
    }

    /// The wakers of the opening handshakes, and of the connections of HTTP/2.
    fn opening_wakers(&mut self) -> Vec<Waker> {
        let handshakes = self.handshakes.take_wakers();
        #[cfg(feature = "http2")]
        let handshakes = handshakes.into_iter().chain(self.carriers.take_wakers()).collect();
        handshakes
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
        let id = self.lock().handshakes.begin(source, since);
        HandshakeGuard { registry: Arc::clone(self), id }
    }

    /// The number of opening handshakes that count for this address.
    pub(crate) fn handshakes_of(&self, source: IpAddr) -> usize {
        self.lock().handshakes.of(source)
    }

    /// Whether there are as many opening handshakes as there may be, of all addresses or of this one.
    #[cfg(feature = "http2")]
    pub(crate) fn is_crowded(&self, source: Option<IpAddr>, most: usize, most_of_one: Option<usize>) -> bool {
        let state = self.lock();
        let of_one = source.zip(most_of_one).is_some_and(|(source, most)| state.handshakes.of(source) >= most);
        of_one || state.handshakes.len() >= most
    }

    /// The time at which the oldest handshake began that waits for its client. `None` while one is still making room.
    pub(crate) fn oldest_waiting(&self) -> Option<Timestamp> {
        self.lock().handshakes.oldest_waiting()
    }

    /// Makes room by a handshake that has waited for its client for this time: the oldest without any input, otherwise the
    /// oldest. Returns whether there is one.
    pub(crate) fn displace(&self, now: Timestamp, grace: Duration) -> bool {
        let (is_one, waker) = self.lock().handshakes.displace(now, grace);
        wake(waker);
        is_one
    }

    /// Makes room by the oldest handshake from this address that has waited for its client for this time. Returns whether
    /// there is one.
    pub(crate) fn displace_one_of(&self, source: IpAddr, now: Timestamp, grace: Duration) -> bool {
        let (is_one, waker) = self.lock().handshakes.displace_one_of(source, now, grace);
        wake(waker);
        is_one
    }

    /// Reserves a place for a connection whose request was accepted.
    pub(crate) fn reserve(self: &Arc<Self>, quota: Quota, source: Option<IpAddr>) -> Result<HandshakeGuard, NoRoom> {
        let mut state = self.lock();
        let id = state.handshakes.begin(None, Timestamp::ZERO);
        match state.admit(id, quota, source) {
            Ok(()) => Ok(HandshakeGuard { registry: Arc::clone(self), id }),
            Err(reason) => {
                state.handshakes.end(id);
                Err(reason)
            }
        }
    }

    /// Counts a request for the rate of its address. The error is the time until the next is allowed.
    pub(crate) fn take_rate(&self, source: IpAddr, limit: &ConnectionRate) -> Result<(), Duration> {
        self.lock().rates.take(source, limit)
    }

    fn enter(&self, connection: &Arc<Shared>, handshake: u64) {
        let mut state = self.lock();
        state.counts.enter(handshake, connection.info.id);
        state.handshakes.end(handshake);
        let (stopped, aborted) = (state.shutting_down, state.aborted);
        state.open.insert(connection.info.id, Arc::clone(connection));
        state.totals.stats.opened += 1;
        drop(state);
        if stopped {
            close(connection);
        }
        if aborted {
            connection.abort();
        }
    }

    /// Stops counting a connection, which has ended, as an open one.
    pub(crate) fn leave(&self, connection: &Shared) {
        let ended = Final::of(connection);
        let mut gone = None;
        self.change(|state| {
            gone = state.open.remove(&connection.info.id);
            state.counts.leave(connection.info.id);
            state.totals.end(&ended);
        });
    }

    /// Counts an opening handshake that has failed.
    pub(crate) fn fail(&self, reason: HandshakeFailure) {
        self.lock().totals.fail(reason);
    }

    /// Starts the shutdown: closes all open connections with 1001, and lets no more in.
    pub(crate) fn shut_down(&self) {
        let mut state = self.lock();
        state.shutting_down = true;
        let open: Vec<_> = state.open.values().cloned().collect();
        let observers = state.due();
        let handshakes = state.opening_wakers();
        drop(state);
        open.iter().for_each(close);
        wake(observers);
        wake(handshakes);
    }

    /// Drops the connections and handlers that are left, and ends the upgrades that HTTP servers have not completed.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        state.aborted = true;
        let open: Vec<_> = state.open.values().cloned().collect();
        let handshakes = state.opening_wakers();
        drop(state);
        open.iter().for_each(|connection| connection.abort());
        wake(handshakes);
    }

    /// Lets a task wait for a condition, until the guard is dropped.
    pub(crate) fn observe(&self) -> Observer<'_> {
        let mut state = self.lock();
        state.next_observer += 1;
        Observer { registry: self, key: state.next_observer }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let observers = state.due();
        drop(state);
        wake(observers);
    }
}

fn close(connection: &Arc<Shared>) {
    connection.close(CloseFrame::new(CloseCode::GOING_AWAY, "server shutdown"));
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Wake};

    use super::*;

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_handle_that_watches_a_server_does_not_keep_it() {
        let (registry, task) = (Registry::default(), Arc::new(Task));
        let waker = Waker::from(Arc::clone(&task));
        let serving = registry.observe();
        assert!(serving.poll(Awaited::Shutdown, &mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&task), 2);
        drop(serving);
        assert_eq!(Arc::strong_count(&task), 1);
    }
}
