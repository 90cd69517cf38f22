//! The bytes that the peer has acknowledged, as far as the transport knows.

use crate::time::Timestamp;

/// The written bytes that are still on their way to the peer, as far as the transport knows them.
///
/// The operating system takes megabytes at once, and a slow peer may need minutes to read them. With this value, deadlines
/// depend on the bytes that the peer has acknowledged: see [`Hooks::set_in_flight`](crate::Hooks::set_in_flight).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InFlight {
    /// The number of written bytes that the peer's system has not acknowledged, sent or unsent. Bytes that a layer below the
    /// connection adds, such as TLS, may be included.
    pub unacknowledged: u64,
    /// The peer's receive window: the number of bytes beyond the acknowledged ones that it accepts. It grows while the peer's
    /// application reads, even when all bytes are acknowledged. `None` when the transport does not know it.
    pub window: Option<u64>,
}

impl InFlight {
    /// A value of the number of unacknowledged bytes and, if known, the peer's receive window.
    pub const fn new(unacknowledged: u64, window: Option<u64>) -> Self {
        Self { unacknowledged, window }
    }
}

/// The bytes that the peer has acknowledged, and its receive window, as last reported. Allocated with the first report.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// The number of bytes, of all that were ever queued, that the peer has acknowledged.
    position: u64,
    window: u64,
    /// The number of reports with progress.
    progress: u64,
    told_at: Timestamp,
}

impl Acknowledged {
    /// The first report. It counts as no progress: there is none to compare it with.
    pub(crate) fn new(in_flight: InFlight, written: u64, now: Timestamp) -> Self {
        let position = written.saturating_sub(in_flight.unacknowledged);
        Self { position, window: in_flight.window.unwrap_or(0), progress: 0, told_at: now }
    }

    /// Takes in another report, after `written` bytes have been written. `ping` is the position where the unanswered ping ends.
    /// Returns whether the report shows that the peer's application reads.
    ///
    /// Bytes after the ping that the peer's system acknowledges, while it has room for more, do not show that.
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

    /// The number of bytes, of all that were ever queued, that the peer has acknowledged.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// A number that changes whenever the peer acknowledges bytes or opens its receive window.
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
