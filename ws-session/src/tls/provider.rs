//! Who does the cryptography.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

use super::TlsConfigError;

/// The provider that this process has installed, else ring. It is always named when a configuration is built: rustls
/// panics where it has to guess between several, or has none.
pub(super) fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()))
}

/// The provider has no cipher suites for any version of TLS.
pub(super) fn provider_error(error: rustls::Error) -> TlsConfigError {
    TlsConfigError::Provider(error.to_string())
}
