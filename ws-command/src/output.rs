//! What both commands write to standard error.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use crate::exit;

/// Says on standard error why the program failed. A standard error that is gone is no reason to panic.
pub(crate) fn fail(message: fmt::Arguments<'_>) -> ExitCode {
    warn(message);
    ExitCode::from(exit::FAILED)
}

/// A line on standard error.
pub(crate) fn warn(message: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{message}");
}
