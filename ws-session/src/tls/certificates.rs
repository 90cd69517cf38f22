//! [`ServerTls`]: a server's certificates, which can be renewed while it runs.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tracing::{error, info};

use super::by_name::ByName;
use super::provider::{provider, provider_error};
use super::server::with_http;
#[cfg(feature = "http2")]
use super::server::with_http2;
use super::{PemInput, TlsConfigError, pem};
use crate::logging::{TARGET, unless_heard};

/// The certificates of a server with TLS, for [`Server::tls_with`](crate::Server::tls_with): from files or from memory, one or
/// several, and the certificates that clients must have.
///
/// ```no_run
/// use ws_session::{Runtime, Server, ServerTls, TlsConfigError};
///
/// fn secured<R: Runtime>(server: Server<R>) -> (Server<R>, ServerTls) {
///     let tls = ServerTls::new().certificate_files("cert.pem", "key.pem");
///     (server.tls_with(tls.clone()), tls)
/// }
///
/// /// Call this after the files were replaced. No connection ends.
/// fn renewed(tls: &ServerTls) -> Result<bool, TlsConfigError> {
///     tls.reload()
/// }
/// ```
///
/// A clone shares the certificates: [`reload`](Self::reload) renews those of all. A method that changes the settings makes
/// a value that shares nothing with earlier clones.
#[derive(Clone, Default)]
pub struct ServerTls {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    settings: Settings,
    current: Mutex<Current>,
}

#[derive(Clone, Default)]
struct Settings {
    /// Certificate and key of each.
    identities: Vec<(Pem, Pem)>,
    client_ca: Vec<Pem>,
    /// Whether clients without a certificate are accepted.
    optional: bool,
    interval: Option<Duration>,
}

/// Text in PEM.
#[derive(Clone)]
enum Pem {
    Text(Arc<[u8]>),
    File(PathBuf),
}

#[derive(Default)]
struct Current {
    loaded: Option<Loaded>,
    /// The time of the last look at the files.
    looked: Option<Instant>,
}

/// Configurations for rustls, and the certificates in them, to be compared with others.
struct Loaded {
    certificates: Certificates,
    http1: Arc<ServerConfig>,
    #[cfg(feature = "http2")]
    http2: Arc<ServerConfig>,
}

#[derive(PartialEq, Eq)]
struct Certificates {
    chains: Vec<Vec<CertificateDer<'static>>>,
    client_ca: Vec<CertificateDer<'static>>,
}

impl ServerTls {
    /// No certificates yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a certificate and its private key, both in PEM. The certificates of its issuers follow the certificate.
    ///
    /// With several, the one is used whose `subjectAltName` has the host name that the client asks for (SNI). The first is for
    /// other clients. Two for the same name may have different kinds of keys, such as RSA and ECDSA.
    #[must_use]
    pub fn certificate(mut self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let identity = (Pem::Text(certificate.as_ref().into()), Pem::Text(key.as_ref().into()));
        self.settings().identities.push(identity);
        self
    }

    /// Adds a certificate and its private key as [`certificate`](Self::certificate) does, from files. They are read again by
    /// [`reload`](Self::reload).
    #[must_use]
    pub fn certificate_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.settings().identities.push((Pem::File(certificate.into()), Pem::File(key.into())));
        self
    }

    /// Asks clients for a certificate that one of these authorities has issued, in PEM. A client without one is refused
    /// during the TLS handshake, unless it is [optional](Self::optional_client_certificates). Default: clients are not asked.
    ///
    /// [`TlsInfo::peer_certificates`](crate::TlsInfo::peer_certificates) has the certificate of a client.
    #[must_use]
    pub fn client_ca(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.settings().client_ca.push(Pem::Text(pem.as_ref().into()));
        self
    }

    /// Asks clients for a certificate as [`client_ca`](Self::client_ca) does, with the authorities in a file. It is read
    /// again by [`reload`](Self::reload).
    #[must_use]
    pub fn client_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings().client_ca.push(Pem::File(path.into()));
        self
    }

    /// Accepts clients without a certificate, too, after [`client_ca`](Self::client_ca). One of another issuer is still
    /// refused. A hook can refuse such clients with a text that browsers show.
    #[must_use]
    pub fn optional_client_certificates(mut self) -> Self {
        self.settings().optional = true;
        self
    }

    /// Looks at the files again after this time: when a client connects and the last look is longer ago. An error is logged
    /// at ERROR, and the old certificates stay in use until the next look. Default: never.
    ///
    /// The files are read by the task that accepts this client, which blocks its thread for that time, usually far less
    /// than 1 ms.
    #[must_use]
    pub fn reload_every(mut self, interval: Duration) -> Self {
        self.settings().interval = Some(interval);
        self
    }

    /// Reads the files again, and uses them for connections from now on. Open connections, and handshakes in progress, go
    /// on with what they have. Returns whether the certificates have changed.
    ///
    /// It blocks while it reads. Clients that come back do a full handshake: a changed configuration resumes no TLS sessions.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, is damaged or incomplete, or a key does not belong to its certificate. The error names the
    /// file ([`TlsConfigError::file`]). The old certificates stay in use.
    pub fn reload(&self) -> Result<bool, TlsConfigError> {
        self.shared.reload(&mut self.shared.lock())
    }

    /// Loads the certificates unless they are.
    pub(crate) fn load(&self) -> Result<(), TlsConfigError> {
        let mut current = self.shared.lock();
        if current.loaded.is_none() {
            self.shared.reload(&mut current)?;
        }
        Ok(())
    }

    /// The configuration for a connection that begins now.
    pub(super) fn config(&self, http2: bool) -> Option<Arc<ServerConfig>> {
        let mut current = self.shared.lock();
        let (interval, looked) = (self.shared.settings.interval, current.looked);
        if interval.is_some_and(|interval| looked.is_none_or(|looked| looked.elapsed() >= interval)) {
            match self.shared.reload(&mut current) {
                Ok(true) => info!(target: TARGET, "the TLS certificates were renewed"),
                Ok(false) => {}
                Err(error) => {
                    let text = "the TLS certificates were not renewed, and the old ones stay in use";
                    error!(target: TARGET, "{text}: {error}");
                    unless_heard(format_args!("{text}: {error}"));
                }
            }
        }
        let loaded = current.loaded.as_ref()?;
        #[cfg(feature = "http2")]
        if http2 {
            return Some(Arc::clone(&loaded.http2));
        }
        let _ = http2;
        Some(Arc::clone(&loaded.http1))
    }

    /// The settings, to be changed. What was loaded with others is forgotten.
    fn settings(&mut self) -> &mut Settings {
        let shared = Arc::make_mut(&mut self.shared);
        shared.current = Mutex::default();
        &mut shared.settings
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { identities, client_ca, optional, interval } = &self.shared.settings;
        f.debug_struct("ServerTls")
            .field("certificates", &identities.len())
            .field("asks_clients", &!client_ca.is_empty())
            .field("optional", optional)
            .field("reload_every", interval)
            .finish()
    }
}

/// Nothing is loaded in a clone.
impl Clone for Shared {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone(), current: Mutex::default() }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reload(&self, current: &mut Current) -> Result<bool, TlsConfigError> {
        current.looked = Some(Instant::now());
        let (certificates, identities) = self.settings.read()?;
        if current.loaded.as_ref().is_some_and(|loaded| loaded.certificates == certificates) {
            return Ok(false);
        }
        let http1 = with_http(Arc::new(self.settings.build(&certificates, identities)?));
        current.loaded = Some(Loaded {
            certificates,
            #[cfg(feature = "http2")]
            http2: with_http2(Arc::clone(&http1)),
            http1,
        });
        Ok(true)
    }
}

impl Settings {
    fn read(&self) -> Result<(Certificates, Vec<Arc<CertifiedKey>>), TlsConfigError> {
        let (mut chains, mut identities) = (Vec::new(), Vec::new());
        for (certificate, key) in &self.identities {
            let chain = certificate.parse(|text| pem::certificates(PemInput::Certificate, text))?;
            let identity = key.parse(|text| Ok(CertifiedKey::from_der(chain.clone(), pem::key(text)?, &provider())));
            identities.push(Arc::new(identity?.map_err(|error| {
                let error = pem::identity_error(error);
                let input = if error.input() == Some(PemInput::Certificate) { certificate } else { key };
                input.explain(error)
            })?));
            chains.push(chain);
        }
        if identities.is_empty() {
            return Err(TlsConfigError::NoCertificate(PemInput::Certificate));
        }
        let mut client_ca = Vec::new();
        for ca in &self.client_ca {
            client_ca.extend(ca.parse(|text| pem::certificates(PemInput::Ca, text))?);
        }
        Ok((Certificates { chains, client_ca }, identities))
    }

    fn build(
        &self,
        certificates: &Certificates,
        identities: Vec<Arc<CertifiedKey>>,
    ) -> Result<ServerConfig, TlsConfigError> {
        let invalid_ca = |why: String| {
            let error = TlsConfigError::Certificate { input: PemInput::Ca, why };
            // With several, it is not known which.
            match &*self.client_ca {
                [only] => only.explain(error),
                _ => error,
            }
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(provider_error)?;
        let builder = match certificates.client_ca.is_empty() {
            true => builder.with_no_client_auth(),
            false => {
                let mut roots = RootCertStore::empty();
                for certificate in &certificates.client_ca {
                    roots.add(certificate.clone()).map_err(|error| invalid_ca(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
                let verifier = if self.optional { verifier.allow_unauthenticated() } else { verifier };
                builder.with_client_cert_verifier(verifier.build().map_err(|error| invalid_ca(error.to_string()))?)
            }
        };
        Ok(builder.with_cert_resolver(Arc::new(ByName::new(identities))))
    }
}

impl Pem {
    fn parse<T>(&self, parse: impl FnOnce(&[u8]) -> Result<T, TlsConfigError>) -> Result<T, TlsConfigError> {
        match self {
            Self::Text(text) => parse(text),
            Self::File(file) => {
                let text = fs::read(file)
                    .map_err(|error| TlsConfigError::Unreadable { file: file.clone(), why: error.to_string() })?;
                parse(&text).map_err(|error| self.explain(error))
            }
        }
    }

    /// Names the file in an error.
    fn explain(&self, error: TlsConfigError) -> TlsConfigError {
        match self {
            Self::Text(_) => error,
            Self::File(file) => TlsConfigError::InFile { file: file.clone(), error: Box::new(error) },
        }
    }
}
