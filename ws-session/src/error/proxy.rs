//! [`ProxyError`]: a client's proxy did not connect it to the server.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use bytes::Bytes;
use http::Response;
use ws_proto::{Escaped, EscapedBytes};

use super::ConnectError;

/// The most bytes of a proxy's explanation in an error's text.
const SHOWN: usize = 200;

/// The reason why a client's proxy did not connect it to the server. It never contains credentials.
pub struct ProxyError {
    /// The proxy without its credentials, or the source of an invalid URL.
    proxy: String,
    cause: ProxyCause,
}

/// The part of connecting through a proxy that failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyCause {
    /// The proxy's URL is invalid. The text is the reason. Nothing was sent.
    Url(String),
    /// A SOCKS proxy, and the crate is built without its feature `socks`. Nothing was sent.
    SocksUnsupported,
    /// User name or password cannot be sent to a SOCKS proxy: each is UTF-8 of 1 to 255 bytes (RFC 1929). Nothing was sent.
    Credentials,
    /// The proxy was not reached: its name, its address, or TLS to it.
    Connect(Box<ConnectError>),
    /// The connection to the proxy failed before the proxy had answered.
    Io(io::Error),
    /// The proxy closed the connection before it had answered.
    Eof,
    /// The proxy's answer is malformed, or over a limit. The text is the reason.
    Response(String),
    /// The proxy sent bytes after its answer, before the server can have sent any.
    UnexpectedBytes,
    /// An HTTP proxy refused: 407 if it wants other credentials (RFC 9110 §15.5.8).
    #[non_exhaustive]
    Refused {
        /// Host and port of the server.
        server: String,
        /// The proxy's response. The body is the part that arrived within half a second, at most 64 KiB.
        response: Box<Response<Bytes>>,
    },
    /// A SOCKS proxy refused.
    #[non_exhaustive]
    Socks {
        /// Host and port of the server.
        server: String,
        /// The reason it gave.
        reply: SocksReply,
    },
}

/// The reason for which a SOCKS5 proxy refuses (RFC 1928 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocksReply {
    /// It wants credentials, or other ones (RFC 1928 §3, RFC 1929 §2).
    Authentication,
    /// General failure of the proxy (1).
    GeneralFailure,
    /// Its rules do not allow the connection (2).
    NotAllowed,
    /// The server's network is unreachable (3).
    NetworkUnreachable,
    /// The server is unreachable (4). Many proxies answer this for a name that they cannot resolve.
    HostUnreachable,
    /// The server refused the connection (5).
    ConnectionRefused,
    /// The time to live expired (6).
    TtlExpired,
    /// It does not support connecting (7).
    CommandNotSupported,
    /// It does not support this type of address (8).
    AddressTypeNotSupported,
}

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authentication => "it wants other credentials",
            Self::GeneralFailure => "general failure",
            Self::NotAllowed => "not allowed by its rules",
            Self::NetworkUnreachable => "network unreachable",
            Self::HostUnreachable => "host unreachable",
            Self::ConnectionRefused => "connection refused",
            Self::TtlExpired => "time to live expired",
            Self::CommandNotSupported => "it does not support connecting",
            Self::AddressTypeNotSupported => "it does not support this type of address",
        })
    }
}

impl ProxyError {
    #[cfg(feature = "proxies")]
    pub(crate) fn new(proxy: String, cause: ProxyCause) -> Self {
        Self { proxy, cause }
    }

    /// The proxy: `http://proxy.example:3128`. It has no credentials.
    pub fn proxy(&self) -> &str {
        &self.proxy
    }

    /// The part of connecting that failed.
    pub fn cause(&self) -> &ProxyCause {
        &self.cause
    }

    /// The proxy's response, if it was an HTTP response that refuses.
    pub fn response(&self) -> Option<&Response<Bytes>> {
        match &self.cause {
            ProxyCause::Refused { response, .. } => Some(response),
            _ => None,
        }
    }

    /// The system's error, if there was one.
    pub(crate) fn io_error(&self) -> Option<&io::Error> {
        match &self.cause {
            ProxyCause::Io(error) => Some(error),
            ProxyCause::Connect(error) => error.io_error(),
            _ => None,
        }
    }

    /// Whether the proxy may reach the server at another of its addresses.
    #[cfg(feature = "socks")]
    pub(crate) fn may_reach_another_address(&self) -> bool {
        use SocksReply as Reply;

        let ProxyCause::Socks { reply, .. } = &self.cause else { return false };
        !matches!(reply, Reply::Authentication | Reply::CommandNotSupported)
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proxy, cause } = self;
        match cause {
            ProxyCause::Url(why) => write!(f, "invalid proxy ({proxy}): {why}"),
            ProxyCause::SocksUnsupported => {
                write!(f, "the proxy {proxy} needs the crate feature `socks`, without which this program is built")
            }
            ProxyCause::Credentials => {
                write!(f, "the proxy {proxy}: user name and password must be UTF-8 of 1 to 255 bytes each")
            }
            ProxyCause::Connect(error) => write!(f, "the proxy {proxy}: {error}"),
            ProxyCause::Io(error) => {
                write!(f, "the connection to the proxy {proxy} failed before it answered: {}", Escaped(error))
            }
            ProxyCause::Eof => write!(f, "the proxy {proxy} closed the connection before it answered"),
            ProxyCause::Response(why) => write!(f, "the proxy {proxy} does not answer as a proxy: {why}"),
            ProxyCause::UnexpectedBytes => write!(f, "the proxy {proxy} sent bytes that are not the server's"),
            ProxyCause::Refused { server, response } => {
                write!(f, "the proxy {proxy} refused to connect to {server}: HTTP {}", response.status())?;
                let body = response.body().trim_ascii();
                match body.get(..SHOWN).filter(|_| body.len() > SHOWN) {
                    Some(begin) => write!(f, ": {:?}…", EscapedBytes(begin)),
                    None if body.is_empty() => Ok(()),
                    None => write!(f, ": {:?}", EscapedBytes(body)),
                }
            }
            ProxyCause::Socks { server, reply } => {
                write!(f, "the proxy {proxy} refused to connect to {server}: {reply}")
            }
        }
    }
}

impl fmt::Debug for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for ProxyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.cause {
            // `Display` includes the errors inside.
            ProxyCause::Connect(error) => error.source(),
            ProxyCause::Io(error) => error.source(),
            _ => None,
        }
    }
}
