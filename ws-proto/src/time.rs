//! Time as a parameter: the core never reads a clock.

use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time: how long after an origin that the caller picks.
///
/// Every timestamp given to one [`Connection`](crate::Connection) must count from the same origin. Time that
/// stands still or jumps ahead is fine; a timestamp earlier than the one before is treated like no progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// The origin itself.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The point that lies `since_origin` after the origin.
    pub const fn new(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// How long after the origin this is.
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates: a deadline too far ahead to be told is one that never comes.
    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after))
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    /// As [`saturating_since`](Self::saturating_since).
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}
