//! Why a connection did not open.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use bytes::Bytes;
use http::Response;
#[cfg(feature = "deflate")]
use ws_proto::deflate::InvalidAnswer;
use ws_proto::handshake::client::{BuildError, Error as HandshakeError};

use super::url::UrlError;
use crate::exchange::Interrupted;
use crate::tls::{self, TlsConfigError, TlsError};

/// Why a connection did not open.
#[derive(Debug)]
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
    /// TLS failed, or the server speaks it where we do not.
    Tls(TlsError),
    /// It took longer than [`Client::connect_timeout`].
    Timeout,
    /// Name resolution, TCP, or the transport failed.
    Io(io::Error),
    /// The server closed the connection before it answered.
    Eof,
    /// The server answered something other than 101: it refuses, redirects, or is no WebSocket server. With at most
    /// 64 KiB of the body.
    Rejected(Box<Response<Bytes>>),
    /// The server's answer is not a valid opening handshake (RFC 6455 §4.1).
    Handshake(HandshakeError),
    /// The server's answer is no answer to the compression that was offered (RFC 7692 §7.1).
    #[cfg(feature = "deflate")]
    Compression(InvalidAnswer),
}

impl ConnectError {
    /// The server's answer, when it was not a 101: status, headers, and at most 64 KiB of the body.
    pub fn response(&self) -> Option<&Response<Bytes>> {
        match self {
            Self::Rejected(response) => Some(response),
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
            Self::Tls(error) => error.fmt(f),
            Self::Timeout => f.write_str("timed out during the opening handshake"),
            Self::Io(error) => error.fmt(f),
            Self::Eof => f.write_str("the server closed the connection before it answered"),
            Self::Rejected(response) => {
                write!(f, "server rejected the WebSocket connection: HTTP {}", response.status())
            }
            Self::Handshake(error) => error.fmt(f),
            #[cfg(feature = "deflate")]
            Self::Compression(error) => error.fmt(f),
        }
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Url(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::TlsConfig(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Handshake(error) => Some(error),
            #[cfg(feature = "deflate")]
            Self::Compression(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Interrupted> for ConnectError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Timeout => Self::Timeout,
            // TLS says in words of its own that TCP ended.
            Interrupted::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Eof,
            Interrupted::Io(error) => tls::from_io(error).map_or_else(Self::Io, Self::Tls),
        }
    }
}
