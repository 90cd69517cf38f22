//! Limits how often an event is logged.

use std::time::{Duration, Instant};

/// The least time between two log lines.
const EVERY: Duration = Duration::from_secs(1);

/// Counts events, and reports the count at most once a second. So a client that causes them cannot flood the log.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    untold: u64,
    told: Option<Instant>,
}

impl Seldom {
    /// Counts an event. When a log line is due, returns the number of events since the last one.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        let is_due = self.told.is_none_or(|told| now.duration_since(told) >= EVERY);
        is_due.then(|| {
            self.told = Some(now);
            std::mem::take(&mut self.untold)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_second() {
        let start = Instant::now();
        let mut seldom = Seldom::default();
        let mut at = |millis| seldom.count(start + Duration::from_millis(millis));
        assert_eq!(at(0), Some(1));
        assert_eq!((0..500).filter_map(&mut at).count(), 0);
        assert_eq!(at(999), None);
        assert_eq!(at(1000), Some(502));
        assert_eq!(at(1001), None);
        assert_eq!(at(5000), Some(2));
    }
}
