//! [`CompressionError`]: an invalid answer to an offer of compression.

#[cfg(not(feature = "deflate"))]
use std::convert::Infallible;
use std::fmt;

#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::InvalidAnswer;

/// The reason why a server's answer to the offered compression is invalid (RFC 7692 §7.1). Without the feature `deflate`
/// nothing is offered, and this error does not occur.
#[derive(Clone, PartialEq, Eq)]
pub struct CompressionError {
    #[cfg(feature = "deflate")]
    answer: InvalidAnswer,
    #[cfg(not(feature = "deflate"))]
    answer: Infallible,
}

#[cfg(feature = "deflate")]
impl CompressionError {
    pub(crate) fn new(answer: InvalidAnswer) -> Self {
        Self { answer }
    }

    /// The fault of the answer.
    pub fn answer(&self) -> &InvalidAnswer {
        &self.answer
    }
}

impl fmt::Display for CompressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.answer.fmt(f)
    }
}

impl fmt::Debug for CompressionError {
    /// Prints the same sentence as [`Display`](fmt::Display), because Rust prints `Debug` when `main` returns an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CompressionError {}
