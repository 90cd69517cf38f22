//! Randomness that a seed decides.

use std::future::Future;

use super::cut_off::cut_off;

/// SplitMix64: small, and good enough to shuffle.
#[derive(Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Polls `future` a few times at most and then drops it, at a random point: right after it said that it is not
    /// ready, or when it has been woken and would be polled again. `None` when it was dropped before it was ready.
    pub(crate) async fn flaky<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let (polls, when_woken) = match self.below(3) {
            0 => (usize::MAX, false),
            _ => (self.below(4), self.one_in(2)),
        };
        cut_off(future, polls, when_woken).await
    }
}

/// The seeds of a test with random schedules: so many, or as many as the environment variable `SEEDS` says, or the one
/// in `SEED`.
pub(crate) fn seeds(n: u64) -> impl Iterator<Item = u64> {
    let variable = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    match variable("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("SEEDS").unwrap_or(n),
    }
}
