//! [`UpgradeError`]: an accepted request did not become a connection.

use std::error::Error as StdError;
use std::fmt;

use ws_proto::Escaped;

use super::BoxError;

/// The reason why a request that was accepted did not become a connection.
///
/// `Debug` prints the same sentence as `Display`, because Rust prints `Debug` when `main` returns an error.
#[non_exhaustive]
pub enum UpgradeError {
    /// The HTTP library did not hand over the transport: the client left before it had the response, for example. The error
    /// is the library's.
    NotHandedOver(BoxError),
    /// The drain deadline of a shutdown passed before the HTTP library handed over the transport.
    Stopped,
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHandedOver(error) => write!(f, "the HTTP connection was not handed over: {}", Escaped(error)),
            Self::Stopped => f.write_str("the server was shut down before the HTTP connection was handed over"),
        }
    }
}

impl fmt::Debug for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for UpgradeError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // `Display` includes the error itself.
            Self::NotHandedOver(error) => error.source(),
            Self::Stopped => None,
        }
    }
}
