//! What the peer has taken of what was written, as far as the transport can tell.

use crate::time::Timestamp;

/// What a transport knows of the bytes that it took and that are still on their way to the peer.
///
/// The kernel takes megabytes at once, which a slow peer reads in minutes. With this, deadlines run from what the peer
/// has taken: see [`Connection::set_in_flight`](crate::Connection::set_in_flight).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// How many bytes were written and have not been acknowledged by the peer's system: unsent ones, and those sent and
    /// not acknowledged. What is added below the connection, by TLS for one, may be counted.
    pub unacknowledged: u64,
    /// Up to which byte the peer's receive window lets us send, counted from anywhere: it moves on while the peer's
    /// application reads, also when all has been acknowledged. `None` where the transport does not know it.
    pub window_edge: Option<u64>,
}

/// What was told last. On the heap, and only once something has been told.
#[derive(Debug)]
pub(crate) struct Taken {
    /// How much of all that was ever queued the peer has taken.
    position: u64,
    window_edge: u64,
    /// How often there was progress.
    progress: u64,
    told_at: Timestamp,
}

impl Taken {
    /// The first that is told is no progress: there is nothing to compare it with.
    pub(crate) fn new(in_flight: InFlight, written: u64, now: Timestamp) -> Self {
        let position = written.saturating_sub(in_flight.unacknowledged);
        Self { position, window_edge: in_flight.window_edge.unwrap_or(0), progress: 0, told_at: now }
    }

    /// What is told again, after `written` bytes were.
    pub(crate) fn update(&mut self, in_flight: InFlight, written: u64, now: Timestamp) {
        self.told_at = now;
        let position = written.saturating_sub(in_flight.unacknowledged);
        let window_edge = in_flight.window_edge.unwrap_or(0);
        if position > self.position || window_edge > self.window_edge {
            self.position = self.position.max(position);
            self.window_edge = self.window_edge.max(window_edge);
            self.progress += 1;
        }
    }

    /// How much of all that was ever queued the peer has taken.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Up to where the peer has let us send.
    pub(crate) fn window_edge(&self) -> u64 {
        self.window_edge
    }

    /// Changes whenever the peer took something, or opened its receive window.
    pub(crate) fn progress(&self) -> u64 {
        self.progress
    }

    pub(crate) fn told_at(&self) -> Timestamp {
        self.told_at
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn progress_is_what_was_taken_or_offered_and_never_goes_back() {
        let at = |secs| Timestamp::new(Duration::from_secs(secs));
        let told = |unacknowledged, window_edge| InFlight { unacknowledged, window_edge };
        let mut taken = Taken::new(told(70, Some(500)), 100, at(1));
        assert_eq!((taken.position(), taken.progress(), taken.told_at()), (30, 0, at(1)));
        taken.update(told(70, Some(500)), 100, at(2));
        assert_eq!((taken.position(), taken.progress(), taken.told_at()), (30, 0, at(2)));
        taken.update(told(100, Some(500)), 150, at(3));
        assert_eq!((taken.position(), taken.progress()), (50, 1), "20 bytes were acknowledged");
        taken.update(told(100, Some(501)), 150, at(4));
        assert_eq!((taken.position(), taken.progress()), (50, 2), "the window opened");
        taken.update(told(1000, None), 150, at(5));
        assert_eq!((taken.position(), taken.progress()), (50, 2), "what is added below may be counted");
    }
}
