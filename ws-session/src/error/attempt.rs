//! [`FailedAttempt`]: an attempt to connect again failed.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::ConnectError;

/// A failed attempt of [`Reconnect`](crate::Reconnect).
pub struct FailedAttempt {
    error: ConnectError,
    attempt: u32,
    retry_in: Option<Duration>,
}

impl FailedAttempt {
    pub(crate) fn new(error: ConnectError, attempt: u32, retry_in: Option<Duration>) -> Self {
        Self { error, attempt, retry_in }
    }

    /// The reason of the failure.
    pub fn error(&self) -> &ConnectError {
        &self.error
    }

    /// Returns the reason of the failure.
    pub fn into_error(self) -> ConnectError {
        self.error
    }

    /// The number of the attempt since the last stable connection, from 1 on.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The delay before the next attempt. `None` if there is none: the error is not temporary, or a limit is reached.
    pub fn retry_in(&self) -> Option<Duration> {
        self.retry_in
    }
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt {}: {}; ", self.attempt, self.error)?;
        match self.retry_in {
            Some(delay) => write!(f, "the next in {:.1} s", delay.as_secs_f64()),
            None => f.write_str("there is no further one"),
        }
    }
}

impl fmt::Debug for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for FailedAttempt {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // `Display` includes the error.
        self.error.source()
    }
}
