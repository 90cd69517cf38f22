//! The source of this crate's locks.
//!
//! Only `tests/schedules` sets `cfg(ws_schedules)`. With it, each lock is a point at which a test decides which thread
//! continues.
//!
//! Some shared state is not covered, because no decision depends on it: reference counts, connection IDs, heads that are
//! parsed on first use, and each thread's read buffer.

#[cfg(ws_schedules)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(not(ws_schedules))]
pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
