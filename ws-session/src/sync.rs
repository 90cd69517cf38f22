//! Where this crate gets its locks.
//!
//! `tests/schedules` builds these sources with `cfg(ws_schedules)`: each lock is then a point at which a test decides
//! which thread goes on. Nobody else sets it.
//!
//! What stays out of its sight decides nothing: counting references, the number that names a connection, a head that is
//! parsed when first asked for, and each thread's read buffer, of which a second reader on the same thread gets another.

#[cfg(ws_schedules)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(not(ws_schedules))]
pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
