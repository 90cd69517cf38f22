//! The crypto provider.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

use super::TlsConfigError;

/// The provider that this process has installed, otherwise ring. Every configuration is built with it, because rustls panics
/// if it has none or must guess among several.
pub(super) fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()))
}

/// The provider has no cipher suites for any version of TLS.
pub(super) fn provider_error(error: rustls::Error) -> TlsConfigError {
    TlsConfigError::Provider(error.to_string())
}
