//! After the transport has failed: what had come before is still taken in.

use std::io;
use std::time::Duration;

use ws_proto::Timestamp;

use super::Driver;
use crate::shared::State;
use crate::transport::{Timer, Transport};

/// How long after a transport has failed there may still be something to read although a read says that there is not: a
/// runtime can know of a failed write at once, and of what came before it only when it has asked the system again.
const LAST_READ: Duration = Duration::from_millis(100);

/// How much is read from a transport that has failed: more than a system's receive buffers hold. Whoever can still send
/// then could do so for ever.
pub(super) const MOST_READ: usize = 64 << 20;

/// A transport that has failed.
pub(super) struct Broken {
    pub(super) error: io::Error,
    since: Timestamp,
    /// When something that had come before was last taken in.
    pub(super) taken_in: Timestamp,
    /// How much has been read from it nevertheless.
    pub(super) read: usize,
}

impl<T: Transport, C: Timer> Driver<T, C> {
    /// The transport has failed. Nothing can be sent any more; what had come before can still be taken.
    #[cold]
    pub(super) fn break_off(&mut self, state: &mut State, error: io::Error, now: Timestamp) {
        self.needs_flush = false;
        // There is nothing left to end.
        self.is_shut_down = true;
        self.broken.get_or_insert_with(|| Box::new(Broken { error, since: now, taken_in: now, read: 0 }));
        state.on_broken(self.shared.info.id, now);
    }

    /// Ends a connection whose transport has failed: as soon as all that had come before has been taken in, or when the
    /// application takes none of it for as long as a peer may take nothing.
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

    /// Until when something may still come of a transport that has failed, if it has.
    pub(super) fn last_read(&self) -> Option<Timestamp> {
        self.broken.as_ref().map(|broken| broken.since + LAST_READ)
    }

    /// Until when the application may leave alone what a transport brought that has failed.
    pub(super) fn patience(&self, state: &State) -> Option<Timestamp> {
        let stall = state.connection.config().deadlines.write_stall?;
        self.broken.as_ref().map(|broken| broken.taken_in + stall)
    }

    /// When a transport that has failed is looked after next: once the last read has been tried, it is for the application to
    /// take what has come.
    #[cold]
    pub(super) fn broken_until(&self, state: &State, now: Timestamp) -> Option<Timestamp> {
        let last_read = self.last_read().filter(|&last_read| last_read > now);
        last_read.or_else(|| self.patience(state).filter(|&patience| patience > now))
    }
}
