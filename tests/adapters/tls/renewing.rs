//! Certificates that are renewed while a server runs, and several of them for one server.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::super::setup::rustls;
use super::super::setup::*;
use super::pki::*;

/// A folder for the files of a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let adapter = module_path!().replace(':', "-");
        let folder = std::env::temp_dir().join(format!("ws-tls-{}-{adapter}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, identity: &Identity) {
        fs::write(self.file("cert.pem"), &identity.certificate).unwrap();
        fs::write(self.file("key.pem"), &identity.key).unwrap();
    }

    fn tls(&self) -> ServerTls {
        ServerTls::new().certificate_files(self.file("cert.pem"), self.file("key.pem"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Connects, and returns the connection and the certificate of the server.
fn connect_to(server: &Running, authority: &Authority) -> (WebSocket, Vec<CertificateDer<'static>>) {
    let ws = block_on(secure_client(server, authority).connect()).unwrap();
    let presented = ws.tls().unwrap().peer_certificates().to_vec();
    (ws, presented)
}

#[test]
fn files_that_were_replaced_are_for_the_connections_from_then_on() {
    let (authority, folder) = (Authority::new(), Folder::new("replaced"));
    let [first, second, third] = [(); 3].map(|()| authority.issue(&["127.0.0.1"]));
    folder.write(&first);
    let tls = folder.tls();
    let server = start(Server::new().tls_with(tls.clone()), echo);
    let (mut open, presented) = connect_to(&server, &authority);
    assert_eq!(presented, first.certificates());

    folder.write(&second);
    assert_eq!(connect_to(&server, &authority).1, first.certificates(), "nobody has said so");
    assert_eq!(tls.reload(), Ok(true));
    let (ws, presented) = connect_to(&server, &authority);
    assert_eq!(presented, second.certificates());
    close(ws);
    send(&open, "still here");
    assert_eq!(text(&mut open), "still here");
    assert_eq!(open.tls().unwrap().peer_certificates(), first.certificates());
    assert_eq!(tls.reload(), Ok(false), "they have not changed");

    // A file that is half written, one that is for another key, and none: the old ones stay.
    let (cert, key) = (folder.file("cert.pem"), folder.file("key.pem"));
    let half = &third.certificate[..third.certificate.len() / 2];
    let cases: [(&dyn Fn(), &Path, &str); 4] = [
        (&|| fs::write(&cert, half).unwrap(), &cert, "invalid PEM of the certificate chain: "),
        (&|| fs::write(&cert, "").unwrap(), &cert, "no certificate in the PEM of the certificate chain"),
        (&|| fs::write(&cert, &third.certificate).unwrap(), &key, "the private key does not belong to the certificate"),
        (&|| fs::remove_file(&key).unwrap(), &key, ""),
    ];
    for (spoil, file, why) in cases {
        spoil();
        let error = tls.reload().unwrap_err();
        assert_eq!(error.file(), Some(file));
        let told = error.to_string();
        match why {
            "" => assert!(told.starts_with(&format!("cannot read {}: ", file.display())), "{told}"),
            why => assert!(told.starts_with(&format!("{}: {why}", file.display())), "{told}"),
        }
        let (ws, presented) = connect_to(&server, &authority);
        assert_eq!(presented, second.certificates());
        close(ws);
    }
    folder.write(&third);
    assert_eq!(tls.reload(), Ok(true));
    assert_eq!(connect_to(&server, &authority).1, third.certificates());
    close(open);
    server.stop();
}

#[test]
fn files_are_looked_at_again_after_the_interval() {
    let (authority, folder) = (Authority::new(), Folder::new("interval"));
    let [first, second] = [(); 2].map(|()| authority.issue(&["127.0.0.1"]));
    folder.write(&first);
    let always = start(Server::new().tls_with(folder.tls().reload_every(Duration::ZERO)), echo);
    let later = start(Server::new().tls_with(folder.tls().reload_every(NEVER)), echo);
    folder.write(&second);
    assert_eq!(connect_to(&always, &authority).1, second.certificates());
    assert_eq!(connect_to(&later, &authority).1, first.certificates());
    fs::write(folder.file("cert.pem"), "").unwrap();
    assert_eq!(connect_to(&always, &authority).1, second.certificates());
    always.stop();
    later.stop();
}

#[test]
fn the_authority_of_clients_is_renewed_too() {
    let (authority, folder) = (Authority::new(), Folder::new("authority"));
    let (old, new) = (Authority::new(), Authority::new());
    folder.write(&authority.issue(&["127.0.0.1"]));
    let ca = folder.file("ca.pem");
    fs::write(&ca, old.pem()).unwrap();
    let tls = folder.tls().client_ca_file(&ca);
    let server = start(Server::new().tls_with(tls.clone()), echo);
    let [of_old, of_new] = [&old, &new].map(|issuer| {
        let shown = issuer.issue(&[]);
        secure_client(&server, &authority).client_certificate(shown.certificate, shown.key)
    });
    let connects = |client: &Client| block_on(client.clone().connect()).map(close).is_ok();
    assert_eq!((connects(&of_old), connects(&of_new)), (true, false));
    fs::write(&ca, new.pem()).unwrap();
    assert_eq!(tls.reload(), Ok(true));
    assert_eq!((connects(&of_old), connects(&of_new)), (false, true), "and no session of before is resumed");
    fs::write(&ca, "").unwrap();
    let error = tls.reload().unwrap_err();
    assert_eq!((error.file(), error.input()), (Some(&*ca), Some(PemInput::Ca)));
    assert!(connects(&of_new));
    server.stop();
}

#[test]
fn a_server_does_not_start_with_files_that_cannot_be_used() {
    let (authority, folder) = (Authority::new(), Folder::new("unusable"));
    let bind = |tls: ServerTls| match block_on(Server::new().tls_with(tls).bind("127.0.0.1:0")).unwrap_err() {
        ServeError::Setting(InvalidSetting::Tls(error)) => error,
        other => panic!("expected an error of TLS, not {other}"),
    };
    assert_eq!(bind(ServerTls::new()), TlsConfigError::NoCertificate(PemInput::Certificate));
    let error = bind(folder.tls());
    assert!(matches!(error, TlsConfigError::Unreadable { .. }), "{error}");
    assert_eq!((error.file(), error.input()), (Some(&*folder.file("cert.pem")), None));
    folder.write(&authority.issue(&["127.0.0.1"]));
    fs::write(folder.file("ca.pem"), "garbage").unwrap();
    let error = bind(folder.tls().client_ca_file(folder.file("ca.pem")));
    assert_eq!((error.file(), error.input()), (Some(&*folder.file("ca.pem")), Some(PemInput::Ca)));
}

#[test]
fn settings_that_change_after_loading_are_loaded_again() {
    let (authority, folder) = (Authority::new(), Folder::new("changed"));
    folder.write(&authority.issue(&["127.0.0.1"]));
    let tls = folder.tls();
    tls.reload().unwrap();
    let server = start(Server::new().tls_with(tls.client_ca(authority.pem())), echo);
    block_on(secure_client(&server, &authority).connect()).unwrap_err();
    server.stop();
}

// ---- several ----

#[test]
fn the_certificate_is_that_for_the_name_that_is_asked_for() {
    let authority = Authority::new();
    let [default, named, below] = [&["default.test"], &["a.test"], &["*.B.test"]].map(|names| authority.issue(names));
    let tls = [&default, &named, &below]
        .into_iter()
        .fold(ServerTls::new(), |tls, identity| tls.certificate(&identity.certificate, &identity.key));
    let server = start(Server::new().tls_with(tls), echo);
    let connect = |name: &str| {
        let client = Client::new(format!("wss://{name}:{}/", server.address.port())).dial_host("127.0.0.1");
        block_on(client.ca(authority.pem()).connect())
    };
    for (name, identity) in [("default.test", &default), ("A.test", &named), ("x.b.test", &below)] {
        let ws = connect(name).unwrap();
        assert_eq!(ws.tls().unwrap().peer_certificates(), identity.certificates(), "{name}");
        close(ws);
    }
    for name in ["b.test", "x.y.b.test", "c.test", "127.0.0.1"] {
        let error = connect(name).unwrap_err().to_string();
        assert_eq!(error, format!("the certificate is for default.test, not for {name}"));
    }
    server.stop();
}

/// A client that accepts any certificate with a key of this kind.
#[derive(Debug)]
struct Picky(SignatureScheme);

impl ServerCertVerifier for Picky {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_tls12_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![self.0]
    }
}

#[test]
fn of_two_keys_for_a_name_the_client_gets_the_one_it_accepts() {
    let authority = Authority::new();
    let ecdsa = authority.issue(&["localhost"]);
    let ed25519 = authority.issue_for(&["localhost"], &rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap());
    let tls = ServerTls::new().certificate(&ecdsa.certificate, &ecdsa.key);
    let tls = tls.certificate(&ed25519.certificate, &ed25519.key);
    let server = start(Server::new().tls_with(tls), echo);
    for (scheme, identity) in [(SignatureScheme::ED25519, &ed25519), (SignatureScheme::ECDSA_NISTP256_SHA256, &ecdsa)] {
        let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Picky(scheme)));
        for url in [secure_url(&server), format!("wss://localhost:{}/", server.address.port())] {
            let client = Client::new(url).tls_config(Arc::new(config.clone().with_no_client_auth()));
            let ws = block_on(client.connect()).unwrap();
            assert_eq!(ws.tls().unwrap().peer_certificates(), identity.certificates());
            close(ws);
        }
    }
    server.stop();
}
