//! [`Health`]: whether Kafka can be reached, as the hub is told.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ws_session::Timestamp;

use crate::inbound::Inbound;
use crate::publication::GapCause;

/// An outage that is shorter is not told: after it, reading goes on where it was, and nothing is missing.
pub(super) const TOLD_AFTER: Duration = Duration::from_secs(5);

/// The partitions that cannot be reached, and since when.
#[derive(Default)]
pub(super) struct Health {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    down: HashMap<i32, Timestamp>,
    is_told: bool,
}

impl Health {
    /// An attempt at reaching a partition has failed.
    pub(super) fn down(&self, partition: i32, inbound: &Inbound) {
        let (mut state, now) = (self.state.lock().unwrap_or_else(PoisonError::into_inner), inbound.now());
        let since = *state.down.entry(partition).or_insert(now);
        if !state.is_told && now.saturating_since(since) >= TOLD_AFTER {
            state.is_told = true;
            inbound.lost(GapCause::BrokerLost);
        }
    }

    /// Whether something cannot be reached.
    pub(super) fn is_down(&self) -> bool {
        !self.state.lock().unwrap_or_else(PoisonError::into_inner).down.is_empty()
    }

    /// A partition is reached, or not needed any more.
    pub(super) fn up(&self, partition: i32, inbound: &Inbound) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.down.remove(&partition);
        if state.down.is_empty() && std::mem::take(&mut state.is_told) {
            inbound.restored();
        }
    }
}
