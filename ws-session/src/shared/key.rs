//! Keys of waiting tasks.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// A key of a waiting task, unique within this process, so that the task can be removed when it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(NonZeroU64);

impl Key {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_are_the_same() {
        assert_ne!(Key::new(), Key::new());
    }
}
