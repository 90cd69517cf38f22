//! Hints for connections that could not be opened.

use std::io::ErrorKind;

use http::StatusCode;
use ws_tokio::{ConnectError, TlsError};

/// The parts of the request that hints depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// Whether it had an `Origin` header.
    pub(super) origin: bool,
    /// Whether it offered permessage-deflate.
    pub(super) compression: bool,
}

/// A hint for a connection that could not be opened.
pub(super) fn for_failure(error: &ConnectError, asked: Asked, host: &str) -> Option<String> {
    let refuses = match error {
        ConnectError::Tls(TlsError::UnknownIssuer | TlsError::Authority) => {
            return Some("--ca FILE trusts a certificate; --insecure accepts any certificate.".to_owned());
        }
        // The error itself says what to do.
        ConnectError::Rejected(_) if error.to_string().ends_with("(wss://)") => return None,
        // ws (npm) and autobahn answer so, although RFC 7692 §7 has a server decline the offer.
        ConnectError::Rejected(response) if response.status() == StatusCode::BAD_REQUEST && asked.compression => {
            return Some(
                "Some servers answer 400 to an offer of compression. --no-compression sends no offer.".to_owned(),
            );
        }
        ConnectError::Eof => true,
        ConnectError::Io(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        ConnectError::Rejected(response) => response.status() == StatusCode::FORBIDDEN,
        _ => false,
    };
    (refuses && !asked.origin)
        .then(|| format!("Some servers accept only their own pages. --origin http://{host} sends an Origin."))
}
