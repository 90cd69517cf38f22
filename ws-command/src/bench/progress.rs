//! A line that says how far a benchmark is, where somebody watches.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use super::report::{count, time};
use super::tally::Tally;

/// The time from one line to the next.
pub(super) const PERIOD: Duration = Duration::from_millis(500);

pub(super) struct Progress {
    is_shown: bool,
    connections: u64,
    /// The answers so far, and when they were counted.
    last: Option<(u64, Instant)>,
}

impl Progress {
    pub(super) fn new(wanted: bool, connections: u64) -> Self {
        Self { is_shown: wanted && std::io::stderr().is_terminal(), connections, last: None }
    }

    /// Whether somebody watches.
    pub(super) fn is_shown(&self) -> bool {
        self.is_shown
    }

    pub(super) fn show(&mut self, tally: &Tally) {
        let now = Instant::now();
        let (answered, at) = self.last.replace((tally.answered, now)).unwrap_or((0, now));
        let seconds = (now - at).as_secs_f64();
        let rate = if seconds > 0.0 { (tally.answered - answered) as f64 / seconds } else { 0.0 };
        let errors: u64 = tally.errors.values().sum();
        let mut line =
            format!("{:.0} s: {} of {} connections open", tally.time().as_secs_f64(), tally.open, self.connections);
        if tally.answered > 0 {
            let of = |quantile| time(tally.latency.value_at_quantile(quantile));
            line += &format!(", {} messages a second, latency {} (99 %: {})", count(rate), of(0.5), of(0.99));
        }
        if errors > 0 {
            line += &format!(", {errors} errors");
        }
        let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
        let _ = std::io::stderr().flush();
    }

    pub(super) fn clear(&self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
