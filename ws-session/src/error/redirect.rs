//! [`RedirectError`]: a client does not follow a redirect.

use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;
use http::Response;

use super::UrlError;

/// A redirect that a client does not follow.
pub struct RedirectError {
    response: Box<Response<Bytes>>,
    /// The `Location`, escaped and without a password.
    location: String,
    failure: RedirectFailure,
}

/// The reason why a redirect is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectFailure {
    /// More redirects than [`Client::max_redirects`](crate::Client::max_redirects).
    TooMany {
        /// The limit.
        limit: u32,
    },
    /// From `wss://` to `ws://`.
    Downgrade,
    /// The `Location` is not a URL for a WebSocket.
    Location(UrlError),
    /// To another origin, while the client is told where to connect whatever the URL says: a host, a port, a Unix socket or a
    /// transport.
    Overridden,
}

impl RedirectError {
    /// `location` is shown as it is.
    #[cfg(feature = "redirects")]
    pub(crate) fn new(response: Box<Response<Bytes>>, location: String, failure: RedirectFailure) -> Self {
        Self { response, location, failure }
    }

    /// The response that redirects.
    pub fn response(&self) -> &Response<Bytes> {
        &self.response
    }

    /// The reason.
    pub fn failure(&self) -> &RedirectFailure {
        &self.failure
    }
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the redirect to {} (HTTP {}) is not followed: ", self.location, self.response.status())?;
        match &self.failure {
            RedirectFailure::TooMany { limit } => {
                write!(f, "more than {limit} redirects (Client::max_redirects sets the limit)")
            }
            RedirectFailure::Downgrade => f.write_str("it leads from wss:// to ws://"),
            RedirectFailure::Location(error) => error.fmt(f),
            RedirectFailure::Overridden => {
                f.write_str("it leads to another origin, and this client connects elsewhere than the URL says")
            }
        }
    }
}

impl fmt::Debug for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for RedirectError {}
