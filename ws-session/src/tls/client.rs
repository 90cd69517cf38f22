//! A client's TLS settings: trusted certificates and a client certificate.

use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

#[cfg(feature = "http2")]
use super::HTTP_2;
use super::provider::{provider, provider_error};
use super::verifier::Verifier;
use super::{HTTP_1_1, PemInput, TlsConfigError, pem, roots};

/// A client's TLS settings. Invalid ones are reported when they are used.
#[derive(Clone, Default)]
pub(crate) struct ClientTls {
    /// A complete configuration, which is used as it is.
    pub(crate) config: Option<Arc<ClientConfig>>,
    /// More certificates to trust.
    ca: Vec<CertificateDer<'static>>,
    pub(super) identity: Option<Arc<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>>,
    /// Whether it had a client certificate, which is for another origin.
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "only connections of HTTP/2 are shared"))]
    pub(super) has_forgotten_identity: bool,
    mistake: Option<TlsConfigError>,
}

impl ClientTls {
    pub(crate) fn add_ca(&mut self, pem: &[u8]) {
        match pem::certificates(PemInput::Ca, pem) {
            Ok(certificates) => self.ca.extend(certificates),
            Err(mistake) => self.mistake = self.mistake.take().or(Some(mistake)),
        }
    }

    pub(crate) fn set_identity(&mut self, chain: &[u8], key: &[u8]) {
        let chain = pem::certificates(PemInput::Certificate, chain);
        match chain.and_then(|chain| Ok((chain, pem::key(key)?))) {
            Ok(identity) => self.identity = Some(Arc::new(identity)),
            Err(mistake) => self.mistake = self.mistake.take().or(Some(mistake)),
        }
    }

    #[cfg(feature = "http2")]
    pub(crate) fn has_forgotten_identity(&self) -> bool {
        self.has_forgotten_identity
    }

    /// Builds the configuration for a proxy, which does not see the client certificate.
    #[cfg(feature = "proxies")]
    pub(crate) fn proxy_config(&self) -> Result<Arc<ClientConfig>, TlsConfigError> {
        Self { identity: None, ..self.clone() }.config()
    }

    /// Builds the configuration.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, TlsConfigError> {
        static DEFAULT: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        if let Some(mistake) = &self.mistake {
            return Err(mistake.clone());
        }
        if let Some(config) = &self.config {
            return Ok(with_http(Arc::clone(config)));
        }
        if self.ca.is_empty() && self.identity.is_none() {
            // One configuration for all connections, so that sessions can be resumed (RFC 8446 §2.2).
            return match DEFAULT.get() {
                Some(config) => Ok(Arc::clone(config)),
                None => {
                    let config = build(Vec::new(), None)?;
                    Ok(Arc::clone(DEFAULT.get_or_init(|| config)))
                }
            };
        }
        let identity = self.identity.as_ref().map(|identity| (identity.0.clone(), identity.1.clone_key()));
        build(self.ca.clone(), identity)
    }
}

fn build(
    ca: Vec<CertificateDer<'static>>,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<Arc<ClientConfig>, TlsConfigError> {
    let mut roots = roots::roots().clone();
    for certificate in &ca {
        roots
            .add(certificate.clone())
            .map_err(|error| TlsConfigError::Certificate { input: PemInput::Ca, why: error.to_string() })?;
    }
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(provider_error)?;
    let builder = match ca.is_empty() {
        true => builder.with_root_certificates(roots),
        false => {
            let verifier = Verifier::new(roots, ca, provider)
                .map_err(|error| TlsConfigError::Certificate { input: PemInput::Ca, why: error.to_string() })?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let mut config = match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(pem::identity_error)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(Arc::new(config))
}

/// Sets ALPN to HTTP/1.1, unless the configuration has protocols.
fn with_http(config: Arc<ClientConfig>) -> Arc<ClientConfig> {
    if !config.alpn_protocols.is_empty() {
        return config;
    }
    let mut config = ClientConfig::clone(&config);
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Arc::new(config)
}

/// Offers HTTP/2 in ALPN before the other protocols, or not at all.
#[cfg(feature = "http2")]
pub(crate) fn with_http2(config: Arc<ClientConfig>, offered: bool) -> Arc<ClientConfig> {
    if config.alpn_protocols.iter().any(|protocol| protocol == HTTP_2) == offered {
        return config;
    }
    let mut config = ClientConfig::clone(&config);
    match offered {
        true => config.alpn_protocols.insert(0, HTTP_2.to_vec()),
        false => config.alpn_protocols.retain(|protocol| protocol != HTTP_2),
    }
    Arc::new(config)
}
