//! Why a connection did not open.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
#[cfg(feature = "deflate")]
use ws_proto::deflate::InvalidAnswer;
use ws_proto::handshake::client::{BuildError, Error as HandshakeError, describe_refusal};
use ws_proto::{Escaped, EscapedBytes};

use super::url::UrlError;
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
    #[cfg(feature = "deflate")]
    Compression(InvalidAnswer),
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
            #[cfg(feature = "deflate")]
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
            Self::Url(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::TlsConfig(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Handshake(error) => Some(error),
            #[cfg(feature = "deflate")]
            Self::Compression(error) => Some(error),
            _ => self.io_error().map(|error| error as _),
        }
    }
}

impl From<TimedOut> for ConnectError {
    fn from(error: TimedOut) -> Self {
        Self::Timeout(error)
    }
}

/// An address that was tried, and what came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// One of the host's addresses.
    pub address: SocketAddr,
    /// Why there is no connection to it. Of kind [`TimedOut`](io::ErrorKind::TimedOut) if it had not answered by the
    /// deadline.
    pub error: io::Error,
}

impl Attempt {
    pub(super) fn unanswered(address: SocketAddr) -> Self {
        Self { address, error: io::Error::new(io::ErrorKind::TimedOut, "no answer") }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, Escaped(&self.error))
    }
}

/// Writes `a: why; b: why`.
fn list(attempts: &[Attempt], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (n, attempt) in attempts.iter().enumerate() {
        write!(f, "{}{attempt}", if n == 0 { "" } else { "; " })?;
    }
    Ok(())
}

/// None of a host's addresses could be connected to.
pub struct DialError {
    pub(super) host: String,
    pub(super) attempts: Vec<Attempt>,
}

impl DialError {
    /// The host of the URL.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Each address that was tried and what came of it, the first to fail first.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot connect to ")?;
        match &*self.attempts {
            // The host is the address.
            [only] if only.address.ip().to_string() == self.host => {}
            _ => write!(f, "{}: ", self.host)?,
        }
        list(&self.attempts, f)
    }
}

impl fmt::Debug for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for DialError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.attempts.last().map(|attempt| &attempt.error as _)
    }
}

/// How far connecting had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The host was being looked up.
    Resolving,
    /// TCP connections to the host's addresses were being opened.
    Tcp,
    /// The TLS handshake was under way.
    Tls,
    /// The opening handshake was under way (RFC 6455 §4.1).
    Handshake,
}

/// Connecting took longer than it was allowed to.
pub struct TimedOut {
    stage: Stage,
    timeout: Duration,
    /// The host, or the address where one is connected to.
    peer: String,
    attempts: Vec<Attempt>,
}

impl TimedOut {
    /// `peer` may be empty, when nobody knows the other end.
    pub(super) fn new(stage: Stage, timeout: Duration, peer: String) -> Self {
        Self { stage, timeout, peer, attempts: Vec::new() }
    }

    pub(super) fn with_attempts(self, attempts: Vec<Attempt>) -> Self {
        Self { attempts, ..self }
    }

    /// How far connecting had come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// How long it was allowed to take ([`Client::connect_timeout`](crate::Client::connect_timeout)).
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// In [`Stage::Tcp`], each address that was tried and what came of it.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { timeout, peer, .. } = self;
        write!(f, "timed out after {timeout:?} ")?;
        match self.stage {
            Stage::Resolving => write!(f, "resolving {peer}"),
            Stage::Tcp => {
                write!(f, "connecting to {peer}: ")?;
                list(&self.attempts, f)
            }
            Stage::Tls => write!(f, "in the TLS handshake with {peer}"),
            Stage::Handshake if peer.is_empty() => f.write_str("in the opening handshake"),
            Stage::Handshake => write!(f, "in the opening handshake: {peer} took the connection and did not answer"),
        }
    }
}

impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for TimedOut {}
