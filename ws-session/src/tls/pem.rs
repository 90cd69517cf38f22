//! Certificates and keys from PEM.

use rustls::Error;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{PemInput, TlsConfigError};

/// All certificates in the PEM, at least one.
pub(super) fn certificates(input: PemInput, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsConfigError::Pem { input, why: error.to_string() })?;
    match certificates.is_empty() {
        true => Err(TlsConfigError::NoCertificate(input)),
        false => Ok(certificates),
    }
}

/// The first private key in the PEM.
pub(super) fn key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
    match PrivateKeyDer::pem_slice_iter(pem).next() {
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => Err(TlsConfigError::Pem { input: PemInput::Key, why: error.to_string() }),
        None if contains(pem, b"BEGIN ENCRYPTED PRIVATE KEY") => Err(TlsConfigError::EncryptedKey),
        None => Err(TlsConfigError::NoKey),
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// The reason why rustls refuses a certificate and its key.
pub(super) fn identity_error(error: Error) -> TlsConfigError {
    match error {
        Error::InconsistentKeys(_) => TlsConfigError::KeyMismatch,
        Error::InvalidCertificate(error) => {
            TlsConfigError::Certificate { input: PemInput::Certificate, why: error.to_string() }
        }
        Error::General(why) => TlsConfigError::Key(why),
        error => TlsConfigError::Key(error.to_string()),
    }
}
