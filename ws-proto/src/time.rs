//! Time as a parameter: the core never reads a clock.

use core::fmt;
use core::num::NonZeroU64;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time: whole nanoseconds after an origin that the caller picks. The last one, 584 years after the origin, stands
/// for all later ones.
///
/// Every timestamp given to one [`Connection`](crate::Connection) must count from the same origin. Time that
/// stands still or jumps ahead is fine; a timestamp earlier than the one before is treated like no progress.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    /// One more than the nanoseconds, so that an optional one takes no more room.
    NonZeroU64,
);

impl Timestamp {
    /// The origin itself.
    pub const ZERO: Self = Self(NonZeroU64::MIN);

    /// Later than any other.
    pub(crate) const MAX: Self = Self(NonZeroU64::MAX);

    /// The point in time `since_origin` after the origin.
    pub const fn new(since_origin: Duration) -> Self {
        let nanos = since_origin.as_nanos();
        if nanos >= u64::MAX as u128 { Self::MAX } else { Self(NonZeroU64::MIN.saturating_add(nanos as u64)) }
    }

    /// The time since the origin.
    pub const fn since_origin(self) -> Duration {
        Duration::from_nanos(self.0.get() - 1)
    }

    /// The time since `earlier`. Zero when `earlier` is later than this.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.since_origin()).finish()
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Adds a time, and saturates: a deadline beyond the range is never reached.
    fn add(self, after: Duration) -> Self {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    /// As [`saturating_since`](Self::saturating_since).
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_nanoseconds_and_saturates_at_both_ends() {
        let at = |nanos| Timestamp::new(Duration::from_nanos(nanos));
        assert_eq!(at(0), Timestamp::ZERO);
        assert_eq!(at(1_000_000_007).since_origin(), Duration::new(1, 7));
        assert_eq!(at(5) + Duration::from_nanos(3), at(8));
        assert_eq!(at(8) - at(5), Duration::from_nanos(3));
        assert_eq!(at(5) - at(8), Duration::ZERO);
        assert!(at(u64::MAX - 2) < Timestamp::MAX);
        for end in [at(u64::MAX - 1), at(u64::MAX), Timestamp::new(Duration::MAX), at(9) + Duration::MAX] {
            assert_eq!(end, Timestamp::MAX);
        }
        assert_eq!(alloc::format!("{:?}", at(1_500_000_000)), "Timestamp(1.5s)");
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
    }
}
