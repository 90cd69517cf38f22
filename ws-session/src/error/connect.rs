//! [`ConnectError`]: a client's connection did not open.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use http::{Response, StatusCode};
use ws_proto::handshake::client::{BuildError, HandshakeError, describe_refusal};
use ws_proto::{Escaped, EscapedBytes};

use super::{CompressionError, DialError, ProxyError, RedirectError, TimedOut, UrlError};
use crate::tls::{TlsConfigError, TlsError};

/// The reason why a client's connection did not open.
///
/// `Debug` prints the same sentence as `Display`, because Rust prints `Debug` when `main` returns an error. For details,
/// match on it, or call [`response`](Self::response) and [`io_error`](Self::io_error).
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is invalid. Nothing was sent.
    Url(UrlError),
    /// The request is invalid, such as a header. Nothing was sent.
    Request(BuildError),
    /// The URL needs TLS, which this build or this runtime does not have. Nothing was sent.
    TlsUnsupported,
    /// A certificate or key for TLS is invalid. Nothing was sent.
    TlsConfig(TlsConfigError),
    /// The host has no address, or it cannot be resolved.
    Resolve {
        /// The host of the URL.
        host: String,
        /// The resolver's error.
        error: io::Error,
    },
    /// No address of the host accepts a connection.
    Dial(DialError),
    /// The Unix socket of [`Client::unix_socket`](crate::Client::unix_socket) cannot be connected to.
    UnixSocket {
        /// The path of the socket.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The program's own [`Client::connector`](crate::Client::connector) failed, or the transport given to
    /// [`Client::transport`](crate::Client::transport) was used before.
    Connector(io::Error),
    /// The proxy did not connect to the server, or was not reached.
    Proxy(ProxyError),
    /// TLS failed, or the server uses TLS and the URL is `ws://`.
    Tls(TlsError),
    /// Connecting took longer than [`Client::connect_timeout`](crate::Client::connect_timeout).
    Timeout(TimedOut),
    /// The transport failed before the handshake had ended.
    Io(io::Error),
    /// The server closed the connection before it answered.
    Eof,
    /// The server does not speak HTTP. This is the first line of its output, at most 256 bytes.
    NotHttp(Bytes),
    /// The response is not a 101: the server refuses, or is not a WebSocket server. The body is the part that arrived within
    /// half a second, at most 64 KiB.
    Rejected(Box<Response<Bytes>>),
    /// A redirect that is not followed. [`Client::max_redirects`](crate::Client::max_redirects) has the rules.
    Redirect(RedirectError),
    /// The response is not a valid opening handshake (RFC 6455 §4.1).
    Handshake(HandshakeError),
    /// The response does not answer the offered compression correctly (RFC 7692 §7.1).
    Compression(CompressionError),
}

impl ConnectError {
    /// The server's response, if it was not a 101: status, headers, and the beginning of the body.
    pub fn response(&self) -> Option<&Response<Bytes>> {
        match self {
            Self::Rejected(response) => Some(response),
            Self::Redirect(error) => Some(error.response()),
            _ => None,
        }
    }

    /// The system's error, if there was one: of the resolver, of the transport, or of the last address that was tried.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Resolve { error, .. } | Self::UnixSocket { error, .. } | Self::Connector(error) | Self::Io(error) => {
                Some(error)
            }
            Self::Proxy(error) => error.io_error(),
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
            Self::UnixSocket { path, error } => {
                write!(f, "cannot connect to the Unix socket {}: {}", Escaped(path.display()), Escaped(error))
            }
            Self::Connector(error) => write!(f, "the connector failed: {}", Escaped(error)),
            Self::Proxy(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Timeout(error) => error.fmt(f),
            Self::Io(error) => {
                write!(f, "the connection failed before the opening handshake had ended: {}", Escaped(error))
            }
            Self::Eof => f.write_str("the server closed the connection before it answered"),
            Self::NotHttp(line) => write!(f, "the server does not speak HTTP; it said {:?}", EscapedBytes(line)),
            Self::Rejected(response) => {
                describe_refusal(response).fmt(f)?;
                f.write_str(if asks_for_tls(response) {
                    "; its text says that the port is for TLS (wss://)"
                } else {
                    ""
                })
            }
            Self::Redirect(error) => error.fmt(f),
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
            // `Display` includes the errors inside.
            Self::Tls(error) => error.source(),
            Self::Proxy(error) => error.source(),
            _ => self.io_error().and_then(StdError::source),
        }
    }
}

/// Whether the server says that the request came over plain HTTP to a port for TLS, in the words of these crates, nginx, Go or
/// Apache httpd.
fn asks_for_tls(response: &Response<Bytes>) -> bool {
    let says = |words: &str| response.body().windows(words.len()).any(|window| window == words.as_bytes());
    response.status() == StatusCode::BAD_REQUEST
        && ["This port speaks TLS", "to HTTPS port", "to an HTTPS server", "SSL-enabled server port"]
            .into_iter()
            .any(says)
}

impl From<ConnectError> for io::Error {
    /// Has the kind of the system's error, if there is one; otherwise one that fits. It contains the [`ConnectError`]
    /// ([`io::Error::get_ref`], [`io::Error::downcast`]).
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::Url(_) | ConnectError::Request(_) | ConnectError::TlsConfig(_) => io::ErrorKind::InvalidInput,
            ConnectError::TlsUnsupported => io::ErrorKind::Unsupported,
            ConnectError::Timeout(_) => io::ErrorKind::TimedOut,
            ConnectError::Eof => io::ErrorKind::UnexpectedEof,
            ConnectError::Rejected(_) | ConnectError::Redirect(_) => io::ErrorKind::ConnectionRefused,
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
