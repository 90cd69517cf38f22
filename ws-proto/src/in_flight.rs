//! What the peer has taken of what was written, as far as the transport can tell.

use crate::time::Timestamp;

/// What a transport knows of the bytes that it took and that are still on their way to the peer.
///
/// The kernel takes megabytes at once, which a slow peer reads in minutes. With this, deadlines run from what the peer
/// has taken: see [`Hooks::set_in_flight`](crate::Hooks::set_in_flight).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InFlight {
    /// How many bytes were written and have not been acknowledged by the peer's system: unsent ones, and those sent and
    /// not acknowledged. What is added below the connection, by TLS for one, may be counted.
    pub unacknowledged: u64,
    /// The peer's receive window: how many bytes more than those acknowledged it lets us send. It opens while the peer's
    /// application reads, also when all has been acknowledged. `None` where the transport does not know it.
    pub window: Option<u64>,
}

impl InFlight {
    /// So many bytes that are not acknowledged, and the peer's receive window, where it is known.
    pub const fn new(unacknowledged: u64, window: Option<u64>) -> Self {
        Self { unacknowledged, window }
    }
}

/// What was told last. On the heap, and only once something has been told.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// How much of all that was ever queued the peer has taken.
    position: u64,
    window: u64,
    /// How often there was progress.
    progress: u64,
    told_at: Timestamp,
}

impl Acknowledged {
    /// The first that is told is no progress: there is nothing to compare it with.
    pub(crate) fn new(in_flight: InFlight, written: u64, now: Timestamp) -> Self {
        let position = written.saturating_sub(in_flight.unacknowledged);
        Self { position, window: in_flight.window.unwrap_or(0), progress: 0, told_at: now }
    }

    /// What is told again, after `written` bytes were; `ping` is where the ping ends that is unanswered. Whether the peer's
    /// application shows in it.
    ///
    /// What the peer's system takes behind a ping, while there is room for more, is no sign of the application.
    pub(crate) fn update(&mut self, in_flight: InFlight, written: u64, ping: Option<u64>, now: Timestamp) -> bool {
        self.told_at = now;
        let position = written.saturating_sub(in_flight.unacknowledged);
        let window = in_flight.window.unwrap_or(0);
        let (took, opened) = (position > self.position, window > self.window);
        let before_ping = ping.is_some_and(|end| self.position < end);
        let makes_room = in_flight.window.is_some() && in_flight.unacknowledged > window;
        self.progress += u64::from(took || opened);
        self.position = self.position.max(position);
        self.window = window;
        opened || (took && (before_ping || makes_room))
    }

    /// How much of all that was ever queued the peer has taken.
    pub(crate) fn position(&self) -> u64 {
        self.position
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
        let told = |unacknowledged, window| InFlight::new(unacknowledged, window);
        let mut acknowledged = Acknowledged::new(told(70, Some(50)), 100, at(1));
        assert_eq!((acknowledged.position(), acknowledged.progress(), acknowledged.told_at()), (30, 0, at(1)));
        assert!(!acknowledged.update(told(70, Some(50)), 100, Some(90), at(2)));
        assert_eq!((acknowledged.position(), acknowledged.progress(), acknowledged.told_at()), (30, 0, at(2)));
        assert!(acknowledged.update(told(100, Some(50)), 150, Some(90), at(3)));
        assert_eq!(
            (acknowledged.position(), acknowledged.progress()),
            (50, 1),
            "20 bytes were acknowledged, on the way to the ping"
        );
        assert!(acknowledged.update(told(100, Some(51)), 150, None, at(4)));
        assert_eq!((acknowledged.position(), acknowledged.progress()), (50, 2), "the window opened");
        assert!(
            acknowledged.update(told(90, Some(51)), 150, Some(40), at(5)),
            "behind the ping, but more than the window waits"
        );
        assert!(!acknowledged.update(told(20, Some(51)), 150, Some(40), at(6)), "behind the ping, with room for more");
        assert_eq!((acknowledged.position(), acknowledged.progress()), (130, 4));
        assert!(!acknowledged.update(told(1000, None), 150, None, at(7)));
        assert_eq!((acknowledged.position(), acknowledged.progress()), (130, 4), "what is added below may be counted");
    }
}
