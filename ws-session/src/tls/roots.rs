//! The trusted root certificates.

use std::sync::OnceLock;

use rustls::RootCertStore;
use tracing::debug;

use crate::logging::TARGET;

/// The platform's root certificates, read once in a process. If the platform has none, those of Mozilla's program, which
/// come with this crate.
pub(super) fn roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let platform = rustls_native_certs::load_native_certs();
        for error in &platform.errors {
            debug!(target: TARGET, "reading the platform's certificates: {error}");
        }
        let mut roots = RootCertStore::empty();
        // Platforms keep old certificates that cannot be parsed any more. They are skipped.
        let (added, ignored) = roots.add_parsable_certificates(platform.certs);
        debug!(target: TARGET, added, ignored, "read the platform's certificates");
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        roots
    })
}
