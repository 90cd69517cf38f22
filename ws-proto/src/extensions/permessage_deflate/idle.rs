//! [`Idle`]: the time at which memory that is kept for the next message is released.

use core::mem;
use core::time::Duration;

use crate::time::Timestamp;

/// The time without compressed messages after which a direction releases what it does not need.
const SILENCE: Duration = Duration::from_secs(10);

/// Messages only leave a mark. So a deadline that was set stays where it is while messages follow each other, and is checked
/// against the last of them when it has come.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    is_used: bool,
    last_use: Option<Timestamp>,
    deadline: Option<Timestamp>,
}

impl Idle {
    /// Memory was used, and is kept.
    pub(crate) fn touch(&mut self) {
        self.is_used = true;
    }

    /// Takes in the time of a round of I/O. Returns the deadline.
    pub(crate) fn poll(&mut self, now: Timestamp) -> Option<Timestamp> {
        if mem::take(&mut self.is_used) {
            self.last_use = Some(now);
            self.deadline.get_or_insert(now + SILENCE);
        }
        self.deadline
    }

    /// Whether the memory is to be released now. Else the deadline is moved, if it has passed.
    pub(crate) fn is_due(&mut self, now: Timestamp) -> bool {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return false;
        }
        self.deadline = self.last_use.map(|last| last + SILENCE).filter(|&until| until > now);
        self.deadline.is_none()
    }
}
