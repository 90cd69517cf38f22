//! [`UrlError`]: a URL is invalid.

use std::error::Error as StdError;
use std::fmt;

/// The reason why a URL is invalid. It never contains the URL's password.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// It is not a URL. The text is the reason.
    Invalid(String),
    /// It contains a control character, such as a line end, a tab or NUL.
    ControlCharacter,
    /// It has no scheme, as in `localhost:8765`.
    NoScheme,
    /// Its scheme is not `ws`, `wss`, `http` or `https`.
    Scheme(String),
    /// It has a fragment, which a WebSocket URL must not have (RFC 6455 §3).
    Fragment,
    /// Its host is not ASCII, and the crate is built without its feature `idna`. Without the feature, the host's ASCII form
    /// works (`xn--…`, RFC 5890 §2.3.2.1).
    InternationalHost,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => write!(f, "invalid URL: {why}"),
            Self::ControlCharacter => f.write_str("invalid URL: it contains a control character"),
            Self::NoScheme => f.write_str("invalid URL: it has no scheme; put ws:// in front of it, or wss:// for TLS"),
            Self::Scheme(scheme) => write!(f, "invalid URL: its scheme is {scheme}, and must be ws or wss"),
            Self::Fragment => f.write_str("invalid URL: a WebSocket URL has no fragment (#…)"),
            Self::InternationalHost => f.write_str(
                "the URL's host is not ASCII: enable the crate feature `idna`, or write the host's ASCII form (xn--…)",
            ),
        }
    }
}

impl fmt::Debug for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for UrlError {}
