//! rustls's errors, in our words.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::TlsError;

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => certificate(error),
            Error::NoCertificatesPresented => Self::NoClientCertificate,
            Error::AlertReceived(alert) => Self::Refused(reason(alert)),
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            error => Self::Other(error.into()),
        }
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
        error => TlsError::Certificate(Error::InvalidCertificate(error).into()),
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

/// What an alert means to who gets it (RFC 8446 §6.2).
fn reason(alert: AlertDescription) -> String {
    let reason = match alert {
        AlertDescription::CertificateRequired => "it asks for a certificate, and got none",
        AlertDescription::UnknownCA => "it does not trust the issuer of the certificate it got",
        AlertDescription::CertificateExpired => "the certificate it got has expired",
        AlertDescription::CertificateRevoked => "the certificate it got was revoked",
        AlertDescription::BadCertificate => "it does not accept the certificate it got",
        AlertDescription::HandshakeFailure => "it found nothing that both sides accept",
        AlertDescription::ProtocolVersion => "it speaks no version of TLS that we do",
        AlertDescription::UnrecognisedName => "it has no certificate for that name",
        AlertDescription::NoApplicationProtocol => "it does not speak HTTP/1.1 (ALPN)",
        other => return format!("{other:?}"),
    };
    reason.to_owned()
}
