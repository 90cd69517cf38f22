//! [`Tally`]: what was measured, by one thread or by all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use http::HeaderValue;

/// The longest time that is told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(3600);

/// Times, in nanoseconds, of which three digits are kept.
pub(super) type Times = Histogram<u64>;

/// What was measured.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    /// The connections that are open.
    pub(super) open: u64,
    /// Those that were opened.
    pub(super) opened: u64,
    /// The time that each took to open.
    pub(super) opening: Times,
    /// The extensions that the first connection agreed on.
    pub(super) extensions: Option<String>,
    /// The messages sent, those that were answered in time, and those that were answered when no more were sent.
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) late: u64,
    /// Messages that were due in time and were not sent.
    pub(super) unsent: u64,
    /// The bytes of the messages that were answered in time, without their headers.
    pub(super) bytes: u64,
    /// From when a message was due or sent until its answer was there.
    pub(super) latency: Times,
    /// What went wrong, and how often.
    pub(super) errors: BTreeMap<String, u64>,
    /// When measuring began and ended.
    pub(super) begun: Option<Instant>,
    pub(super) ended: Option<Instant>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let times = || {
            let longest = u64::try_from(LONGEST.as_nanos()).unwrap_or(u64::MAX);
            Histogram::new_with_bounds(1, longest, 3).expect("valid bounds")
        };
        Self {
            open: 0,
            opened: 0,
            opening: times(),
            extensions: None,
            sent: 0,
            answered: 0,
            late: 0,
            unsent: 0,
            bytes: 0,
            latency: times(),
            errors: BTreeMap::new(),
            begun: None,
            ended: None,
        }
    }

    pub(super) fn record_opening(&mut self, time: Duration, extensions: Option<&HeaderValue>) {
        if self.opened == 0 {
            self.extensions = extensions.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        }
        self.open += 1;
        self.opened += 1;
        self.opening.saturating_record(nanoseconds(time));
    }

    pub(super) fn record_answer(&mut self, latency: Duration, bytes: usize, in_time: bool) {
        if in_time {
            self.answered += 1;
            self.bytes += bytes as u64;
        } else {
            self.late += 1;
        }
        self.latency.saturating_record(nanoseconds(latency));
    }

    /// Measuring went on until then, at least.
    pub(super) fn end_at(&mut self, ended: Instant) {
        self.ended = self.ended.max(Some(ended));
    }

    pub(super) fn record_error(&mut self, kind: impl Into<String>, count: u64) {
        if count > 0 {
            *self.errors.entry(kind.into()).or_default() += count;
        }
    }

    /// Adds what another thread measured.
    pub(super) fn add(&mut self, other: &Self) {
        self.open += other.open;
        self.opened += other.opened;
        self.extensions = self.extensions.take().or_else(|| other.extensions.clone());
        self.sent += other.sent;
        self.answered += other.answered;
        self.late += other.late;
        self.unsent += other.unsent;
        self.bytes += other.bytes;
        // All have the same bounds.
        let _ = self.opening.add(&other.opening);
        let _ = self.latency.add(&other.latency);
        for (kind, count) in &other.errors {
            self.record_error(kind, *count);
        }
        self.begun = [self.begun, other.begun].into_iter().flatten().min();
        self.ended = [self.ended, other.ended].into_iter().flatten().max();
    }

    /// The time that was measured, so far.
    pub(super) fn time(&self) -> Duration {
        self.begun.map_or(Duration::ZERO, |begun| self.ended.unwrap_or_else(Instant::now) - begun)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let begun = Instant::now();
        let mut one = Tally::new();
        one.record_opening(Duration::from_millis(1), Some(&HeaderValue::from_static("x")));
        one.record_answer(Duration::from_micros(100), 16, true);
        one.record_error("lost", 2);
        one.record_error("none of it", 0);
        (one.begun, one.ended) = (Some(begun + Duration::from_secs(1)), Some(begun + Duration::from_secs(2)));
        let mut other = one.clone();
        other.record_answer(Duration::from_secs(7200), 4, true);
        (other.begun, other.ended) = (Some(begun), Some(begun + Duration::from_secs(3)));
        one.add(&other);
        assert_eq!((one.open, one.opened, one.answered, one.bytes), (2, 2, 3, 36));
        assert_eq!(one.extensions.as_deref(), Some("x"));
        assert_eq!(one.errors, BTreeMap::from([("lost".to_owned(), 4)]));
        assert_eq!(one.time(), Duration::from_secs(3));
        assert_eq!((one.opening.len(), one.latency.len()), (2, 3));
        let longest = Duration::from_nanos(one.latency.max());
        assert!(longest > Duration::from_secs(3599) && longest < Duration::from_secs(3610), "{longest:?}");
    }
}
