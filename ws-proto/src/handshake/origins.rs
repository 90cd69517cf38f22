//! The check of the `Origin` header (RFC 6455 §10.2).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::header::{HeaderMap, ORIGIN};
use http::{HeaderValue, StatusCode};

use super::fields::{host_and_port, single};
use super::rejection::Rejection;
use crate::escaped::EscapedBytes;

/// The origins from which a server accepts connections (RFC 6455 §10.2, RFC 6454).
///
/// A browser sends the origin of the page that opens the connection in the `Origin` header, and scripts cannot change it. A
/// server that trusts cookies needs this check: otherwise any page can act on behalf of its visitors.
///
/// The comparison of scheme and host ignores case, and a default port equals no port. Clients other than browsers usually
/// send no Origin. They are rejected unless [`or_none`](Self::or_none) was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    allowed: Vec<String>,
    or_none: bool,
}

impl Origins {
    /// A list of the accepted origins, such as `https://example.com` or `http://localhost:3000`. `null` is the origin of pages
    /// without one of their own (RFC 6454 §7.3).
    ///
    /// # Errors
    ///
    /// When a string is not an origin, and so could never match. An origin has no path, not even a slash at its end, and an
    /// internationalized host is in its ASCII form.
    pub fn new(origins: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, InvalidOrigin> {
        let parse = |origin: &str| normalize(origin).ok_or_else(|| InvalidOrigin(origin.to_owned()));
        let allowed = origins.into_iter().map(|origin| parse(origin.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { allowed, or_none: false })
    }

    /// Also accepts requests without an Origin header. Browsers always send one.
    #[must_use]
    pub fn or_none(self) -> Self {
        Self { or_none: true, ..self }
    }

    /// Checks the Origin header of a request.
    ///
    /// # Errors
    ///
    /// 403 when the origin is not accepted. 400 when there is more than one Origin header.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let origin = single(headers, ORIGIN)
            .map_err(|_| Rejection::new(StatusCode::BAD_REQUEST, "The request has more than one Origin header."))?;
        match origin {
            None if self.or_none => Ok(()),
            None => Err(Rejection::new(
                StatusCode::FORBIDDEN,
                "The request has no Origin header. This server only accepts connections from known web pages.",
            )),
            Some(origin) if self.allows(origin) => Ok(()),
            Some(origin) => {
                let origin = EscapedBytes(origin.as_bytes());
                let message = format!("This server does not accept connections from the origin {origin:?}.");
                Err(Rejection::new(StatusCode::FORBIDDEN, message))
            }
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().ok().and_then(normalize);
        origin.is_some_and(|origin| self.allowed.contains(&origin))
    }
}

/// The normalized form of an origin.
fn normalize(origin: &str) -> Option<String> {
    let origin = origin.to_ascii_lowercase();
    if origin == "null" {
        return Some(origin);
    }
    let (scheme, rest) = origin.split_once("://")?;
    let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(is_scheme_byte) {
        return None;
    }
    let authority = host_and_port(rest.as_bytes())?;
    let host = authority.host();
    match (scheme, authority.port_u16()) {
        (_, None) | ("http" | "ws", Some(80)) | ("https" | "wss", Some(443)) => Some(format!("{scheme}://{host}")),
        (_, Some(port)) => Some(format!("{scheme}://{host}:{port}")),
    }
}

/// The error of a string that is not an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOrigin(pub String);

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an origin such as \"https://example.com\"", self.0)
    }
}

impl core::error::Error for InvalidOrigin {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origins: &Origins, sent: &[&'static [u8]]) -> Option<u16> {
        let headers = sent.iter().map(|origin| (ORIGIN, HeaderValue::from_bytes(origin).unwrap())).collect();
        origins.check(&headers).err().map(|rejection| rejection.status().as_u16())
    }

    #[test]
    fn exact_origins() {
        let origins = Origins::new(["https://Example.com", "http://localhost:3000"]).unwrap();
        assert_eq!(check(&origins, &[b"https://example.com"]), None);
        assert_eq!(check(&origins, &[b"HTTPS://EXAMPLE.COM:443"]), None);
        assert_eq!(check(&origins, &[b"http://localhost:3000"]), None);
        for origin in [
            &b"http://example.com"[..],
            b"https://example.com:8443",
            b"https://example.com.evil.example",
            b"https://evil.example/https://example.com",
            b"https://example.com@evil.example",
            b"https://sub.example.com",
            b"https://example.com https://evil.example",
            b"http://localhost",
            b"null",
            b"",
            b"https://ex\xE4mple.com",
        ] {
            assert_eq!(check(&origins, &[origin]), Some(403), "{origin:?}");
        }
        assert_eq!(check(&origins, &[b"https://example.com", b"https://example.com"]), Some(400));
    }

    #[test]
    fn the_refusal_names_the_origin() {
        let origins = Origins::new(["https://example.com"]).unwrap();
        let headers = [(ORIGIN, HeaderValue::from_bytes("https://evil.example\t\u{202e}".as_bytes()).unwrap())];
        let refused = origins.check(&headers.into_iter().collect()).unwrap_err();
        assert!(refused.message().contains(r#""https://evil.example\t\u{202e}""#), "{refused}");
    }

    #[test]
    fn no_origin_is_a_choice() {
        let origins = Origins::new(["https://example.com"]).unwrap();
        assert_eq!(check(&origins, &[]), Some(403));
        assert_eq!(check(&origins.clone().or_none(), &[]), None);
        assert_eq!(check(&origins.or_none(), &[b"https://evil.example"]), Some(403));
    }

    #[test]
    fn origins_without_a_host() {
        let origins = Origins::new(["null", "chrome-extension://abcdef", "https://[::1]:8443"]).unwrap();
        assert_eq!(check(&origins, &[b"null"]), None);
        assert_eq!(check(&origins, &[b"chrome-extension://abcdef"]), None);
        assert_eq!(check(&origins, &[b"https://[::1]:8443"]), None);
        assert_eq!(check(&origins, &[b"https://[::1]"]), Some(403));
    }

    #[test]
    fn invalid_origins_are_refused_early() {
        for origin in ["", "example.com", "https://example.com/", "https://", "://a", "1a://b", "https://u@a", "*"] {
            assert_eq!(Origins::new([origin]), Err(InvalidOrigin(origin.to_owned())), "{origin}");
        }
    }
}
