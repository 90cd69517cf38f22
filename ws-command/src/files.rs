//! Reads certificates and keys from files.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use ws_tokio::{PemInput, ServerTls, TlsConfigError};

/// The files of our TLS certificate and its key.
#[derive(Debug, Clone, Args)]
pub(crate) struct IdentityFiles {
    /// A PEM file of our certificate and those of its issuers; needs --key
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// A PEM file of the private key of --cert
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// The contents of those files.
pub(crate) struct IdentityPem {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl IdentityFiles {
    /// Reads both files, if both are given. The error is a sentence that names the file.
    pub(crate) fn read(&self) -> Result<Option<IdentityPem>, String> {
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Ok(Some(IdentityPem { certificate: read(cert)?, key: read(key)? })),
            _ => Ok(None),
        }
    }

    /// Both files for a server, which can read them again, if they are given.
    pub(crate) fn server_tls(&self) -> Option<ServerTls> {
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some(ServerTls::new().certificate_files(cert, key)),
            _ => None,
        }
    }

    /// A sentence that names the file that a TLS error is about.
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

/// A sentence that names the file that an error of a server's certificates is about.
pub(crate) fn explain_server_tls(error: &TlsConfigError) -> String {
    match error {
        TlsConfigError::InFile { file, error } => format!("Cannot use {}: {error}.", file.display()),
        TlsConfigError::Unreadable { file, why } => format!("Cannot read {}: {why}.", file.display()),
        error => format!("Cannot use TLS: {error}."),
    }
}

/// Reads a whole file. The error is a sentence that names it.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("Cannot read {}: {error}.", file.display()))
}
