//! The timers of a connection: a closed set of deadlines, and the earliest of them.

use crate::time::Timestamp;

/// The kinds of timers, each with the event at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerKind {
    /// The next keepalive ping is sent.
    Ping,
    /// A second keepalive ping is sent, because the last one is unanswered.
    PingAgain,
    /// An unfinished message of ours has not grown for so long that the application's pings no longer wait for its end.
    Standstill,
    /// The pong to a keepalive ping must have been received.
    Pong,
    /// An incomplete message must have grown.
    MessageProgress,
    /// The transport must have taken at least one byte.
    WriteStall,
    /// Our held Close is released, although the application may not have answered every message before it.
    Answer,
    /// A client ends its write side, because the peer has not answered its Close.
    HalfClose,
    /// The connection must be over.
    Close,
}

impl TimerKind {
    const ALL: [Self; 9] = [
        Self::Ping,
        Self::PingAgain,
        Self::Standstill,
        Self::Pong,
        Self::MessageProgress,
        Self::WriteStall,
        Self::Answer,
        Self::HalfClose,
        Self::Close,
    ];
}

/// One optional deadline per timer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    deadlines: [Option<Timestamp>; TimerKind::ALL.len()],
    /// The earliest deadline. It is asked for in each round of I/O, and hardly any round changes it.
    earliest: Option<Timestamp>,
}

impl Timers {
    /// Sets or clears a deadline. [`Timestamp::MAX`] is never reached, and counts as none.
    #[inline]
    pub(crate) fn set(&mut self, timer: TimerKind, deadline: Option<Timestamp>) {
        if deadline.is_some() || self.get(timer).is_some() {
            self.change(timer, deadline);
        }
    }

    // It is long once its loop is unrolled, and is called in many places, each of them rarely.
    #[inline(never)]
    fn change(&mut self, timer: TimerKind, deadline: Option<Timestamp>) {
        let deadline = deadline.filter(|&deadline| deadline < Timestamp::MAX);
        if let Some(slot) = self.deadlines.get_mut(timer as usize) {
            *slot = deadline;
        }
        self.earliest = self.deadlines.iter().flatten().min().copied();
    }

    #[inline]
    pub(crate) fn get(&self, timer: TimerKind) -> Option<Timestamp> {
        self.deadlines.get(timer as usize).copied().flatten()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.earliest
    }

    /// Whether any deadline has passed.
    #[inline]
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.earliest.is_some_and(|deadline| deadline <= now)
    }

    /// Takes one timer that is due, in the order of the deadlines.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<TimerKind> {
        let earliest = self.earliest.filter(|&earliest| earliest <= now)?;
        let timer = TimerKind::ALL.into_iter().find(|&timer| self.get(timer) == Some(earliest))?;
        self.set(timer, None);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_comes_first_and_only_when_due() {
        let at = |secs| Timestamp::new(Duration::from_secs(secs));
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(TimerKind::Close, Some(at(3)));
        timers.set(TimerKind::Pong, Some(at(2)));
        timers.set(TimerKind::Ping, Some(at(5)));
        assert_eq!(timers.next(), Some(at(2)));
        assert_eq!(timers.take_due(at(1)), None);
        assert_eq!(timers.take_due(at(4)), Some(TimerKind::Pong));
        assert_eq!(timers.take_due(at(4)), Some(TimerKind::Close));
        assert_eq!(timers.take_due(at(4)), None);
        assert_eq!(timers.next(), Some(at(5)));
    }
}
