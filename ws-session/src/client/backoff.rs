//! When a client tries again: full jitter, and a bound for any ten minutes.

use std::time::Duration;

use ws_proto::Timestamp;

use crate::random::up_to;

/// The most attempts that may follow each other at the backoff's own pace. From then on, [`Backoff::longest`] lies between
/// two attempts on average.
const BURST: u32 = 10;

/// The delays between attempts.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    /// The bound of the first delay. It doubles with each attempt.
    pub(super) first: Duration,
    /// The largest bound.
    pub(super) longest: Duration,
    pub(super) stable_after: Duration,
    pub(super) max_attempts: Option<u32>,
    pub(super) max_time: Option<Duration>,
    /// Attempts since the last stable connection.
    attempts: u32,
    /// The beginning of the first of them.
    began: Option<Timestamp>,
    /// The time at which all attempts so far are paid for, at one in each `longest`.
    paid_at: Timestamp,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            stable_after: Duration::from_secs(60),
            max_attempts: None,
            max_time: None,
            attempts: 0,
            began: None,
            paid_at: Timestamp::default(),
        }
    }
}

impl Backoff {
    /// An attempt begins.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        self.began.get_or_insert(now);
        self.paid_at = self.paid_at.max(now) + self.longest;
    }

    /// A connection has ended that was open since then.
    pub(super) fn ended(&mut self, opened: Timestamp, now: Timestamp) {
        if now.saturating_since(opened) >= self.stable_after {
            self.attempts = 0;
            // The end of the connection is the beginning of what follows.
            self.began = Some(now);
        }
    }

    /// The attempts since the last stable connection.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The delay of the next attempt, which is no shorter than `at_least`. `None` if a limit is reached.
    pub(super) fn delay(&self, now: Timestamp, at_least: Duration) -> Option<Duration> {
        if self.max_attempts.is_some_and(|most| self.attempts >= most) {
            return None;
        }
        let doublings = self.attempts.saturating_sub(1).min(31);
        let bound = self.first.saturating_mul(1 << doublings).min(self.longest);
        // The server's wish is jittered, too: others got the same.
        let delay = at_least.saturating_add(up_to(bound));
        let credit = self.longest.saturating_mul(BURST - 1);
        let unpaid = self.paid_at.saturating_since(now).saturating_sub(credit);
        let delay = delay.max(unpaid);
        let elapsed = self.began.map(|began| now.saturating_since(began)).unwrap_or_default();
        match self.max_time {
            Some(most) if elapsed.saturating_add(delay) > most => None,
            _ => Some(delay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::new(Duration::from_secs(seconds))
    }

    #[test]
    fn delays_are_spread_from_nothing_to_a_bound_that_doubles() {
        for (attempts, bound) in [(1, 500), (2, 1_000), (3, 2_000), (6, 16_000), (7, 30_000), (8, 30_000)] {
            let mut backoff = Backoff::default();
            for n in 0..attempts {
                backoff.begin(at(n * 100));
            }
            let delays: Vec<_> =
                (0..2_000).map(|_| backoff.delay(at(attempts * 100), Duration::ZERO).unwrap().as_millis()).collect();
            let (least, most) = (*delays.iter().min().unwrap(), *delays.iter().max().unwrap());
            // With full jitter, 1 in 20 of 2,000 delays lies in each twentieth, but for one chance in 10^44.
            assert!(least < bound / 20 && most > bound - bound / 20 && most <= bound, "{attempts}: {least}..{most}");
        }
    }

    #[test]
    fn a_wish_of_the_server_is_a_minimum() {
        let mut backoff = Backoff::default();
        backoff.begin(at(0));
        for _ in 0..100 {
            let delay = backoff.delay(at(0), Duration::from_secs(7)).unwrap();
            assert!(delay >= Duration::from_secs(7) && delay <= Duration::from_millis(7_500), "{delay:?}");
        }
    }

    #[test]
    fn only_a_stable_connection_resets_it() {
        for (lived, attempts) in [(59, 3), (60, 0), (3_600, 0)] {
            let mut backoff = Backoff::default();
            (0..3).for_each(|n| backoff.begin(at(n)));
            backoff.ended(at(3), at(3 + lived));
            assert_eq!(backoff.attempts(), attempts, "{lived}");
        }
    }

    #[test]
    fn attempts_and_time_are_limited() {
        let mut backoff = Backoff { max_attempts: Some(2), ..Backoff::default() };
        backoff.begin(at(0));
        assert!(backoff.delay(at(0), Duration::ZERO).is_some());
        backoff.begin(at(1));
        assert!(backoff.delay(at(1), Duration::ZERO).is_none());

        let mut backoff = Backoff { max_time: Some(Duration::from_secs(10)), ..Backoff::default() };
        backoff.begin(at(100));
        assert!(backoff.delay(at(109), Duration::ZERO).is_some());
        assert!(backoff.delay(at(111), Duration::ZERO).is_none());
        assert!(backoff.delay(at(101), Duration::from_secs(10)).is_none(), "it would be too late then");
    }

    #[test]
    fn however_the_dice_fall_thirty_attempts_take_ten_minutes() {
        // No jitter at all: the shortest delay that is allowed.
        let mut backoff = Backoff { first: Duration::ZERO, ..Backoff::default() };
        let (mut now, mut begun) = (at(0), Vec::new());
        while now < at(3_600) {
            backoff.begin(now);
            begun.push(now);
            now = now + backoff.delay(now, Duration::ZERO).unwrap();
        }
        for (n, &first) in begun.iter().enumerate() {
            let within = begun[n..].iter().take_while(|&&at| at.saturating_since(first) <= Duration::from_secs(600));
            assert!(within.count() <= 30, "from {first:?}");
        }
        assert!(begun.len() > 120);
    }
}
