//! Connections of HTTP/2, which carry the streams of several WebSocket connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::Registry;
use crate::shared::{set_waker, wake};

/// The connections of HTTP/2 that are open.
#[derive(Debug, Default)]
pub(super) struct Carriers {
    open: BTreeMap<u64, Carrier>,
    next: u64,
}

#[derive(Debug, Default)]
struct Carrier {
    /// The number of streams in use.
    streams: usize,
    /// The waker of its task.
    waker: Option<Waker>,
}

impl Carriers {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        self.open.values_mut().filter_map(|carrier| carrier.waker.take()).collect()
    }
}

/// The state of the server and of a connection of HTTP/2, as its task sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CarrierState {
    /// The number of its streams in use.
    pub(crate) streams: usize,
    pub(crate) shutting_down: bool,
    /// Whether it must end at once.
    pub(crate) aborted: bool,
}

/// Counts a connection of HTTP/2. A shutdown waits for it.
#[derive(Debug)]
pub(crate) struct CarrierGuard {
    registry: Arc<Registry>,
    id: u64,
}

impl CarrierGuard {
    pub(crate) fn new(registry: &Arc<Registry>) -> Self {
        let mut state = registry.lock();
        state.carriers.next += 1;
        let id = state.carriers.next;
        state.carriers.open.insert(id, Carrier::default());
        drop(state);
        Self { registry: Arc::clone(registry), id }
    }

    /// The state. The task is woken when it changes.
    pub(crate) fn watch(&self, cx: &mut Context<'_>) -> CarrierState {
        let mut state = self.registry.lock();
        let (shutting_down, aborted) = (state.shutting_down, state.aborted);
        let carrier = state.carriers.open.get_mut(&self.id);
        let (streams, replaced) = carrier
            .map(|carrier| (carrier.streams, set_waker(&mut carrier.waker, cx)))
            .map_or((0, None), |(streams, replaced)| (streams, Some(replaced)));
        // Dropping it may drop a task and everything it holds.
        drop(state);
        drop(replaced);
        CarrierState { streams, shutting_down, aborted }
    }

    /// Counts a stream until the guard is dropped.
    pub(crate) fn begin_stream(&self) -> StreamGuard {
        if let Some(carrier) = self.registry.lock().carriers.open.get_mut(&self.id) {
            carrier.streams += 1;
        }
        StreamGuard { registry: Arc::clone(&self.registry), id: self.id }
    }
}

impl Drop for CarrierGuard {
    fn drop(&mut self) {
        let mut gone = None;
        self.registry.change(|state| gone = state.carriers.open.remove(&self.id));
    }
}

/// A stream in use.
#[derive(Debug)]
pub(crate) struct StreamGuard {
    registry: Arc<Registry>,
    /// The connection.
    id: u64,
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        let mut state = self.registry.lock();
        let waker = state.carriers.open.get_mut(&self.id).and_then(|carrier| {
            carrier.streams -= 1;
            carrier.waker.take()
        });
        drop(state);
        wake(waker);
    }
}
