//! Help with streams that do not block.

use std::io::{self, ErrorKind};

use crate::error::Error;

/// An error that may mean that a call would block.
pub trait NonBlockingError: Sized {
    /// `None` for `WouldBlock`, and any other error unchanged.
    fn into_non_blocking(self) -> Option<Self>;
}

impl NonBlockingError for io::Error {
    fn into_non_blocking(self) -> Option<Self> {
        (self.kind() != ErrorKind::WouldBlock).then_some(self)
    }
}

impl NonBlockingError for Error {
    fn into_non_blocking(self) -> Option<Self> {
        match self {
            Self::Io(error) => error.into_non_blocking().map(Self::Io),
            error => Some(error),
        }
    }
}

/// A result whose error may mean that a call would block.
pub trait NonBlockingResult {
    /// The result without that error.
    type Result;

    /// `Ok(None)` for `WouldBlock`, and `Some` of any other value.
    fn no_block(self) -> Self::Result;
}

impl<T, E: NonBlockingError> NonBlockingResult for Result<T, E> {
    type Result = Result<Option<T>, E>;

    fn no_block(self) -> Self::Result {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) => error.into_non_blocking().map_or(Ok(None), Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocking_is_no_error() {
        let blocks = || io::Error::from(ErrorKind::WouldBlock);
        assert!(matches!(Ok::<_, Error>(1).no_block(), Ok(Some(1))));
        assert!(matches!(Err::<(), _>(Error::Io(blocks())).no_block(), Ok(None)));
        assert!(matches!(Err::<(), _>(blocks()).no_block(), Ok(None)));
        assert!(matches!(Err::<(), _>(Error::AlreadyClosed).no_block(), Err(Error::AlreadyClosed)));
    }
}
