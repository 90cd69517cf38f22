//! The number of handles of a connection, and the driver that they can reach.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// The handles of one connection: its senders, and that within the `WebSocket`.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    count: AtomicUsize,
    /// The driver, if dropped handles write the outgoing queue.
    spawned: OnceLock<Weak<dyn Spawned>>,
}

impl Handles {
    pub(crate) fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Removes a handle. Returns whether it was the last.
    pub(super) fn remove(&self) -> bool {
        self.count.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether no handle is left. Read under the connection's lock. The last handle takes that lock to wake the driver after
    /// it was removed, so one of the two sees the other.
    pub(crate) fn are_gone(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Sets the driver that dropped handles can reach.
    pub(crate) fn set_spawned(&self, driver: Weak<dyn Spawned>) {
        let _ = self.spawned.set(driver);
    }

    /// The driver, while it lives and handles can reach it.
    pub(super) fn spawned(&self) -> Option<Arc<dyn Spawned>> {
        self.spawned.get().and_then(Weak::upgrade)
    }
}

/// A driver that a handle can reach.
pub(crate) trait Spawned: Send + Sync {
    /// Does the next work of the driver's task, without waiting for the transport. Returns whether it did. It does nothing
    /// while this thread is within a driver, this one or another.
    fn hasten(&self) -> bool;
}

impl fmt::Debug for dyn Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawned")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Driver;

    impl Spawned for Driver {
        fn hasten(&self) -> bool {
            true
        }
    }

    #[test]
    fn the_last_handle_is_known() {
        let handles = Handles::default();
        handles.add();
        handles.add();
        assert!(!handles.remove() && !handles.are_gone());
        assert!(handles.remove() && handles.are_gone());
    }

    #[test]
    fn a_driver_is_reached_while_it_lives() {
        let (handles, driver) = (Handles::default(), Arc::new(Driver));
        assert!(handles.spawned().is_none());
        let weak: Weak<Driver> = Arc::downgrade(&driver);
        handles.set_spawned(weak);
        assert!(handles.spawned().is_some_and(|driver| driver.hasten()));
        drop(driver);
        assert!(handles.spawned().is_none());
    }
}
