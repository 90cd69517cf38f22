//! Certificates and keys that are none: what is wrong with which of them.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::super::setup::*;
use super::pki::*;

/// What cannot be a certificate and its key, and what is told of them.
fn mistakes() -> Vec<(String, String, TlsConfigError)> {
    let authority = Authority::new();
    let (Identity { certificate, key }, other) = (authority.issue(&["localhost"]), authority.issue(&["localhost"]));
    let garbage = |label: &str| format!("-----BEGIN {label}-----\nZ2FyYmFnZQ==\n-----END {label}-----\n");
    let missing = TlsConfigError::NoCertificate(PemInput::Certificate);
    let bad_key = TlsConfigError::Key("failed to parse private key as RSA, ECDSA, or EdDSA".to_owned());
    let bad_certificate =
        TlsConfigError::Certificate { input: PemInput::Certificate, why: "invalid certificate".to_owned() };
    let damaged = |input, why: &str| TlsConfigError::Pem { input, why: why.to_owned() };
    vec![
        (String::new(), key.clone(), missing.clone()),
        ("garbage".to_owned(), key.clone(), missing.clone()),
        (key.clone(), certificate.clone(), missing),
        (certificate.clone(), String::new(), TlsConfigError::NoKey),
        (certificate.clone(), certificate.clone(), TlsConfigError::NoKey),
        (certificate.clone(), other.key, TlsConfigError::KeyMismatch),
        (certificate.clone(), garbage("ENCRYPTED PRIVATE KEY"), TlsConfigError::EncryptedKey),
        (certificate.clone(), garbage("PRIVATE KEY"), bad_key),
        (garbage("CERTIFICATE"), key.clone(), bad_certificate),
        (certificate.replacen("MII", "M!!", 1), key.clone(), damaged(PemInput::Certificate, "base64")),
        (certificate.replace("-----END CERTIFICATE-----", ""), key.clone(), damaged(PemInput::Certificate, "END")),
        (certificate, key.replace("-----END PRIVATE KEY-----", ""), damaged(PemInput::Key, "END")),
    ]
}

/// Equal, but for how a library puts it.
fn assert_same(told: &TlsConfigError, expected: &TlsConfigError) {
    assert_eq!(std::mem::discriminant(told), std::mem::discriminant(expected), "{told}");
    assert_eq!(told.input(), expected.input(), "{told}");
    if let (TlsConfigError::Pem { why: told, .. }, TlsConfigError::Pem { why: expected, .. }) = (told, expected) {
        assert!(told.to_ascii_lowercase().contains(&expected.to_ascii_lowercase()), "{told}");
    }
}

#[test]
fn a_server_says_what_is_wrong_with_its_certificate_or_key() {
    for (certificate, key, expected) in mistakes() {
        let error = block_on(Server::new().tls(certificate, key).bind("127.0.0.1:0")).unwrap_err();
        match error {
            ServeError::Setting(InvalidSetting::Tls(told)) => assert_same(&told, &expected),
            other => panic!("expected what is wrong with the certificate or the key, not {other:?}"),
        }
    }
}

/// What a client says that cannot even try.
fn untried(change: impl FnOnce(Client) -> Client) -> TlsConfigError {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let client = change(Client::new(format!("wss://{}/", listener.local_addr().unwrap())));
    let error = block_on(client.connect()).unwrap_err();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nothing was dialled");
    match error {
        ConnectError::TlsConfig(error) => error,
        other => panic!("expected what is wrong with the settings, not {other:?}"),
    }
}

#[test]
fn a_client_says_what_is_wrong_with_its_certificate_or_key() {
    for (certificate, key, expected) in mistakes() {
        assert_same(&untried(|client| client.client_certificate(certificate, key)), &expected);
    }
}

#[test]
fn a_client_says_what_is_wrong_with_a_ca() {
    let garbage = "-----BEGIN CERTIFICATE-----\nZ2FyYmFnZQ==\n-----END CERTIFICATE-----\n";
    for (pem, is_expected, told) in [
        ("", matches as fn(&TlsConfigError) -> bool, "no certificate in the PEM of the CA certificates"),
        ("garbage", matches, "no certificate in the PEM of the CA certificates"),
        (
            garbage,
            |error| matches!(error, TlsConfigError::Certificate { .. }),
            "invalid certificate in the PEM of the CA",
        ),
    ] {
        let error = untried(|client| client.ca(pem));
        assert!(is_expected(&error) && error.input() == Some(PemInput::Ca), "{error:?}");
        assert!(error.to_string().starts_with(told), "{error}");
    }

    fn matches(error: &TlsConfigError) -> bool {
        matches!(error, TlsConfigError::NoCertificate(_))
    }
}

#[test]
fn the_first_mistake_is_told() {
    let error = untried(|client| client.ca("").client_certificate("", ""));
    assert_eq!(error, TlsConfigError::NoCertificate(PemInput::Ca));
}

#[test]
fn a_plain_connection_does_not_ask_what_tls_would_use() {
    let server = start(Server::new(), echo);
    close(block_on(server.client().ca("garbage").connect()).unwrap());
    server.stop();
}
