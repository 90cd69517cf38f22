//! How handles reach a driver whose task may never run again.

use std::fmt;

/// A driver that a handle can reach.
pub(crate) trait Spawned: Send + Sync {
    /// Does what the driver's task would do next, without waiting for the transport; whether it did. It does not while this
    /// thread is within a driver, this one or another.
    fn hasten(&self) -> bool;
}

impl fmt::Debug for dyn Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawned")
    }
}
