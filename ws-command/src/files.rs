//! Certificates and keys, which come in files.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use ws_tokio::{PemInput, TlsConfigError};

/// Who we are, in TLS.
#[derive(Debug, Clone, Args)]
pub(crate) struct IdentityFiles {
    /// Our certificate and those of its issuers, PEM; needs --key
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// The private key of --cert, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// What is in them.
pub(crate) struct IdentityPem {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl IdentityFiles {
    /// Reads both, when there are both; what could not be read, in a sentence.
    pub(crate) fn read(&self) -> Result<Option<IdentityPem>, String> {
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Ok(Some(IdentityPem { certificate: read(cert)?, key: read(key)? })),
            _ => Ok(None),
        }
    }

    /// What is wrong with a file, in a sentence.
    pub(crate) fn explain(&self, ca: Option<&Path>, error: &TlsConfigError) -> String {
        let file = match error.input() {
            Some(PemInput::Ca) => ca,
            Some(PemInput::Certificate) => self.cert.as_deref(),
            Some(PemInput::Key) => self.key.as_deref(),
            _ => None,
        };
        match file {
            Some(file) => format!("Cannot use {}: {error}.", file.display()),
            None => format!("Cannot use TLS: {error}."),
        }
    }
}

/// All that is in a file; why it could not be read, in a sentence.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("Cannot read {}: {error}.", file.display()))
}
