//! Turns rustls's errors into texts that name the problem and the remedy.

use std::error::Error as StdError;
use std::fmt::{self, Debug};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible};

use super::TlsError;

/// The meaning of an error of rustls.
#[derive(Debug)]
struct Explained {
    words: String,
    error: Error,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl StdError for Explained {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.error)
    }
}

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        let words = match &error {
            Error::InvalidCertificate(error) => return certificate(error.clone()),
            Error::NoCertificatesPresented => return Self::NoClientCertificate,
            Error::AlertReceived(alert) => return Self::Refused(alert_reason(*alert)),
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => return Self::NotTls,
            Error::InvalidMessage(why) => format!("the peer broke the rules of TLS ({})", words(why)),
            Error::PeerMisbehaved(why) => format!("the peer broke the rules of TLS ({})", words(why)),
            Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
                "the peer broke the rules of TLS (a message out of turn)".to_owned()
            }
            Error::PeerSentOversizedRecord => "the peer broke the rules of TLS (a record that is too long)".to_owned(),
            Error::PeerIncompatible(why) => incompatibility(why).to_owned(),
            Error::NoApplicationProtocol => "the peer does not speak HTTP/1.1 (ALPN)".to_owned(),
            Error::InvalidCertRevocationList(why) => {
                format!("the list of revoked certificates cannot be used ({})", words(why))
            }
            Error::InvalidEncryptedClientHello(why) => format!("the encrypted ClientHello failed ({})", words(why)),
            Error::InconsistentKeys(_) => "the private key does not belong to the certificate".to_owned(),
            error => error.to_string(),
        };
        Self::Other(Explained { words, error }.into())
    }
}

fn certificate(error: CertificateError) -> TlsError {
    match error {
        CertificateError::NotValidForNameContext { expected, presented } => TlsError::NameMismatch {
            expected: expected.to_str().into_owned(),
            presented: presented.into_iter().map(bare_name).collect(),
        },
        CertificateError::ExpiredContext { not_after, .. } => TlsError::Expired { not_after: time(not_after) },
        CertificateError::Expired => TlsError::Expired { not_after: None },
        CertificateError::NotValidYetContext { not_before, .. } => {
            TlsError::NotYetValid { not_before: time(not_before) }
        }
        CertificateError::NotValidYet => TlsError::NotYetValid { not_before: None },
        CertificateError::UnknownIssuer => TlsError::UnknownIssuer,
        CertificateError::Revoked => TlsError::Revoked,
        error if is_authority(&error) => TlsError::Authority,
        error => {
            let words = certificate_reason(&error);
            TlsError::Certificate(Explained { words, error: Error::InvalidCertificate(error) }.into())
        }
    }
}

/// Whether the certificate is refused because it is that of an authority (`CA:TRUE`).
pub(super) fn is_authority(error: &CertificateError) -> bool {
    matches!(of_webpki(error), Some(webpki::Error::CaUsedAsEndEntity))
}

fn of_webpki(error: &CertificateError) -> Option<&webpki::Error> {
    match error {
        CertificateError::Other(OtherError(error)) => error.downcast_ref(),
        _ => None,
    }
}

/// The fault of a certificate, and the remedy.
fn certificate_reason(error: &CertificateError) -> String {
    #[allow(deprecated, reason = "other verifiers may still say so")]
    let reason = match error {
        CertificateError::BadEncoding => "it is damaged",
        CertificateError::NotValidForName => "it is for another name",
        CertificateError::BadSignature => {
            "a signature does not match: its issuer has another key, or the peer does not have its private key"
        }
        CertificateError::UnhandledCriticalExtension => {
            "it has an extension that must be understood (critical), and is not"
        }
        CertificateError::UnsupportedSignatureAlgorithm
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
            "it is signed in a way that is not supported, as SHA-1 is not; sign it with SHA-256"
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed in a way that does not go with its issuer's key"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is for another purpose: its extendedKeyUsage does not name this use, serverAuth or clientAuth"
        }
        CertificateError::UnknownRevocationStatus => "whether it was revoked is not known",
        CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
            "the list of revoked certificates has expired"
        }
        CertificateError::InvalidOcspResponse => "what was sent to show that it was not revoked (OCSP) is invalid",
        CertificateError::ApplicationVerificationFailure => "the application refuses it",
        error => match (of_webpki(error), error) {
            (Some(error), _) => return webpki_reason(error),
            // The error of another verifier is printed as it is.
            (None, CertificateError::Other(OtherError(error))) => return error.to_string(),
            (None, error) => return words(error),
        },
    };
    reason.to_owned()
}

/// The meaning of webpki's errors that rustls passes on unchanged.
fn webpki_reason(error: &webpki::Error) -> String {
    use webpki::Error::*;
    let reason = match error {
        CaUsedAsEndEntity => "it is that of an authority (CA:TRUE)",
        EndEntityUsedAsCa => "it was issued with a certificate that is not an authority's (CA:TRUE is missing there)",
        PathLenConstraintViolated => {
            "there are more authorities between it and the one that is trusted than that one allows"
        }
        NameConstraintViolation => "one of its issuers may not issue certificates for that name (nameConstraints)",
        CertDistrusted => "it, or one of its issuers, is distrusted",
        UnsupportedCertVersion => {
            "it is not of version 3 of X.509; make it anew with extensions, such as subjectAltName"
        }
        UnsupportedCriticalExtension => "it has an extension that must be understood (critical), and is not",
        EmptyEkuExtension => "its extendedKeyUsage is empty",
        SignatureAlgorithmMismatch => "it names two ways in which it is signed",
        MalformedDnsIdentifier | UnsupportedNameType => "a name in it is not a valid one",
        MaximumNameConstraintComparisonsExceeded
        | MaximumPathBuildCallsExceeded
        | MaximumPathDepthExceeded
        | MaximumSignatureChecksExceeded => {
            "the chain of its issuers takes too long to check; send only those it needs"
        }
        BadDer
        | BadDerTime
        | TrailingData(_)
        | ExtensionValueInvalid
        | MalformedExtensions
        | InvalidSerialNumber
        | InvalidNetworkMaskConstraint
        | MalformedNameConstraint => return format!("it is damaged ({})", words(error)),
        other => return words(other),
    };
    reason.to_owned()
}

/// The feature that the peer lacks.
fn incompatibility(why: &PeerIncompatible) -> &'static str {
    use PeerIncompatible::*;
    match why {
        ServerDoesNotSupportTls12Or13
        | ServerTlsVersionIsDisabledByOurConfig
        | SupportedVersionsExtensionRequired
        | Tls12NotOffered
        | Tls12NotOfferedOrEnabled => "the peer speaks no version of TLS that is enabled here",
        NoCipherSuitesInCommon
        | NoKxGroupsInCommon
        | NoEcPointFormatsInCommon
        | NoSignatureSchemesInCommon
        | NoCertificateRequestSignatureSchemesInCommon => {
            "the peer has no cipher suite, key exchange or signature scheme in common with this side"
        }
        _ => "the peer lacks a part of TLS that is required here",
    }
}

fn time(time: UnixTime) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(std::time::Duration::from_secs(time.as_secs()))
}

/// `DnsName("example.com")` is `example.com`.
fn bare_name(name: String) -> String {
    match name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')) {
        Some(inner) => inner.trim_matches('"').to_owned(),
        None => name,
    }
}

/// The name of a variant as words: `BadMaxFragmentSize { … }` is `bad max fragment size`.
fn words(variant: &dyn Debug) -> String {
    let shown = format!("{variant:?}");
    let mut words = String::new();
    for c in shown.chars().take_while(char::is_ascii_alphanumeric) {
        if c.is_ascii_uppercase() && words.ends_with(|c: char| !c.is_ascii_uppercase()) {
            words.push(' ');
        }
        words.push(c);
    }
    words.to_ascii_lowercase()
}

/// The meaning of an alert for its receiver (RFC 8446 §6.2).
fn alert_reason(alert: AlertDescription) -> String {
    let reason = match alert {
        AlertDescription::CertificateRequired => "it asks for a certificate, and got none",
        AlertDescription::UnknownCA => "it does not trust the issuer of the certificate it got",
        AlertDescription::CertificateExpired => "the certificate it got has expired",
        AlertDescription::CertificateRevoked => "the certificate it got was revoked",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown => "it does not accept the certificate it got",
        AlertDescription::HandshakeFailure => "it found nothing that both sides accept",
        AlertDescription::InsufficientSecurity => "it asks for stronger cryptography than was offered",
        AlertDescription::ProtocolVersion => "it speaks no version of TLS that we do",
        AlertDescription::UnrecognisedName => "it has no certificate for that name",
        AlertDescription::NoApplicationProtocol => "it does not speak HTTP/1.1 (ALPN)",
        AlertDescription::AccessDenied => "it does not let the owner of the certificate in",
        AlertDescription::InternalError => "something went wrong there (internal error)",
        AlertDescription::Unknown(code) => return format!("it sent an unknown alert, number {code}"),
        other => return words(&other),
    };
    reason.to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::pki_types::{AlgorithmIdentifier, ServerName};
    use rustls::{CertRevocationListError, ExtendedKeyPurpose, InconsistentKeys, PeerMisbehaved};

    use super::*;

    /// The text of an error. It must look like a sentence.
    #[track_caller]
    fn told(error: Error) -> String {
        let told = TlsError::from(error);
        let text = told.to_string();
        assert_eq!(format!("{told:?}"), text, "both forms are the sentence");
        let is_dump = text.contains(['{', '}', '[', ']']) || text.contains("Error(") || text.contains("Other(");
        let is_camel = text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
            let known =
                ["ClientHello", "serverAuth", "clientAuth", "extendedKeyUsage", "subjectAltName", "nameConstraints"];
            !known.contains(&word)
                && word.chars().zip(word.chars().skip(1)).any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase())
        });
        assert!(!is_dump && !is_camel, "{text}");
        text
    }

    fn of_certificate(error: CertificateError) -> String {
        told(Error::InvalidCertificate(error))
    }

    #[test]
    #[allow(deprecated, reason = "other verifiers may still say so")]
    fn every_error_of_a_certificate_is_a_sentence() {
        let at = UnixTime::since_unix_epoch(Duration::from_secs(0));
        let day = "Thu, 01 Jan 1970 00:00:00 GMT";
        let algorithm = || vec![1];
        let supported_algorithms: Vec<AlgorithmIdentifier> = Vec::new();
        let name = || ServerName::try_from("localhost").unwrap();
        let presented = vec!["DnsName(\"a.example\")".to_owned(), "IpAddress(::1)".to_owned()];
        let other =
            |text: &str| CertificateError::Other(OtherError(Arc::from(Box::<dyn StdError + Send + Sync>::from(text))));
        let purpose =
            CertificateError::InvalidPurposeContext { required: ExtendedKeyPurpose::ServerAuth, presented: vec![] };
        use CertificateError::*;
        for (error, words) in [
            (BadEncoding, "it is damaged"),
            (Expired, "the certificate has expired"),
            (ExpiredContext { time: at, not_after: at }, &format!("expired on {day}")),
            (NotValidYet, "not valid yet"),
            (NotValidYetContext { time: at, not_before: at }, &format!("not valid before {day}")),
            (Revoked, "was revoked"),
            (UnhandledCriticalExtension, "(critical)"),
            (UnknownIssuer, "issuer is unknown"),
            (UnknownRevocationStatus, "whether it was revoked is not known"),
            (ExpiredRevocationList, "list of revoked certificates has expired"),
            (ExpiredRevocationListContext { time: at, next_update: at }, "list of revoked certificates has expired"),
            (BadSignature, "a signature does not match"),
            (UnsupportedSignatureAlgorithm, "SHA-256"),
            (
                UnsupportedSignatureAlgorithmContext { signature_algorithm_id: algorithm(), supported_algorithms },
                "SHA-256",
            ),
            (
                UnsupportedSignatureAlgorithmForPublicKeyContext {
                    signature_algorithm_id: algorithm(),
                    public_key_algorithm_id: algorithm(),
                },
                "does not go with its issuer's key",
            ),
            (NotValidForName, "for another name"),
            (NotValidForNameContext { expected: name(), presented }, "is for a.example, ::1, not for localhost"),
            (NotValidForNameContext { expected: name(), presented: vec![] }, "subjectAltName"),
            (InvalidPurpose, "extendedKeyUsage"),
            (purpose, "extendedKeyUsage"),
            (InvalidOcspResponse, "OCSP"),
            (ApplicationVerificationFailure, "the application refuses it"),
            (other("not on Sundays"), "not on Sundays"),
        ] {
            let text = of_certificate(error);
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn every_error_of_webpki_is_a_sentence() {
        use webpki::Error as Webpki;
        for (error, words) in [
            (Webpki::CaUsedAsEndEntity, "is that of an authority (CA:TRUE)"),
            (Webpki::EndEntityUsedAsCa, "CA:TRUE is missing there"),
            (Webpki::PathLenConstraintViolated, "more authorities"),
            (Webpki::NameConstraintViolation, "nameConstraints"),
            (Webpki::CertDistrusted, "distrusted"),
            (Webpki::UnsupportedCertVersion, "version 3"),
            (Webpki::UnsupportedCriticalExtension, "(critical)"),
            (Webpki::EmptyEkuExtension, "extendedKeyUsage is empty"),
            (Webpki::SignatureAlgorithmMismatch, "two ways"),
            (Webpki::MalformedDnsIdentifier, "not a valid one"),
            (Webpki::UnsupportedNameType, "not a valid one"),
            (Webpki::MaximumPathDepthExceeded, "takes too long"),
            (Webpki::MaximumPathBuildCallsExceeded, "takes too long"),
            (Webpki::MaximumSignatureChecksExceeded, "takes too long"),
            (Webpki::MaximumNameConstraintComparisonsExceeded, "takes too long"),
            (Webpki::BadDer, "it is damaged"),
            (Webpki::BadDerTime, "it is damaged"),
            (Webpki::ExtensionValueInvalid, "damaged (extension value invalid)"),
            (Webpki::MalformedExtensions, "it is damaged"),
            (Webpki::MalformedNameConstraint, "it is damaged"),
            (Webpki::InvalidSerialNumber, "it is damaged"),
            (Webpki::InvalidNetworkMaskConstraint, "it is damaged"),
            (Webpki::InvalidCrlNumber, "invalid crl number"),
            (Webpki::UnsupportedCrlVersion, "unsupported crl version"),
            (Webpki::UnsupportedDeltaCrl, "unsupported delta crl"),
            (Webpki::UnsupportedIndirectCrl, "unsupported indirect crl"),
            (Webpki::UnsupportedCrlIssuingDistributionPoint, "unsupported crl issuing"),
            (Webpki::UnsupportedRevocationReason, "unsupported revocation reason"),
            (Webpki::UnsupportedRevocationReasonsPartitioning, "unsupported revocation reasons"),
        ] {
            let text = of_certificate(CertificateError::Other(OtherError(Arc::new(error))));
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn every_other_error_is_a_sentence() {
        for (error, words) in [
            (Error::NoCertificatesPresented, "no certificate"),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "does not speak TLS"),
            (Error::InvalidMessage(InvalidMessage::MissingData("x")), "broke the rules of TLS (missing data)"),
            (
                Error::PeerMisbehaved(PeerMisbehaved::IllegalMiddleboxChangeCipherSpec),
                "broke the rules of TLS (illegal",
            ),
            (Error::PeerSentOversizedRecord, "too long"),
            (
                Error::InappropriateMessage { expect_types: vec![], got_type: rustls::ContentType::Alert },
                "a message out of turn",
            ),
            (Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13), "no version of TLS"),
            (Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon), "no cipher suite"),
            (Error::PeerIncompatible(PeerIncompatible::ExtendedMasterSecretExtensionRequired), "lacks a part of TLS"),
            (Error::NoApplicationProtocol, "HTTP/1.1"),
            (Error::InvalidCertRevocationList(CertRevocationListError::ParseError), "(parse error)"),
            (Error::InconsistentKeys(InconsistentKeys::KeyMismatch), "private key"),
            (Error::DecryptError, "cannot decrypt"),
            (Error::General("odd".to_owned()), "odd"),
            (Error::FailedToGetCurrentTime, "current time"),
        ] {
            let text = told(error);
            assert!(text.contains(words), "{text}");
        }
        for code in 0..=u8::MAX {
            told(Error::AlertReceived(AlertDescription::from(code)));
        }
    }
}
