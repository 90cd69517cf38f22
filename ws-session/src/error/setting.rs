//! A setting that cannot be used.

use std::error::Error as StdError;
use std::fmt;

use crate::tls::TlsConfigError;

/// A setting of a [`Server`](crate::Server) that cannot be used. The methods that set it never fail; the ones that use the
/// server (`bind`, `listen_on`, `accept`) report the first such setting.
///
/// Its `Debug` form is the same sentence as its `Display` form, since that is what Rust prints when `main` returns it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSetting {
    /// One of the origins is none ([`Server::origins`](crate::Server::origins)). The sentence says which one and why.
    Origins(String),
    /// A response header that is invalid, or that the handshake sets ([`Server::header`](crate::Server::header)).
    Header(String),
    /// A proxy that is neither an address nor a network
    /// ([`Server::trusted_proxies`](crate::Server::trusted_proxies)).
    TrustedProxies(String),
    /// The certificate or the private key (`Server::tls`).
    Tls(TlsConfigError),
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origins(mistake) | Self::Header(mistake) | Self::TrustedProxies(mistake) => f.write_str(mistake),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for InvalidSetting {}
