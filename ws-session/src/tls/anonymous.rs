//! A client that a redirect leads to another origin: its certificate is not for that one.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::sign::CertifiedKey;

use super::ClientTls;

impl ClientTls {
    /// Forgets the client certificate, and sessions with it that could be resumed.
    pub(crate) fn forget_identity(&mut self) {
        self.has_forgotten_identity |= self.identity.take().is_some();
        if let Some(config) = self.config.as_mut().filter(|config| config.client_auth_cert_resolver.has_certs()) {
            self.has_forgotten_identity = true;
            let config = Arc::make_mut(config);
            config.client_auth_cert_resolver = Arc::new(NoIdentity);
            config.resumption = Resumption::default();
        }
    }
}

/// Answers a server that asks for a certificate.
#[derive(Debug)]
struct NoIdentity;

impl ResolvesClientCert for NoIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
