//! TLS, as far as it needs no runtime: whom to trust, who we are, and what went wrong. What encrypts is rustls; the
//! adapter joins it to its streams ([`Runtime::tls_connect`](crate::Runtime::tls_connect),
//! [`tls_accept`](crate::Runtime::tls_accept)).
//!
//! What can go wrong is told in the same words with the feature `tls` and without it: who speaks plainly can meet
//! somebody who does not.

#[cfg(feature = "tls")]
mod classify;
#[cfg(feature = "tls")]
mod client;
mod error;
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
pub(crate) use self::client::ClientTls;
pub use self::error::{PemInput, TlsConfigError, TlsError};
#[cfg(feature = "tls")]
pub(crate) use self::server::{server_config, with_http};

/// What we speak inside of TLS: no client or server takes us for one of HTTP/2 (RFC 7301).
#[cfg(feature = "tls")]
const HTTP_1_1: &[u8] = b"http/1.1";

/// What the first two bytes of a TLS handshake are, and of an alert (RFC 8446 §5.1).
pub(crate) fn is_handshake(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x16, 0x03])
}

pub(crate) fn is_alert(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x15, 0x03])
}

/// The error of TLS that an I/O error carries, if it does.
pub(crate) fn from_io(error: io::Error) -> Result<TlsError, io::Error> {
    #[cfg(feature = "tls")]
    let error = match error.downcast::<rustls::Error>() {
        Ok(error) => return Ok(error.into()),
        Err(error) => error,
    };
    Err(error)
}
