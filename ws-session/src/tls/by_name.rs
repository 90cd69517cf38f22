//! Chooses a server's certificate by the host name that the client asks for.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Certificates by the names in them. The first is for clients that ask for no name, or for an unknown one.
#[derive(Debug)]
pub(super) struct ByName {
    identities: Vec<Arc<CertifiedKey>>,
    /// Their places. A name may begin with `*.`, for one label.
    names: HashMap<String, Vec<usize>>,
}

impl ByName {
    pub(super) fn new(identities: Vec<Arc<CertifiedKey>>) -> Self {
        let mut names: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, identity) in identities.iter().enumerate() {
            let certificate = identity.cert.first().and_then(|der| webpki::EndEntityCert::try_from(der).ok());
            for name in certificate.iter().flat_map(|certificate| certificate.valid_dns_names()) {
                names.entry(name.to_ascii_lowercase()).or_default().push(place);
            }
        }
        Self { identities, names }
    }

    /// The places of the certificates for a name, in lower case.
    fn find(&self, name: &str) -> Option<&[usize]> {
        let wildcard = || self.names.get(&format!("*.{}", name.split_once('.')?.1));
        self.names.get(name).or_else(wildcard).map(Vec::as_slice)
    }
}

impl ResolvesServerCert for ByName {
    /// Two certificates for one name may have keys of different kinds: the client says which it accepts.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_usable = |identity: &&Arc<CertifiedKey>| identity.key.choose_scheme(hello.signature_schemes()).is_some();
        let places = hello.server_name().and_then(|name| self.find(&name.to_ascii_lowercase()));
        let named: Vec<_> = match places {
            Some(places) => places.iter().filter_map(|&place| self.identities.get(place)).collect(),
            None => self.identities.iter().collect(),
        };
        let usable = named.iter().copied().find(is_usable);
        usable.or(named.first().copied()).cloned()
    }
}
