//! Random numbers that a seed decides.

use std::future::Future;

use crate::cut_off::cut_off;

/// A source of random numbers.
pub trait Chance {
    /// A number below `n`, which is 1 at the least.
    fn below(&mut self, n: usize) -> usize;

    /// True once in `n` times.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// SplitMix64: what a seed decides, and no compression makes small.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// Any number.
    #[expect(clippy::should_implement_trait, reason = "it does not end")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// So many bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| self.next().to_be_bytes()).collect();
        bytes.truncate(len);
        bytes
    }

    /// Polls `future` a few times at most and then drops it, at a random point: right after it said that it is not
    /// ready, or when it has been woken and would be polled again. `None` when it was dropped before it was ready.
    pub async fn flaky<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let (polls, when_woken) = match self.below(3) {
            0 => (usize::MAX, false),
            _ => (self.below(4), self.one_in(2)),
        };
        cut_off(future, polls, when_woken).await
    }

    /// Another source, decided by this one.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }
}

impl Chance for Random {
    fn below(&mut self, n: usize) -> usize {
        self.below(n)
    }
}
