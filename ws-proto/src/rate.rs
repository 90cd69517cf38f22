//! Rates: how many tokens a period brings, how many may be taken at once.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use crate::time::Timestamp;

/// A rate with bursts: messages, bytes or connections in a time.
///
/// It is that of a token bucket. The bucket holds [`burst`](Self::with_burst) tokens, and is full at first. Each message, byte
/// or connection takes a token, and `count` tokens come back in each period, evenly. So over any long time the rate holds, and
/// after a pause a whole burst may come at once.
///
/// ```
/// use std::time::Duration;
/// use ws_proto::Rate;
///
/// let messages = Rate::per_second(50).with_burst(200);
/// let connections = Rate::new(10, Duration::from_secs(60));
/// assert_eq!(messages.to_string(), "50 a second, 200 at once");
/// assert_eq!(connections.to_string(), "10 in 60 s");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    count: NonZeroU32,
    burst: NonZeroU32,
    /// The period, in milliseconds.
    millis: NonZeroU32,
}

impl Rate {
    /// So many in a second, and as many at once. At least 1.
    pub const fn per_second(count: u32) -> Self {
        Self::new(count, Duration::from_secs(1))
    }

    /// So many in this time, and as many at once. At least 1. The time counts in whole milliseconds, from 1 ms to 49 days.
    pub const fn new(count: u32, period: Duration) -> Self {
        let millis = period.as_millis();
        let millis = if millis > u32::MAX as u128 { u32::MAX } else { millis as u32 };
        let count = at_least_one(count);
        Self { count, burst: count, millis: at_least_one(millis) }
    }

    /// Sets how many may come at once, after a pause. At least 1. By default as many as in a period.
    #[must_use]
    pub const fn with_burst(self, burst: u32) -> Self {
        Self { burst: at_least_one(burst), ..self }
    }

    /// How many may come in a [`period`](Self::period).
    pub const fn count(&self) -> u32 {
        self.count.get()
    }

    /// The period.
    pub const fn period(&self) -> Duration {
        Duration::from_millis(self.millis.get() as u64)
    }

    /// How many may come at once.
    pub const fn burst(&self) -> u32 {
        self.burst.get()
    }

    /// The time in which an empty bucket is full again.
    pub const fn refill_time(&self) -> Duration {
        self.time_of(self.burst.get() as u64)
    }

    /// The time in which this many tokens come back.
    const fn time_of(&self, tokens: u64) -> Duration {
        let nanos = self.millis.get() as u128 * 1_000_000 * tokens as u128 / self.count.get() as u128;
        Duration::from_nanos(if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 })
    }
}

const fn at_least_one(n: u32) -> NonZeroU32 {
    match NonZeroU32::new(n) {
        Some(n) => n,
        None => NonZeroU32::MIN,
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, burst, millis } = self;
        match millis.get() {
            1000 => write!(f, "{count} a second")?,
            millis if millis % 1000 == 0 => write!(f, "{count} in {} s", millis / 1000)?,
            millis => write!(f, "{count} in {millis} ms")?,
        }
        if burst != count { write!(f, ", {burst} at once") } else { Ok(()) }
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rate({self})")
    }
}

/// The state of a [`Rate`]: a token bucket, full at first. It takes 8 bytes.
///
/// The timestamps of one bucket count from one origin. Use it for a limit of your own, as by user or by room:
///
/// ```
/// use std::time::Duration;
/// use ws_proto::{Rate, Timestamp, TokenBucket};
///
/// let (rate, mut bucket) = (Rate::per_second(10).with_burst(2), TokenBucket::default());
/// let now = Timestamp::ZERO;
/// assert_eq!(bucket.try_take(&rate, 1, now), Ok(()));
/// assert_eq!(bucket.try_take(&rate, 1, now), Ok(()));
/// assert_eq!(bucket.try_take(&rate, 1, now), Err(Duration::from_millis(100)));
/// assert_eq!(bucket.try_take(&rate, 1, now + Duration::from_millis(100)), Ok(()));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenBucket {
    /// The time at which it is full again.
    full_at: Timestamp,
}

impl TokenBucket {
    /// Takes tokens.
    ///
    /// # Errors
    ///
    /// The time until there are as many. Nothing is taken then. More than a burst are never there: the time is that until the
    /// bucket is full.
    pub fn try_take(&mut self, rate: &Rate, tokens: u32, now: Timestamp) -> Result<(), Duration> {
        let full_at = self.full_after(rate, u64::from(tokens), now);
        let wait = full_at - (now + rate.refill_time());
        if tokens <= rate.burst() && wait.is_zero() {
            self.full_at = full_at;
            return Ok(());
        }
        Err(wait.min(self.full_at.max(now) - now))
    }

    /// Takes tokens, whether they are there or not. The bucket may owe some then.
    pub fn take(&mut self, rate: &Rate, tokens: u64, now: Timestamp) {
        self.full_at = self.full_after(rate, tokens, now);
    }

    /// The time until a token is there. Zero if there is one.
    pub fn wait(&self, rate: &Rate, now: Timestamp) -> Duration {
        self.full_after(rate, 1, now) - (now + rate.refill_time())
    }

    /// Whether the bucket owes tokens.
    pub fn is_overdrawn(&self, rate: &Rate, now: Timestamp) -> bool {
        self.full_at > now + rate.refill_time()
    }

    /// Whether the bucket is full, as at first: it has nothing to remember.
    pub fn is_full(&self, now: Timestamp) -> bool {
        self.full_at <= now
    }

    /// The time at which it is full again, if this many are taken.
    fn full_after(&self, rate: &Rate, tokens: u64, now: Timestamp) -> Timestamp {
        self.full_at.max(now) + rate.time_of(tokens)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::new(Duration::from_millis(millis))
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let (rate, mut bucket) = (Rate::per_second(4).with_burst(3), TokenBucket::default());
        assert!(bucket.is_full(at(0)));
        let taken = (0..10_000).filter(|&millis| bucket.try_take(&rate, 1, at(millis)).is_ok()).count();
        assert_eq!(taken, 3 + 4 * 10 - 1);
        assert!(!bucket.is_full(at(10_000)));
        // Full again after three quarters of a second, and no more than full.
        assert!(bucket.is_full(at(10_750)));
        assert_eq!((0..9).filter(|_| bucket.try_take(&rate, 1, at(60_000)).is_ok()).count(), 3);
    }

    #[test]
    fn the_wait_is_the_time_until_it_succeeds() {
        for rate in [Rate::per_second(7), Rate::new(10, Duration::from_secs(60)).with_burst(4), Rate::per_second(1)] {
            let mut bucket = TokenBucket::default();
            while bucket.try_take(&rate, 1, at(5)).is_ok() {}
            let wait = bucket.wait(&rate, at(5));
            assert_eq!(bucket.try_take(&rate, 1, at(5)), Err(wait));
            assert!(bucket.try_take(&rate, 1, at(5) + (wait - Duration::from_nanos(1))).is_err());
            assert!(bucket.try_take(&rate, 1, at(5) + wait).is_ok());
        }
    }

    #[test]
    fn a_debt_is_paid_before_more_is_there() {
        let (rate, mut bucket) = (Rate::per_second(100), TokenBucket::default());
        bucket.take(&rate, 100, at(0));
        assert!(!bucket.is_overdrawn(&rate, at(0)));
        bucket.take(&rate, 200, at(0));
        assert!(bucket.is_overdrawn(&rate, at(1999)) && !bucket.is_overdrawn(&rate, at(2000)));
        assert_eq!(bucket.wait(&rate, at(0)), Duration::from_millis(2010));
        assert_eq!(bucket.wait(&rate, at(2010)), Duration::ZERO);
    }

    #[test]
    fn extremes_saturate() {
        let mut bucket = TokenBucket::default();
        let slow = Rate::new(0, Duration::MAX).with_burst(0);
        assert_eq!((slow.count(), slow.burst(), slow.period().as_millis()), (1, 1, u128::from(u32::MAX)));
        bucket.take(&slow, u64::MAX, at(0));
        assert!(bucket.wait(&slow, at(0)) > Duration::from_secs(1 << 33));
        assert!(bucket.try_take(&slow, 1, at(0)).is_err());
        let fast = Rate::new(u32::MAX, Duration::ZERO);
        assert_eq!(fast.period(), Duration::from_millis(1));
        assert_eq!(TokenBucket::default().try_take(&fast, u32::MAX, at(0)), Ok(()));
        let few = Rate::per_second(5);
        assert_eq!(TokenBucket::default().try_take(&few, 6, at(0)), Err(Duration::ZERO), "never");
    }

    #[test]
    fn it_is_told_in_words() {
        assert_eq!(Rate::per_second(50).to_string(), "50 a second");
        assert_eq!(Rate::new(3, Duration::from_millis(1500)).with_burst(9).to_string(), "3 in 1500 ms, 9 at once");
        assert_eq!(size_of::<Option<Rate>>(), 12);
    }
}
