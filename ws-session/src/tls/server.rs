//! A server's TLS settings: its certificate and key.

use std::sync::Arc;

use rustls::ServerConfig;

#[cfg(feature = "http2")]
use super::HTTP_2;
use super::provider::{provider, provider_error};
use super::{HTTP_1_1, PemInput, TlsConfigError, pem};

/// The configuration of a server with this certificate. It asks clients for none.
pub(crate) fn server_config(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsConfigError> {
    let chain = pem::certificates(PemInput::Certificate, chain)?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(provider_error)?
        .with_no_client_auth()
        .with_single_cert(chain, pem::key(key)?)
        .map_err(pem::identity_error)?;
    Ok(with_http(Arc::new(config)))
}

/// Offers HTTP/2 in ALPN, before the other protocols, unless it is offered already.
#[cfg(feature = "http2")]
pub(crate) fn with_http2(config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    if config.alpn_protocols.iter().any(|protocol| protocol == HTTP_2) {
        return config;
    }
    let mut config = ServerConfig::clone(&config);
    config.alpn_protocols.insert(0, HTTP_2.to_vec());
    Arc::new(config)
}

/// Sets ALPN to HTTP/1.1, unless the configuration has protocols.
pub(crate) fn with_http(config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    if !config.alpn_protocols.is_empty() {
        return config;
    }
    let mut config = ServerConfig::clone(&config);
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Arc::new(config)
}
