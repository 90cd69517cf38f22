//! Why a connection did not open.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use bytes::Bytes;
use http::Response;
use ws_proto::handshake::client::{BuildError, HandshakeError, describe_refusal};
use ws_proto::{Escaped, EscapedBytes};

use super::{CompressionError, DialError, TimedOut, UrlError};
use crate::tls::{TlsConfigError, TlsError};

/// Why a connection did not open.
///
/// Its `Debug` form is the same sentence as its `Display` form, since that is what Rust prints when `main` returns it. What
/// it is made of is reached by matching, and by [`response`](Self::response) and [`io_error`](Self::io_error).
#[non_exhaustive]
pub enum ConnectError {
    /// The URL cannot be used. Nothing was sent.
    Url(UrlError),
    /// The request cannot be built from what was given. Nothing was sent.
    Request(BuildError),
    /// The URL asks for TLS, which this build or this runtime does not have. Nothing was sent.
    TlsUnsupported,
    /// What TLS was to use cannot be used. Nothing was sent.
    TlsConfig(TlsConfigError),
    /// The host has no address, or none could be found out.
    Resolve {
        /// The host of the URL.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
    /// None of the host's addresses could be connected to.
    Dial(DialError),
    /// TLS failed, or the server speaks it where we do not.
    Tls(TlsError),
    /// It took longer than [`Client::connect_timeout`](crate::Client::connect_timeout).
    Timeout(TimedOut),
    /// The transport failed before the handshake had ended.
    Io(io::Error),
    /// The server closed the connection before it answered.
    Eof,
    /// The server does not speak HTTP: the first line of what it said, of which at most 256 bytes are kept.
    NotHttp(Bytes),
    /// The server answered something other than 101: it refuses, redirects, or is no WebSocket server. With what came of
    /// the body within half a second, at most 64 KiB.
    ///
    /// Redirects are not followed; `Location` says where to. Which form of it other clients follow is in `docs/peers.md` in
    /// the repository.
    Rejected(Box<Response<Bytes>>),
    /// The server's answer is not a valid opening handshake (RFC 6455 §4.1).
    Handshake(HandshakeError),
    /// The server's answer is no answer to the compression that was offered (RFC 7692 §7.1).
    Compression(CompressionError),
}

impl ConnectError {
    /// The server's answer, when it was not a 101: status, headers, and the beginning of the body.
    pub fn response(&self) -> Option<&Response<Bytes>> {
        match self {
            Self::Rejected(response) => Some(response),
            _ => None,
        }
    }

    /// The system's error, when it was one: of the resolver, of the transport, or of the last address that was tried.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Resolve { error, .. } | Self::Io(error) => Some(error),
            Self::Dial(error) => error.attempts.last().map(|attempt| &attempt.error),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::TlsUnsupported => f.write_str("wss:// needs TLS, which this build does not have"),
            Self::TlsConfig(error) => error.fmt(f),
            Self::Resolve { host, error } => write!(f, "cannot resolve {host}: {}", Escaped(error)),
            Self::Dial(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Timeout(error) => error.fmt(f),
            Self::Io(error) => {
                write!(f, "the connection failed before the opening handshake had ended: {}", Escaped(error))
            }
            Self::Eof => f.write_str("the server closed the connection before it answered"),
            Self::NotHttp(line) => write!(f, "the server does not speak HTTP; it said {:?}", EscapedBytes(line)),
            Self::Rejected(response) => describe_refusal(response).fmt(f),
            Self::Handshake(error) => error.fmt(f),
            Self::Compression(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // What each is made of is told by the sentence above.
            Self::Tls(error) => error.source(),
            _ => self.io_error().and_then(StdError::source),
        }
    }
}

impl From<ConnectError> for io::Error {
    /// Of the kind of the system's error, if it was one; otherwise of one that fits. The [`ConnectError`] is inside
    /// ([`io::Error::get_ref`], [`io::Error::downcast`]).
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::Url(_) | ConnectError::Request(_) | ConnectError::TlsConfig(_) => io::ErrorKind::InvalidInput,
            ConnectError::TlsUnsupported => io::ErrorKind::Unsupported,
            ConnectError::Timeout(_) => io::ErrorKind::TimedOut,
            ConnectError::Eof => io::ErrorKind::UnexpectedEof,
            ConnectError::Rejected(_) => io::ErrorKind::ConnectionRefused,
            ConnectError::Tls(_)
            | ConnectError::NotHttp(_)
            | ConnectError::Handshake(_)
            | ConnectError::Compression(_) => io::ErrorKind::InvalidData,
            _ => error.io_error().map_or(io::ErrorKind::Other, io::Error::kind),
        };
        Self::new(kind, error)
    }
}

impl From<TimedOut> for ConnectError {
    fn from(error: TimedOut) -> Self {
        Self::Timeout(error)
    }
}
