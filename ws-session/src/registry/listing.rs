//! Passes over the open connections, in pieces, so that a server with many of them can accept meanwhile.

use std::ops::Bound;
use std::sync::Arc;

use super::totals::ServerStats;
use super::{Registry, State};
use crate::shared::Shared;
#[cfg(feature = "metrics")]
use crate::sync::PoisonError;

/// The most connections that are visited under one lock.
const PIECE: usize = 256;

impl State {
    /// The next open connections behind this ID, up to the ID `last`.
    fn piece(&self, behind: u64, last: u64) -> Vec<Arc<Shared>> {
        if behind >= last {
            return Vec::new();
        }
        let range = (Bound::Excluded(behind), Bound::Included(last));
        self.open.range(range).take(PIECE).map(|(_, connection)| Arc::clone(connection)).collect()
    }

    /// The highest ID of an open connection.
    fn last(&self) -> u64 {
        self.open.last_key_value().map_or(0, |(&id, _)| id)
    }
}

impl Registry {
    /// The open connection with this ID.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Shared>> {
        self.lock().open.get(&id).cloned()
    }

    /// The connections that are open now, in the order of their IDs. Some may end meanwhile.
    pub(crate) fn list(&self) -> Vec<Arc<Shared>> {
        let state = self.lock();
        let (last, mut all) = (state.last(), Vec::with_capacity(state.open.len()));
        drop(state);
        loop {
            let behind = all.last().map_or(0, |connection: &Arc<Shared>| connection.info.id);
            let piece = self.lock().piece(behind, last);
            if piece.is_empty() {
                return all;
            }
            all.extend(piece);
        }
    }

    /// Passes the counters that were recorded last, and those of now, to `record`.
    #[cfg(feature = "metrics")]
    pub(crate) fn since_recorded(&self, record: impl FnOnce(&ServerStats, &ServerStats)) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.stats();
        record(&recorded, &now);
        *recorded = now;
    }

    /// The counters of the server, and of all its connections.
    pub(crate) fn stats(&self) -> ServerStats {
        let mut state = self.lock();
        let pass = state.totals.begin_pass();
        let mut stats = state.totals.stats.clone();
        (stats.open, stats.handshakes) = (state.open.len(), state.handshakes.len());
        let (last, mut behind) = (state.last(), 0);
        drop(state);
        loop {
            let mut state = self.lock();
            let piece = state.piece(behind, last);
            let Some(latest) = piece.last() else {
                stats.traffic += state.totals.end_pass(pass);
                return stats;
            };
            behind = latest.info.id;
            state.totals.visit(pass, behind);
            drop(state);
            piece.iter().for_each(|connection| stats.traffic += connection.lock().connection.stats());
        }
    }
}
