//! `--insecure`: TLS without verification of the server's certificate. The libraries have no such switch. It is built here
//! on the API that rustls calls `dangerous`.

use std::sync::Arc;

use ws_tokio::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use ws_tokio::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use ws_tokio::rustls::pki_types::pem::PemObject as _;
use ws_tokio::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use ws_tokio::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::files::IdentityPem;

/// A TLS configuration that accepts any server certificate, with our client certificate if there is one.
pub(super) fn config(identity: Option<IdentityPem>) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate { provider }));
    let Some(IdentityPem { certificate, key }) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
    let chain = chain.map_err(|error| format!("the certificate: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| format!("the private key: {error}"))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())
}

/// Accepts any certificate. The server must still prove that it has the certificate's key, as TLS requires.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
