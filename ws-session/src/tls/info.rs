//! [`TlsInfo`]: the result of a TLS handshake.

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Weak};

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, CommonState, ProtocolVersion};

/// The result of the TLS handshake of a connection: [`WebSocket::tls`](crate::WebSocket::tls), and on a server also
/// [`RequestExt::tls`](crate::RequestExt::tls). Cheap to clone.
///
/// ```
/// use ws_session::TlsInfo;
///
/// fn describe(tls: &TlsInfo) -> String {
///     format!("{:?} to {:?}", tls.version(), tls.server_name()) // Some(TLSv1_3) to Some("example.com")
/// }
/// ```
#[derive(Clone)]
pub struct TlsInfo(Arc<Negotiated>);

struct Negotiated {
    server_name: Option<Box<str>>,
    protocol: Option<Box<[u8]>>,
    version: Option<ProtocolVersion>,
    cipher_suite: Option<CipherSuite>,
    peer_certificates: Option<Arc<[CertificateDer<'static>]>>,
}

impl TlsInfo {
    /// The result of a handshake with [`rustls`](crate::rustls), for a [`Transport`](crate::Transport) of your own, or for the
    /// extensions of a request that goes to [`Server::upgrade`](crate::Server::upgrade). `server_name` is that of a server's
    /// connection (`ServerConnection::server_name`).
    ///
    /// Both types of connections dereference to the `CommonState`.
    pub fn new(connection: &CommonState, server_name: Option<&str>) -> Self {
        Self(Arc::new(Negotiated {
            server_name: server_name.map(Into::into),
            protocol: connection.alpn_protocol().map(Into::into),
            version: connection.protocol_version(),
            cipher_suite: connection.negotiated_cipher_suite().map(|suite| suite.suite()),
            peer_certificates: connection.peer_certificates().map(shared),
        }))
    }

    /// The same with the name that the client has asked for.
    #[must_use]
    pub fn with_server_name(self, name: &str) -> Self {
        let Negotiated { version, cipher_suite, ref protocol, ref peer_certificates, .. } = *self.0;
        let (protocol, peer_certificates) = (protocol.clone(), peer_certificates.clone());
        Self(Arc::new(Negotiated {
            server_name: Some(name.into()),
            protocol,
            version,
            cipher_suite,
            peer_certificates,
        }))
    }

    /// The host name that the client has sent (SNI, RFC 6066 §3), in lower case. `None` if it has sent none: it does not if
    /// the host of its URL is an IP address.
    pub fn server_name(&self) -> Option<&str> {
        self.0.server_name.as_deref()
    }

    /// The protocol that was negotiated (ALPN, RFC 7301): `http/1.1`, or `h2` for HTTP/2. `None` if the peer does not
    /// negotiate it.
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.0.protocol.as_deref()
    }

    /// The version of TLS.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.0.version
    }

    /// The cipher suite. Its `as_str` is the name in the RFCs: `TLS13_AES_128_GCM_SHA256`.
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        self.0.cipher_suite
    }

    /// The certificates that the peer has presented and that were accepted: its own, then those of its issuers. Each is an
    /// X.509 certificate in DER. Empty if it has presented none, as clients do unless a server asks.
    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        self.0.peer_certificates.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = self.alpn_protocol().map(String::from_utf8_lossy);
        f.debug_struct("TlsInfo")
            .field("server_name", &self.server_name())
            .field("alpn_protocol", &protocol)
            .field("version", &self.version())
            .field("cipher_suite", &self.cipher_suite())
            .field("peer_certificates", &self.peer_certificates().len())
            .finish()
    }
}

/// A chain of certificates. A client with many connections to one server keeps it once for each thread.
fn shared(chain: &[CertificateDer<'static>]) -> Arc<[CertificateDer<'static>]> {
    thread_local! {
        static LATEST: Cell<Option<Weak<[CertificateDer<'static>]>>> = const { Cell::new(None) };
    }
    let latest = LATEST.take().and_then(|latest| latest.upgrade()).filter(|latest| **latest == *chain);
    let chain = latest.unwrap_or_else(|| chain.into());
    LATEST.set(Some(Arc::downgrade(&chain)));
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_that_comes_again_is_kept_once() {
        let chain = |byte| [CertificateDer::from(vec![byte])];
        let first = shared(&chain(1));
        assert!(Arc::ptr_eq(&first, &shared(&chain(1))));
        assert_eq!(*shared(&chain(2)), chain(2));
        assert_eq!(*shared(&chain(1)), *first);
    }
}
