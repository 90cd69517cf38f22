//! A server's TLS configuration: where each handshake gets it from.

use std::sync::Arc;

use rustls::ServerConfig;

#[cfg(feature = "http2")]
use super::HTTP_2;
use super::{HTTP_1_1, ServerTls};

/// The configuration of a server, or the certificates of which it is made.
#[derive(Clone)]
pub(crate) enum ServerTlsSource {
    Fixed(Arc<ServerConfig>),
    Certificates {
        tls: ServerTls,
        /// Whether ALPN offers HTTP/2.
        http2: bool,
    },
}

impl ServerTlsSource {
    /// A complete configuration, with HTTP/1.1 in ALPN unless it has protocols.
    pub(crate) fn fixed(config: Arc<ServerConfig>) -> Self {
        Self::Fixed(with_http(config))
    }

    /// The configuration for a connection that begins now. `None` if the certificates could never be loaded.
    pub(crate) fn config(&self) -> Option<Arc<ServerConfig>> {
        match self {
            Self::Fixed(config) => Some(Arc::clone(config)),
            Self::Certificates { tls, http2 } => tls.config(*http2),
        }
    }

    /// Offers HTTP/2 in ALPN, too.
    #[cfg(feature = "http2")]
    pub(crate) fn offering_http2(self) -> Self {
        match self {
            Self::Fixed(config) => Self::Fixed(with_http2(config)),
            Self::Certificates { tls, .. } => Self::Certificates { tls, http2: true },
        }
    }
}

/// Offers HTTP/2 in ALPN, before the other protocols, unless it is offered already.
#[cfg(feature = "http2")]
pub(super) fn with_http2(config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    if config.alpn_protocols.iter().any(|protocol| protocol == HTTP_2) {
        return config;
    }
    let mut config = ServerConfig::clone(&config);
    config.alpn_protocols.insert(0, HTTP_2.to_vec());
    Arc::new(config)
}

/// Sets ALPN to HTTP/1.1, unless the configuration has protocols.
pub(super) fn with_http(config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    if !config.alpn_protocols.is_empty() {
        return config;
    }
    let mut config = ServerConfig::clone(&config);
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Arc::new(config)
}
