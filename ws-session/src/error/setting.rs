//! [`InvalidSetting`]: a setting of a server is invalid.

use std::error::Error as StdError;
use std::fmt;

use crate::tls::TlsConfigError;

/// An invalid setting of a [`Server`](crate::Server). The methods that set it never fail. The methods that use the server
/// (`bind`, `listen_on`, `accept`) report the first invalid setting.
///
/// `Debug` prints the same sentence as `Display`, because Rust prints `Debug` when `main` returns an error.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSetting {
    /// An origin is invalid ([`Server::origins`](crate::Server::origins)). The text names it and the reason.
    Origins(String),
    /// A response header is invalid, or set by the handshake itself ([`Server::header`](crate::Server::header)).
    Header(String),
    /// A route is invalid, or there are two for one path ([`Server::routes`](crate::Server::routes)).
    Routes(String),
    /// A subprotocol is not a token (RFC 6455 §4.1), so no client can offer it
    /// ([`Server::subprotocols`](crate::Server::subprotocols)); or one is required and none is supported.
    Subprotocols(String),
    /// A user name has a colon, so no client can send it (RFC 7617 §2; `Server::basic_auth`).
    Users(String),
    /// A proxy is neither an address nor a network
    /// ([`Server::trusted_proxies`](crate::Server::trusted_proxies)).
    TrustedProxies(String),
    /// The certificates or a private key (`Server::tls`, `Server::tls_with`).
    Tls(TlsConfigError),
    /// HTTP/2 (`Server::http2`) on a runtime without it.
    Http2Unsupported,
    /// [`Server::reuse_port`](crate::Server::reuse_port) on a system without it.
    ReusePortUnsupported,
    /// The PROXY protocol (`Server::proxy_protocol`) without
    /// [`Server::trusted_proxies`](crate::Server::trusted_proxies).
    ProxyProtocolUntrusted,
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origins(mistake)
            | Self::Header(mistake)
            | Self::Routes(mistake)
            | Self::Subprotocols(mistake)
            | Self::Users(mistake)
            | Self::TrustedProxies(mistake) => f.write_str(mistake),
            Self::Tls(error) => error.fmt(f),
            Self::Http2Unsupported => f.write_str("this runtime does not speak HTTP/2"),
            Self::ReusePortUnsupported => f.write_str("this system lets only one socket listen on a port (reuse_port)"),
            Self::ProxyProtocolUntrusted => {
                f.write_str("no proxy may send a header of the PROXY protocol (proxy_protocol without trusted_proxies)")
            }
        }
    }
}

impl fmt::Debug for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for InvalidSetting {}
