//! The bytes that the peer has acknowledged, as reported by the transport.

use alloc::boxed::Box;
use core::time::Duration;

use crate::connection::Connection;
use crate::in_flight::{Acknowledged, InFlight};
use crate::time::Timestamp;
use crate::timer::TimerKind;

/// The interval at which the transport is asked while it is full, and after our Close has been written. Each time costs a
/// system call.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(1);

/// The deadlines that depend on the bytes the peer has acknowledged.
const FROM_TAKEN: [TimerKind; 4] = [TimerKind::PingAgain, TimerKind::Pong, TimerKind::WriteStall, TimerKind::Close];

impl Connection {
    /// See [`Hooks::wants_in_flight`](super::Hooks::wants_in_flight).
    #[inline]
    pub(super) fn wants_in_flight(&self, now: Timestamp) -> bool {
        self.is_peer_late(now)
            || (self.is_writing && self.looks_at().is_none_or(|look| look <= now))
            || self.awaits_farewell(now)
    }

    /// See [`Hooks::is_peer_late`](super::Hooks::is_peer_late).
    #[inline]
    pub(super) fn is_peer_late(&self, now: Timestamp) -> bool {
        let is_due = |timer| self.timers.get(timer).is_some_and(|deadline| deadline <= now);
        self.timers.is_due(now) && FROM_TAKEN.into_iter().any(is_due)
    }

    /// The time at which a transport that has reported before is asked again.
    pub(super) fn looks_at(&self) -> Option<Timestamp> {
        self.acknowledged.as_ref().map(|acknowledged| acknowledged.told_at() + ASK_EVERY)
    }

    /// Whether our Close is written, and its deadlines depend on the bytes the peer has acknowledged.
    fn awaits_farewell(&self, now: Timestamp) -> bool {
        let is_first = self.farewell.as_ref().is_none_or(|farewell| farewell.since.is_none());
        self.state.is_closing()
            && self.encoder.is_idle()
            && (is_first || self.looks_at().is_some_and(|look| look <= now))
    }

    /// See [`Hooks::set_in_flight`](super::Hooks::set_in_flight).
    pub(super) fn set_in_flight(&mut self, in_flight: InFlight, now: Timestamp) {
        let written = self.encoder.outgoing().written();
        let Some(acknowledged) = &mut self.acknowledged else {
            self.acknowledged = Some(Box::new(Acknowledged::new(in_flight, written, now)));
            return;
        };
        if acknowledged.update(in_flight, written, self.keepalive.first_end(), now) {
            self.moved_at = now;
        }
    }

    /// The number of bytes, of all that were ever queued, that the peer has acknowledged, as far as is known.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
            .as_ref()
            .map_or_else(|| self.encoder.outgoing().written(), |acknowledged| acknowledged.position())
    }

    /// A number that changes whenever the transport or the peer takes bytes.
    pub(super) fn taking(&self) -> u64 {
        self.encoder.outgoing().written() + self.acknowledged.as_ref().map_or(0, |acknowledged| acknowledged.progress())
    }
}
