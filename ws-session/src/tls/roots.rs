//! Whom the world trusts.

use std::sync::OnceLock;

use rustls::RootCertStore;
use tracing::debug;

use crate::logging::TARGET;

/// The platform's certificates, read once in the life of the process; those of Mozilla's program, which come with this
/// crate, where the platform has none.
pub(super) fn roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let platform = rustls_native_certs::load_native_certs();
        for error in &platform.errors {
            debug!(target: TARGET, "reading the platform's certificates: {error}");
        }
        let mut roots = RootCertStore::empty();
        // Platforms keep old ones that nobody can read any more; they are no reason to do without the others.
        let (added, ignored) = roots.add_parsable_certificates(platform.certs);
        debug!(target: TARGET, added, ignored, "read the platform's certificates");
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        roots
    })
}
