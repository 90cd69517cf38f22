//! Random numbers for epochs, instances and the jitter of delays.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// A random number of the operating system. If it has none, one that at least differs from others of this process.
pub(crate) fn u64() -> u64 {
    getrandom::u64().unwrap_or_else(|_| RandomState::new().build_hasher().finish())
}
