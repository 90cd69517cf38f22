//! Certificates that are trusted themselves: what `openssl req -x509` makes, and a certificate without its issuer.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::super::setup::rustls;
use super::super::setup::*;
use super::pki::*;

/// A certificate for `localhost` that signed itself, an authority's (`CA:TRUE`) as openssl's are.
fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    Identity { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// What a client that was given `ca` says of a server with this configuration.
fn connecting(config: ServerConfig, host: &str, ca: Option<&str>) -> Result<WebSocket, ConnectError> {
    let server = start(Server::new().tls_config(Arc::new(config)), echo);
    let client = Client::new(format!("wss://{host}:{}/", server.address.port()));
    let connected = block_on(ca.into_iter().fold(client, Client::ca).connect());
    server.handle.shutdown();
    connected
}

fn refused(
    identity: &Identity,
    versions: &[&'static SupportedProtocolVersion],
    host: &str,
    ca: Option<&str>,
) -> TlsError {
    match connecting(server_config(identity, versions), host, ca) {
        Err(ConnectError::Tls(error)) => error,
        other => panic!("expected an error of TLS, not {other:?}"),
    }
}

#[test]
fn a_self_signed_certificate_is_accepted_where_it_is_the_ca() {
    for is_ca in [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::ExplicitNoCa, IsCa::NoCa] {
        let identity = self_signed(|params| params.is_ca = is_ca);
        for versions in VERSIONS {
            connecting(server_config(&identity, versions), "localhost", Some(&identity.certificate)).unwrap();
        }
    }
}

#[test]
fn a_certificate_without_its_issuer_is_accepted_where_it_is_the_ca() {
    let identity = Authority::new().issue(&["localhost"]);
    for versions in VERSIONS {
        connecting(server_config(&identity, versions), "localhost", Some(&identity.certificate)).unwrap();
    }
}

#[test]
fn it_is_not_accepted_without_being_given() {
    let (identity, other) = (self_signed(|_| {}), self_signed(|_| {}));
    for versions in VERSIONS {
        for ca in [None, Some(&*other.certificate)] {
            let error = refused(&identity, versions, "localhost", ca);
            assert!(matches!(error, TlsError::Authority), "{error}");
            let told =
                "the certificate is that of an authority (CA:TRUE) and is not trusted; to trust it, give it as a CA";
            assert_eq!(error.to_string(), told);
        }
    }
    let issued = Authority::new().issue(&["localhost"]);
    let error = refused(&issued, VERSIONS[0], "localhost", Some(&other.certificate));
    assert!(matches!(error, TlsError::UnknownIssuer), "{error}");
}

#[test]
fn its_name_and_its_time_count() {
    for versions in VERSIONS {
        let identity = self_signed(|_| {});
        let error = refused(&identity, versions, "127.0.0.1", Some(&identity.certificate));
        assert_eq!(error.to_string(), "the certificate is for localhost, not for 127.0.0.1");
        for is_ca in [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::NoCa] {
            let expired = self_signed(|params| {
                params.is_ca = is_ca;
                params.not_after = date_time_ymd(2001, 2, 3);
            });
            let error = refused(&expired, versions, "localhost", Some(&expired.certificate));
            assert!(matches!(error, TlsError::Expired { .. }), "{error}");
            let early = self_signed(|params| {
                params.is_ca = is_ca;
                params.not_before = date_time_ymd(4000, 2, 3);
            });
            let error = refused(&early, versions, "localhost", Some(&early.certificate));
            assert!(matches!(error, TlsError::NotYetValid { .. }), "{error}");
        }
    }
}

#[test]
fn the_server_must_have_the_key_of_its_certificate() {
    let (identity, thief) = (self_signed(|_| {}), self_signed(|_| {}));
    let key = provider().key_provider.load_private_key(thief.private_key()).unwrap();
    for versions in VERSIONS {
        let certified = CertifiedKey::new(identity.certificates(), Arc::clone(&key));
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        let error = connecting(config, "localhost", Some(&identity.certificate)).map(drop).unwrap_err();
        assert!(error.to_string().contains("a signature does not match"), "{error}");
    }
}
