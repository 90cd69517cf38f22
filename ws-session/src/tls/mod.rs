//! The parts of TLS that do not depend on the runtime: certificates, keys, trust and errors. rustls does the encryption. The
//! adapter connects it to its streams ([`Runtime::tls_connect`](crate::Runtime::tls_connect),
//! [`tls_accept`](crate::Runtime::tls_accept)).
//!
//! The error types exist with and without the feature `tls`, because a peer may use TLS although this end does not.

#[cfg(all(feature = "tls", feature = "redirects"))]
mod anonymous;
#[cfg(feature = "tls")]
mod by_name;
#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "tls")]
mod classify;
#[cfg(feature = "tls")]
mod client;
mod error;
#[cfg(feature = "tls")]
mod info;
#[cfg(feature = "tls")]
mod pem;
#[cfg(feature = "tls")]
mod provider;
#[cfg(feature = "tls")]
mod roots;
#[cfg(feature = "tls")]
mod server;
#[cfg(feature = "tls")]
mod verifier;

use std::io;

#[cfg(feature = "tls")]
pub use self::certificates::ServerTls;
#[cfg(feature = "tls")]
pub(crate) use self::client::ClientTls;
#[cfg(all(feature = "tls", feature = "http2"))]
pub(crate) use self::client::with_http2 as client_with_http2;
pub use self::error::{PemInput, TlsConfigError, TlsError};
#[cfg(feature = "tls")]
pub use self::info::TlsInfo;
#[cfg(feature = "tls")]
pub(crate) use self::server::ServerTlsSource;

/// Our protocol in ALPN (RFC 7301), so that no peer chooses HTTP/2.
#[cfg(feature = "tls")]
const HTTP_1_1: &[u8] = b"http/1.1";

#[cfg(all(feature = "tls", feature = "http2"))]
const HTTP_2: &[u8] = b"h2";

/// The first two bytes of a TLS handshake and of an alert (RFC 8446 §5.1).
pub(crate) fn is_handshake(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x16, 0x03])
}

pub(crate) fn is_alert(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x15, 0x03])
}

/// The TLS error inside an I/O error, if there is one.
pub(crate) fn from_io(error: io::Error) -> Result<TlsError, io::Error> {
    #[cfg(feature = "tls")]
    let error = match error.downcast::<rustls::Error>() {
        Ok(error) => return Ok(error.into()),
        Err(error) => error,
    };
    Err(error)
}
