//! Certificates that are not accepted, each told for what it is, before any byte of HTTP.

use std::sync::Arc;

use rcgen::{CertificateParams, date_time_ymd};
use rustls::SupportedProtocolVersion;

use super::super::setup::rustls;
use super::super::setup::*;
use super::pki::*;

/// What a client who trusts `authority` says of a server with this certificate; and how the server's end of the
/// handshake went, which must have failed.
fn refused(
    authority: &Authority,
    identity: &Identity,
    versions: &[&'static SupportedProtocolVersion],
    host: &str,
) -> (TlsError, String) {
    let config = server_config(identity, versions);
    let (port, server) = listen(move |stream| {
        let mut peer = TlsPeer::server(stream, config);
        let failed = peer.shake_hands().expect_err("no handshake").to_string();
        assert!(peer.read().is_err(), "no byte of HTTP");
        failed
    });
    let client = Client::new(format!("wss://{host}:{port}/")).ca(authority.pem());
    match block_on(client.connect()) {
        Err(ConnectError::Tls(error)) => (error, server.join().unwrap()),
        other => panic!("expected an error of TLS, not {other:?}"),
    }
}

fn issue(authority: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Identity {
    authority.issue_with(&["localhost"], change)
}

#[test]
fn a_certificate_for_another_name() {
    let authority = Authority::new();
    let identity = authority.issue(&["example.com", "*.example.com", "192.0.2.1"]);
    for versions in VERSIONS {
        let (error, _) = refused(&authority, &identity, versions, "localhost");
        assert!(matches!(&error, TlsError::NameMismatch { expected, .. } if expected == "localhost"), "{error:?}");
        assert_eq!(
            error.to_string(),
            "the certificate is for example.com, *.example.com, 192.0.2.1, not for localhost"
        );
        let (error, alert) = refused(&authority, &identity, versions, "127.0.0.1");
        assert_eq!(
            error.to_string(),
            "the certificate is for example.com, *.example.com, 192.0.2.1, not for 127.0.0.1"
        );
        assert!(alert.contains("alert"), "the server knows that it was refused: {alert}");
    }
    let (error, _) = refused(&authority, &authority.issue(&[]), VERSIONS[0], "localhost");
    assert_eq!(
        error.to_string(),
        "the certificate is for no name at all (it has no subjectAltName), not for localhost"
    );
}

#[test]
fn a_certificate_that_has_expired() {
    let authority = Authority::new();
    let identity = issue(&authority, |params| params.not_after = date_time_ymd(2001, 2, 3));
    for versions in VERSIONS {
        let (error, alert) = refused(&authority, &identity, versions, "localhost");
        assert!(matches!(error, TlsError::Expired { not_after: Some(_) }), "{error:?}");
        assert_eq!(error.to_string(), "the certificate expired on Sat, 03 Feb 2001 00:00:00 GMT");
        assert!(alert.contains("CertificateExpired"), "{alert}");
    }
}

#[test]
fn a_certificate_that_is_not_valid_yet() {
    let authority = Authority::new();
    let identity = issue(&authority, |params| params.not_before = date_time_ymd(4000, 2, 3));
    for versions in VERSIONS {
        let (error, _) = refused(&authority, &identity, versions, "localhost");
        assert!(matches!(error, TlsError::NotYetValid { not_before: Some(_) }), "{error:?}");
        assert_eq!(error.to_string(), "the certificate is not valid before Thu, 03 Feb 4000 00:00:00 GMT");
    }
}

#[test]
fn a_certificate_of_an_unknown_issuer() {
    let (authority, other) = (Authority::new(), Authority::new());
    for versions in VERSIONS {
        let (error, alert) = refused(&authority, &other.issue(&["localhost"]), versions, "localhost");
        assert!(matches!(error, TlsError::UnknownIssuer), "{error:?}");
        assert_eq!(error.to_string(), "the certificate's issuer is unknown; to trust it, give its certificate as a CA");
        assert!(alert.contains("UnknownCA"), "{alert}");
    }
}

#[test]
fn without_a_ca_of_its_own_a_client_trusts_the_world_and_not_us() {
    let (server, _) = secure_server();
    let server = start(server.on_request(|_| -> () { panic!("no request") }), echo);
    let error = block_on(connect(&secure_url(&server))).unwrap_err();
    assert!(matches!(error, ConnectError::Tls(TlsError::UnknownIssuer)), "{error:?}");
    server.stop();
}

#[test]
fn certificates_can_be_for_addresses() {
    let authority = Authority::new();
    let identity = authority.issue(&["127.0.0.1", "::1"]);
    let server = Server::new().tls(&identity.certificate, &identity.key);
    let server = start(server, echo);
    close(block_on(secure_client(&server, &authority).connect()).unwrap());
    server.stop();

    // Not every machine has IPv6.
    if let Ok(listening) = block_on(Server::new().tls(&identity.certificate, &identity.key).bind("[::1]:0")) {
        let (address, handle) = (listening.local_addr().unwrap(), listening.handle());
        let serving = spawn(listening.serve(echo));
        close(block_on(Client::new(format!("wss://{address}/")).ca(authority.pem()).connect()).unwrap());
        handle.shutdown();
        block_on(serving).unwrap();
    }
}

#[test]
fn hosts_that_no_certificate_can_be_for() {
    for host in ["-", "a..b"] {
        let error = block_on(connect(&format!("wss://{host}:1/"))).unwrap_err();
        assert!(matches!(error, ConnectError::Url(UrlError::Invalid(_))), "{host}: {error:?}");
    }
}

// ---- certificates of clients ----

#[test]
fn a_client_shows_its_certificate_to_a_server_that_asks() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let identity = authority.issue(&["127.0.0.1"]);
    let client = clients.issue(&[]);
    for versions in VERSIONS {
        let config = demanding_config(&identity, &clients, versions);
        let server = start(Server::new().tls_config(Arc::new(config)), echo);
        let connecting = secure_client(&server, &authority).client_certificate(&client.certificate, &client.key);
        let mut ws = block_on(connecting.connect()).unwrap();
        send(&ws, "Hello");
        assert_eq!(text(&mut ws), "Hello");
        close(ws);
        server.stop();
    }
}

#[test]
fn a_server_may_ask_for_a_certificate_and_take_clients_without_one() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let identity = authority.issue(&["127.0.0.1"]);
    let tls = ServerTls::new().certificate(&identity.certificate, &identity.key).client_ca(clients.pem());
    let required = start(Server::new().tls_with(tls.clone()), echo);
    let optional = Server::new().tls_with(tls.optional_client_certificates()).on_request(|request| {
        let shown = request.tls().is_some_and(|tls| !tls.peer_certificates().is_empty());
        match request.path() == "/members" && !shown {
            true => Decision::reject(http::StatusCode::FORBIDDEN, "Show your certificate."),
            false => Decision::proceed(),
        }
    });
    let optional = start(optional, echo);
    let (member, stranger) = (clients.issue(&[]), authority.issue(&[]));
    for (server, is_required) in [(required, true), (optional, false)] {
        let client = |path| Client::new(format!("wss://{}{path}", server.address)).ca(authority.pem());
        let with = |identity: &Identity| client("/members").client_certificate(&identity.certificate, &identity.key);
        close(block_on(with(&member).connect()).unwrap());
        let error = block_on(with(&stranger).connect()).unwrap_err().to_string();
        assert!(error.ends_with("it does not trust the issuer of the certificate it got"), "{error}");
        let error = block_on(client("/members").connect()).unwrap_err();
        match is_required {
            true => assert!(error.to_string().ends_with("it asks for a certificate, and got none"), "{error}"),
            false => {
                assert_eq!(error.response().unwrap().body(), "Show your certificate.\n");
                close(block_on(client("/").connect()).unwrap());
            }
        }
        server.stop();
    }
}

#[test]
fn a_client_without_a_certificate_learns_that_one_is_wanted() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let identity = authority.issue(&["127.0.0.1"]);
    for versions in VERSIONS {
        let config = demanding_config(&identity, &clients, versions);
        let server = Server::new().tls_config(Arc::new(config)).on_request(|_| -> () { panic!("no request") });
        let server = start(server, echo);
        let error = block_on(secure_client(&server, &authority).connect()).unwrap_err();
        assert!(matches!(error, ConnectError::Tls(TlsError::Refused(_))), "{error:?}");
        assert_eq!(error.to_string(), "the peer refused the TLS handshake: it asks for a certificate, and got none");

        let stranger = authority.issue(&[]);
        let client = secure_client(&server, &authority).client_certificate(&stranger.certificate, &stranger.key);
        let error = block_on(client.connect()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the peer refused the TLS handshake: it does not trust the issuer of the certificate it got"
        );
        server.stop();
    }
}
