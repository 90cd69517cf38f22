//! Receives the remaining input after the transport has failed.

use std::io;
use std::time::Duration;

use ws_proto::Timestamp;

use super::Driver;
use crate::shared::State;
use crate::transport::{Timer, Transport};

/// The time after a failure of a transport in which input may still appear. A runtime can know of a failed write at once, but
/// of earlier input only after it has asked the system again.
const LAST_READ: Duration = Duration::from_millis(100);

/// The most bytes that are read after a failure: more than a system's receive buffer holds. Without a limit, a peer that can
/// still send could do so for ever.
pub(super) const MOST_READ: usize = 64 << 20;

/// A transport that has failed.
pub(super) struct Broken {
    pub(super) error: io::Error,
    since: Timestamp,
    /// The time at which input was last received.
    pub(super) taken_in: Timestamp,
    /// The bytes that were read since the failure.
    pub(super) read: usize,
}

impl<T: Transport, C: Timer> Driver<T, C> {
    /// Records a failure of the transport. No more can be sent, but input from before can still be received.
    #[cold]
    pub(super) fn break_off(&mut self, state: &mut State, error: io::Error, now: Timestamp) {
        self.needs_flush = false;
        // There is nothing left to end.
        self.is_shut_down = true;
        self.broken.get_or_insert_with(|| Box::new(Broken { error, since: now, taken_in: now, read: 0 }));
        state.on_broken(self.shared.info.id, now);
    }

    /// Ends a connection whose transport has failed: when all input from before was received, or when the application has
    /// taken none of it for the time of the write-stall deadline.
    #[cold]
    pub(super) fn give_up_when_broken(&mut self, state: &mut State, now: Timestamp) -> bool {
        let is_taken_in = self.read_ended && self.unread.is_none();
        let is_late = self.patience(state).is_some_and(|patience| patience <= now);
        if !(is_taken_in || is_late || state.lifecycle.closed().is_some()) {
            return false;
        }
        let Some(broken) = self.broken.take() else { return false };
        self.read_ended = true;
        state.on_io_error(broken.error, self.shared.info.id);
        true
    }

    /// The time until which input may still appear, if the transport has failed.
    pub(super) fn last_read(&self) -> Option<Timestamp> {
        self.broken.as_ref().map(|broken| broken.since + LAST_READ)
    }

    /// The time until which the application must take input from a transport that has failed.
    pub(super) fn patience(&self, state: &State) -> Option<Timestamp> {
        let stall = state.connection.config().deadlines.write_stall?;
        self.broken.as_ref().map(|broken| broken.taken_in + stall)
    }

    /// The time at which a transport that has failed is checked next. After the last read, only the application has to take
    /// input.
    #[cold]
    pub(super) fn broken_until(&self, state: &State, now: Timestamp) -> Option<Timestamp> {
        let last_read = self.last_read().filter(|&last_read| last_read > now);
        last_read.or_else(|| self.patience(state).filter(|&patience| patience > now))
    }
}
