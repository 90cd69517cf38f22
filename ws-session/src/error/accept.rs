//! [`AcceptError`]: a server did not open a connection.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use http::StatusCode;
use ws_proto::Escaped;
use ws_proto::handshake::server::Rejection;

use super::InvalidSetting;
use crate::tls::TlsError;

/// The reason why a server did not open a connection.
#[non_exhaustive]
pub enum AcceptError {
    /// The request was refused with a response.
    Rejected(Rejection),
    /// A hook answered with a response of its own ([`Server::on_request`](crate::Server::on_request)).
    Answered(StatusCode),
    /// The request did not arrive in time. The client was sent a 408, except during TLS.
    Timeout,
    /// The client left before its request was complete.
    Eof,
    /// The client connected and left without a byte, as the health checks of load balancers do.
    Silent,
    /// The server was shut down before the client sent its request.
    Stopped,
    /// The client's request was not complete when another client needed its place
    /// ([`Server::max_handshakes`](crate::Server::max_handshakes)).
    Displaced,
    /// A setting of the server is invalid. Nothing was sent to the client.
    Setting(InvalidSetting),
    /// TLS failed, or the client uses TLS and the server does not.
    Tls(TlsError),
    /// The transport failed.
    Io(io::Error),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Answered(status) => write!(f, "answered with HTTP {status}"),
            Self::Timeout => f.write_str("the opening handshake took too long"),
            Self::Eof => f.write_str("the client left before its request was complete"),
            Self::Silent => f.write_str("the client connected and left without a byte"),
            Self::Stopped => f.write_str("the server was shut down"),
            Self::Displaced => {
                f.write_str("the client had not completed its request when another needed its place (max_handshakes)")
            }
            Self::Setting(mistake) => mistake.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Io(error) => Escaped(error).fmt(f),
        }
    }
}

impl fmt::Debug for AcceptError {
    /// Prints the same sentence as [`Display`](fmt::Display), because Rust prints `Debug` when `main` returns an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for AcceptError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // Each is told by the sentence above.
            Self::Tls(error) => error.source(),
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<InvalidSetting> for AcceptError {
    fn from(mistake: InvalidSetting) -> Self {
        Self::Setting(mistake)
    }
}

impl From<AcceptError> for io::Error {
    /// Has the kind of the transport's error, if there is one; otherwise one that fits. It contains the [`AcceptError`].
    fn from(error: AcceptError) -> Self {
        let kind = match &error {
            AcceptError::Io(error) => error.kind(),
            AcceptError::Setting(_) => io::ErrorKind::InvalidInput,
            AcceptError::Timeout => io::ErrorKind::TimedOut,
            AcceptError::Eof | AcceptError::Silent => io::ErrorKind::UnexpectedEof,
            AcceptError::Rejected(_) | AcceptError::Tls(_) => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
