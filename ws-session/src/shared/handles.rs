//! How many handles a connection has, and the driver that they can reach.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// The handles of one connection: its senders, and the one within the socket.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    count: AtomicUsize,
    /// The driver, where handles write what is queued when they are dropped.
    spawned: OnceLock<Weak<dyn Spawned>>,
}

impl Handles {
    pub(crate) fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// One is gone; whether it was the last.
    pub(super) fn remove(&self) -> bool {
        self.count.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether nobody is left to send or to receive. Asked under the connection's lock, which the last handle takes to wake
    /// the driver after it has gone, so that one of the two sees the other.
    pub(crate) fn are_gone(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Says where handles that are dropped find the driver.
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
    /// Does what the driver's task would do next, without waiting for the transport; whether it did. It does not while this
    /// thread is within a driver, this one or another.
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
