//! [`TlsError`] and [`TlsConfigError`]: errors of TLS.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ws_proto::Escaped;

/// The reason why TLS failed. No byte of HTTP has been sent then.
///
/// `Debug` prints the same sentence as `Display`, because Rust prints `Debug` when `main` returns an error.
#[non_exhaustive]
pub enum TlsError {
    /// The certificate is for other names.
    NameMismatch {
        /// The host of the URL.
        expected: String,
        /// The names and addresses in the certificate.
        presented: Vec<String>,
    },
    /// The certificate, or that of an issuer, has expired.
    Expired {
        /// The time at which it expired, if known.
        not_after: Option<SystemTime>,
    },
    /// The certificate, or that of an issuer, is not valid yet.
    NotYetValid {
        /// The time from which it is valid, if known.
        not_before: Option<SystemTime>,
    },
    /// The issuer of the certificate is not trusted, as with a self-signed certificate.
    UnknownIssuer,
    /// The certificate is that of an authority (`CA:TRUE`), as `openssl req -x509` makes it, and is not trusted itself.
    Authority,
    /// The certificate was revoked.
    Revoked,
    /// The certificate has another fault.
    Certificate(Box<dyn StdError + Send + Sync>),
    /// The server asks for a client certificate, and the client has none.
    NoClientCertificate,
    /// The peer refused the handshake, for this reason.
    Refused(String),
    /// The peer does not use TLS.
    NotTls,
    /// The peer uses TLS, and this end does not.
    Unexpected,
    /// Another error.
    Other(Box<dyn StdError + Send + Sync>),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameMismatch { expected, presented } if presented.is_empty() => {
                write!(
                    f,
                    "the certificate is for no name at all (it has no subjectAltName), not for {}",
                    Escaped(expected)
                )
            }
            Self::NameMismatch { expected, presented } => {
                write!(f, "the certificate is for {}, not for {}", Escaped(presented.join(", ")), Escaped(expected))
            }
            Self::Expired { not_after: Some(time) } => write!(f, "the certificate expired on {}", Date(*time)),
            Self::Expired { not_after: None } => f.write_str("the certificate has expired"),
            Self::NotYetValid { not_before: Some(time) } => {
                write!(f, "the certificate is not valid before {}", Date(*time))
            }
            Self::NotYetValid { not_before: None } => f.write_str("the certificate is not valid yet"),
            Self::UnknownIssuer => {
                f.write_str("the certificate's issuer is unknown; to trust it, give its certificate as a CA")
            }
            Self::Authority => f.write_str(
                "the certificate is that of an authority (CA:TRUE) and is not trusted; to trust it, give it as a CA",
            ),
            Self::Revoked => f.write_str("the certificate was revoked"),
            Self::Certificate(error) => write!(f, "the certificate is not acceptable: {}", Escaped(error)),
            Self::NoClientCertificate => f.write_str("the client has no certificate"),
            Self::Refused(why) => write!(f, "the peer refused the TLS handshake: {}", Escaped(why)),
            Self::NotTls => f.write_str("the peer does not speak TLS; it may speak plain HTTP (ws://)"),
            Self::Unexpected => f.write_str("the peer speaks TLS (wss://), and this connection does not"),
            Self::Other(error) => write!(f, "TLS failed: {}", Escaped(error)),
        }
    }
}

impl fmt::Debug for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for TlsError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // `Display` includes the error itself.
            Self::Certificate(error) | Self::Other(error) => error.source(),
            _ => None,
        }
    }
}

/// A date for people to read.
struct Date(SystemTime);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The year 10000, from where on there is no such date.
        const END: Duration = Duration::from_secs(253_402_300_800);
        match self.0.duration_since(UNIX_EPOCH) {
            Ok(since) if since < END => f.write_str(&httpdate::fmt_http_date(self.0)),
            _ => f.write_str("a day out of reach"),
        }
    }
}

/// The fault of a certificate or key that was given to a server or client.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// The PEM is damaged.
    Pem {
        /// The PEM that is damaged.
        input: PemInput,
        /// The fault.
        why: String,
    },
    /// There is no certificate in the PEM.
    NoCertificate(PemInput),
    /// There is no private key in the PEM.
    NoKey,
    /// The private key is encrypted; it must be decrypted first.
    EncryptedKey,
    /// A certificate is damaged.
    Certificate {
        /// The PEM that is damaged.
        input: PemInput,
        /// The fault.
        why: String,
    },
    /// The private key is damaged, or of a kind that is not supported.
    Key(String),
    /// The private key does not belong to the certificate.
    KeyMismatch,
    /// The crypto provider of this process cannot be used.
    Provider(String),
    /// A file cannot be read.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's error.
        why: String,
    },
    /// The content of this file has a fault.
    InFile {
        /// The file.
        file: PathBuf,
        /// The fault.
        error: Box<TlsConfigError>,
    },
}

/// The PEM a [`TlsConfigError`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PemInput {
    /// The certificates to trust.
    Ca,
    /// Our certificate, and those of its issuers.
    Certificate,
    /// Our private key.
    Key,
}

impl TlsConfigError {
    /// The faulty PEM, if one is at fault. If the key does not belong to the certificate, it is the key.
    pub fn input(&self) -> Option<PemInput> {
        match self {
            Self::Pem { input, .. } | Self::NoCertificate(input) | Self::Certificate { input, .. } => Some(*input),
            Self::NoKey | Self::EncryptedKey | Self::Key(_) | Self::KeyMismatch => Some(PemInput::Key),
            Self::InFile { error, .. } => error.input(),
            Self::Provider(_) | Self::Unreadable { .. } => None,
        }
    }

    /// The file that cannot be read, or whose content has a fault. If the key does not belong to the certificate, it is the
    /// file of the key.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Unreadable { file, .. } | Self::InFile { file, .. } => Some(file),
            _ => None,
        }
    }
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem { input, why } => write!(f, "invalid PEM of {input}: {why}"),
            Self::NoCertificate(input) => write!(f, "no certificate in the PEM of {input}"),
            Self::NoKey => f.write_str("no private key in the PEM of the private key"),
            Self::EncryptedKey => f.write_str("the private key is encrypted, and must be decrypted first"),
            Self::Certificate { input, why } => write!(f, "invalid certificate in the PEM of {input}: {why}"),
            Self::Key(why) => write!(f, "the private key cannot be used: {why}"),
            Self::KeyMismatch => f.write_str("the private key does not belong to the certificate"),
            Self::Provider(why) => write!(f, "the crypto provider cannot be used: {why}"),
            Self::Unreadable { file, why } => write!(f, "cannot read {}: {why}", file.display()),
            Self::InFile { file, error } => write!(f, "{}: {error}", file.display()),
        }
    }
}

impl fmt::Debug for TlsConfigError {
    /// Prints the same sentence as [`Display`](fmt::Display), because Rust prints `Debug` when `main` returns an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for TlsConfigError {}

impl fmt::Display for PemInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ca => "the CA certificates",
            Self::Certificate => "the certificate chain",
            Self::Key => "the private key",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_no_calendar_has_do_no_harm() {
        let at = |seconds| Date(UNIX_EPOCH + Duration::from_secs(seconds)).to_string();
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(253_402_300_799), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(at(253_402_300_800), "a day out of reach");
        assert_eq!(Date(UNIX_EPOCH - Duration::from_secs(1)).to_string(), "a day out of reach");
    }
}
