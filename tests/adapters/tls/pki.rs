//! An authority for a test, what it issues, and peers that speak TLS in bytes, on threads of their own.

use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use super::super::setup::rustls;
use super::super::setup::{Client, KIB, Running, Server, ServerTls, TOO_LONG, request, response_to, uncompressed};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
};

/// Both versions of TLS there are: the order in which certificates are looked at differs between them.
pub(super) const VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&rustls::version::TLS13], &[&rustls::version::TLS12]];

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

// ---- certificates ----

/// Who issues certificates.
pub(in super::super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, both in PEM.
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Authority {
    pub(in super::super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two of the same name would be taken for each other.
        static MADE: AtomicU32 = AtomicU32::new(1);
        let name = format!("authority {} for tests", MADE.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// Its own certificate.
    pub(in super::super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(super) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// Adds a certificate for `localhost` and `127.0.0.1`.
    pub(in super::super) fn identify(&self, tls: ServerTls) -> ServerTls {
        let identity = self.issue(&["localhost", "127.0.0.1"]);
        tls.certificate(identity.certificate, identity.key)
    }

    /// A certificate for these names and addresses.
    pub(super) fn issue(&self, names: &[&str]) -> Identity {
        self.issue_with(names, |_| {})
    }

    pub(super) fn issue_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        self.sign(names, &KeyPair::generate().unwrap(), change)
    }

    /// A certificate for this key.
    pub(super) fn issue_for(&self, names: &[&str], key: &KeyPair) -> Identity {
        self.sign(names, key, |_| {})
    }

    fn sign(&self, names: &[&str], key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        Identity { certificate: params.signed_by(key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }
}

impl Identity {
    pub(super) fn certificates(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect::<std::result::Result<_, _>>().unwrap()
    }

    pub(super) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }
}

// ---- configurations made with rustls ----

/// A client that trusts the authority.
pub(super) fn client_config(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(authority.roots())
        .with_no_client_auth()
}

/// A server with this certificate.
pub(super) fn server_config(identity: &Identity, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.certificates(), identity.private_key())
        .unwrap()
}

/// A server with this certificate that takes only clients which have one of the authority's.
pub(super) fn demanding_config(
    identity: &Identity,
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider()).build().unwrap();
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.certificates(), identity.private_key())
        .unwrap()
}

// ---- servers and clients ----

/// A server for `localhost` and `127.0.0.1`, and who issued its certificate.
pub(in super::super) fn secure_server() -> (Server, Authority) {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost", "127.0.0.1"]);
    (uncompressed().tls(identity.certificate, identity.key), authority)
}

/// Where it is reached, with TLS.
pub(in super::super) fn secure_url(server: &Running) -> String {
    server.url("/").replacen("ws:", "wss:", 1)
}

/// A client of it, who trusts the authority.
pub(in super::super) fn secure_client(server: &Running, authority: &Authority) -> Client {
    Client::new(secure_url(server)).ca(authority.pem())
}

/// The client with a certificate, and with a complete configuration that has one.
pub(in super::super) fn with_client_certificate(authority: &Authority, client: Client) -> [Client; 2] {
    let shown = authority.issue(&[]);
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(authority.roots());
    let config = config.with_client_auth_cert(shown.certificates(), shown.private_key()).unwrap();
    [client.clone().client_certificate(&shown.certificate, &shown.key), client.tls_config(Arc::new(config))]
}

// ---- peers ----

/// One end of a TLS connection, in the hands of a test.
pub(super) struct TlsPeer {
    pub(super) tls: Connection,
    stream: TcpStream,
    /// What was read and not yet taken.
    received: Vec<u8>,
}

impl TlsPeer {
    /// A client that wants to talk to `localhost`.
    pub(super) fn client(address: SocketAddr, config: ClientConfig) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        Self::new(connection.into(), TcpStream::connect(address).unwrap())
    }

    pub(super) fn server(stream: TcpStream, config: ServerConfig) -> Self {
        Self::new(ServerConnection::new(Arc::new(config)).unwrap().into(), stream)
    }

    fn new(tls: Connection, stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        stream.set_write_timeout(Some(TOO_LONG)).unwrap();
        Self { tls, stream, received: Vec::new() }
    }

    /// Does the TLS handshake; that it is through does not mean that the other end sees it so.
    pub(super) fn shake_hands(&mut self) -> Result<()> {
        while self.tls.is_handshaking() {
            self.tls.complete_io(&mut self.stream)?;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.shake_hands().unwrap();
        self.tls.writer().write_all(bytes.as_ref()).unwrap();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream).unwrap();
        }
    }

    /// Reads once; 0 only when the other end has said that it ends here, `UnexpectedEof` when it has not.
    pub(super) fn read(&mut self) -> Result<usize> {
        self.shake_hands()?;
        loop {
            let mut bytes = [0; 16 * KIB];
            match self.tls.reader().read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => {
                    self.received.extend(&bytes[..*read.as_ref().unwrap_or(&0)]);
                    return read;
                }
            }
            self.tls.read_tls(&mut self.stream)?;
            self.tls.process_new_packets().map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        }
    }

    pub(super) fn take(&mut self, n: usize) -> Vec<u8> {
        while self.received.len() < n {
            assert!(self.read().unwrap() > 0, "the end of the stream, after {:?}", self.received);
        }
        self.received.drain(..n).collect()
    }

    /// All there is until the other end has said that it ends here.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        while self.read().expect("an end that was said") > 0 {}
        std::mem::take(&mut self.received)
    }

    /// A head, with the empty line that ends it.
    pub(super) fn head(&mut self) -> String {
        while !self.received.ends_with(b"\r\n\r\n") {
            assert!(self.read().unwrap() > 0, "the end of the stream, after {:?}", self.received);
        }
        String::from_utf8(std::mem::take(&mut self.received)).unwrap()
    }

    /// Does a client's opening handshake, which has to succeed.
    pub(super) fn upgrade(&mut self) {
        self.write(request("/", &[]));
        let head = self.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    }

    /// Does a server's opening handshake.
    pub(super) fn accept(&mut self) {
        let request = self.head();
        self.write(response_to(request.as_bytes()));
    }

    /// Says that TLS ends here (`close_notify`).
    pub(super) fn say_the_end(&mut self) {
        self.tls.send_close_notify();
        self.tls.write_tls(&mut self.stream).unwrap();
    }

    /// Writes to TCP what has not gone through TLS.
    pub(super) fn write_beside(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Ends TCP, without a word.
    pub(super) fn cut(&mut self) {
        self.stream.shutdown(Shutdown::Both).unwrap();
    }
}

/// A server for one client, which does with its stream what it wants.
pub(super) fn listen<O: Send + 'static>(script: impl FnOnce(TcpStream) -> O + Send + 'static) -> (u16, JoinHandle<O>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, thread::spawn(move || script(listener.accept().unwrap().0)))
}
