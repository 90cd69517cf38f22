//! Messages of both commands on standard error.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use crate::exit;

/// Prints the reason of a failure to standard error. A closed standard error is ignored.
pub(crate) fn fail(message: fmt::Arguments<'_>) -> ExitCode {
    warn(message);
    ExitCode::from(exit::FAILED)
}

/// Prints a line to standard error.
pub(crate) fn warn(message: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{message}");
}
