//! [`DialError`] and [`TimedOut`]: the host of a URL was not reached, or not in time.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ws_proto::Escaped;

/// An attempt to connect to an address, and its error.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// One of the host's addresses.
    pub address: SocketAddr,
    /// The error. Its kind is [`TimedOut`](io::ErrorKind::TimedOut) if the address had not answered by the deadline.
    pub error: io::Error,
}

impl Attempt {
    pub(crate) fn unanswered(address: SocketAddr) -> Self {
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

/// The error if no address of a host accepts a connection.
pub struct DialError {
    pub(crate) host: String,
    pub(crate) attempts: Vec<Attempt>,
}

impl DialError {
    /// The host of the URL.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Each address that was tried, with its error, in the order of failure.
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
        self.attempts.last().and_then(|attempt| attempt.error.source())
    }
}

/// The stage of connecting at which the deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The host was being resolved.
    Resolving,
    /// TCP connections to the host's addresses were being opened.
    Tcp,
    /// A proxy had been asked to connect to the server.
    Proxy,
    /// The TLS handshake was in progress.
    Tls,
    /// The opening handshake was in progress (RFC 6455 §4.1).
    Handshake,
}

/// The error if connecting took too long.
pub struct TimedOut {
    stage: Stage,
    timeout: Duration,
    /// The host, or the address once it is connected.
    peer: String,
    attempts: Vec<Attempt>,
}

impl TimedOut {
    /// `peer` may be empty, if the other end is unknown.
    pub(crate) fn new(stage: Stage, timeout: Duration, peer: String) -> Self {
        Self { stage, timeout, peer, attempts: Vec::new() }
    }

    pub(crate) fn with_attempts(self, attempts: Vec<Attempt>) -> Self {
        Self { attempts, ..self }
    }

    /// The stage at which the deadline passed.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The limit, [`Client::connect_timeout`](crate::Client::connect_timeout).
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// In [`Stage::Tcp`], each address that was tried, with its error.
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
            Stage::Tcp if self.attempts.is_empty() => write!(f, "connecting to {peer}"),
            Stage::Tcp => {
                write!(f, "connecting to {peer}: ")?;
                list(&self.attempts, f)
            }
            Stage::Proxy => write!(f, "waiting for the proxy {peer} to connect to the server"),
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
