//! The check of the `Origin` header (RFC 6455 §10.2).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use http::header::{HOST, HeaderMap, ORIGIN};
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
    allowed: Vec<Pattern>,
    or_none: bool,
    same_origin: bool,
}

impl Origins {
    /// A list of the accepted origins, such as `https://example.com` or `http://localhost:3000`. `null` is the origin of pages
    /// without one of their own (RFC 6454 §7.3).
    ///
    /// `https://*.example.com` accepts each subdomain at any depth, but not `https://example.com`. `http://localhost:*`
    /// accepts any port.
    ///
    /// # Errors
    ///
    /// When a string is neither an origin nor such a pattern, and so could never match. An origin has no path, not even a
    /// slash at its end, and an internationalized host is in its ASCII form.
    pub fn new(origins: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, InvalidOrigin> {
        let parse = |origin: &str| Pattern::parse(origin).ok_or_else(|| InvalidOrigin(origin.to_owned()));
        let allowed = origins.into_iter().map(|origin| parse(origin.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { allowed, or_none: false, same_origin: false })
    }

    /// Also accepts requests without an Origin header. Browsers always send one.
    #[must_use]
    pub fn or_none(self) -> Self {
        Self { or_none: true, ..self }
    }

    /// Also accepts origins whose host and port are those of the request's Host header. Their scheme may be `http` or `https`,
    /// because a proxy may end TLS. In HTTP/2 the Host header must have been made of the `:authority`.
    #[must_use]
    pub fn same_origin(self) -> Self {
        Self { same_origin: true, ..self }
    }

    /// Whether [`same_origin`](Self::same_origin) was called.
    pub fn accepts_same_origin(&self) -> bool {
        self.same_origin
    }

    /// Whether [`or_none`](Self::or_none) was called.
    pub fn accepts_none(&self) -> bool {
        self.or_none
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
            Some(origin) if self.allows(origin, headers) => Ok(()),
            Some(origin) => {
                let origin = EscapedBytes(origin.as_bytes());
                let message = format!("This server does not accept connections from the origin {origin:?}.");
                Err(Rejection::new(StatusCode::FORBIDDEN, message))
            }
        }
    }

    fn allows(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let Some(origin) = origin.to_str().ok().and_then(Origin::parse) else { return false };
        self.allowed.iter().any(|pattern| pattern.matches(&origin)) || (self.same_origin && origin.is_of_host(headers))
    }
}

/// An origin in the form that is compared (RFC 6454 §4): in lower case, without the default port of its scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Null,
    Page { scheme: String, host: String, port: Option<u16> },
}

impl Origin {
    fn parse(origin: &str) -> Option<Self> {
        let origin = origin.to_ascii_lowercase();
        if origin == "null" {
            return Some(Self::Null);
        }
        let (scheme, rest) = origin.split_once("://")?;
        let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(is_scheme_byte) {
            return None;
        }
        let authority = host_and_port(rest.as_bytes())?;
        let port = port_unless_default(scheme, authority.port_u16());
        Some(Self::Page { scheme: scheme.to_owned(), host: authority.host().to_owned(), port })
    }

    /// Whether its host and port are those of the Host header. A browser's extension and an application's own scheme
    /// (`chrome-extension://…`, `capacitor://localhost`) are elsewhere, whatever their host.
    fn is_of_host(&self, headers: &HeaderMap) -> bool {
        let Self::Page { scheme, host, port } = self else { return false };
        if !matches!(&**scheme, "http" | "https" | "ws" | "wss") {
            return false;
        }
        let sent = single(headers, HOST).ok().flatten().and_then(|sent| host_and_port(sent.as_bytes()));
        sent.is_some_and(|sent| {
            sent.host().eq_ignore_ascii_case(host) && port_unless_default(scheme, sent.port_u16()) == *port
        })
    }
}

fn port_unless_default(scheme: &str, port: Option<u16>) -> Option<u16> {
    match (scheme, port) {
        ("http" | "ws", Some(80)) | ("https" | "wss", Some(443)) => None,
        (_, port) => port,
    }
}

/// The origins that an entry of the list stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// With the domain as its host if the pattern is for subdomains.
    origin: Origin,
    subdomains: bool,
    any_port: bool,
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (rest, any_port) = text.strip_suffix(":*").map_or((text, false), |rest| (rest, true));
        let (rest, subdomains) = match rest.split_once("://*.") {
            Some((scheme, domain)) => (format!("{scheme}://{domain}"), true),
            None => (rest.to_owned(), false),
        };
        let origin = Origin::parse(&rest)?;
        let is_valid = match &origin {
            Origin::Null => !any_port,
            Origin::Page { host, port, .. } => {
                // An address has no subdomains, and a `*` elsewhere would match nothing.
                let has_subdomains = !host.starts_with('[') && host.parse::<Ipv4Addr>().is_err();
                !host.contains('*') && (has_subdomains || !subdomains) && (port.is_none() || !any_port)
            }
        };
        is_valid.then_some(Self { origin, subdomains, any_port })
    }

    fn matches(&self, sent: &Origin) -> bool {
        match (&self.origin, sent) {
            (Origin::Null, Origin::Null) => true,
            (
                Origin::Page { scheme, host, port },
                Origin::Page { scheme: its_scheme, host: its_host, port: its_port },
            ) => {
                let is_host = match self.subdomains {
                    true => its_host.strip_suffix(&**host).is_some_and(|sub| sub.len() > 1 && sub.ends_with('.')),
                    false => its_host == host,
                };
                is_host && scheme == its_scheme && (self.any_port || port == its_port)
            }
            _ => false,
        }
    }
}

/// The error of a string that is not an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOrigin(pub String);

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not an origin such as \"https://example.com\", nor a pattern such as \"https://*.example.com\" or \"http://localhost:*\"",
            self.0
        )
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
    fn patterns() {
        let origins = Origins::new(["https://*.Example.com", "http://localhost:*", "https://*.dev.test:*"]).unwrap();
        for origin in [
            &b"https://a.example.com"[..],
            b"https://A.b.example.COM:443",
            b"http://localhost",
            b"http://localhost:3000",
            b"https://x.dev.test:8443",
        ] {
            assert_eq!(check(&origins, &[origin]), None, "{origin:?}");
        }
        for origin in [
            &b"https://example.com"[..],
            b"https://.example.com",
            b"https://evilexample.com",
            b"https://a.example.com.evil.example",
            b"https://a.example.com:8443",
            b"http://a.example.com",
            b"https://evil.example/.example.com",
            b"https://evil.example#.example.com",
            b"https://*.example.com@evil.example",
            b"https://localhost:3000",
            b"http://a.localhost:3000",
            b"https://dev.test:8443",
            b"null",
        ] {
            assert_eq!(check(&origins, &[origin]), Some(403), "{origin:?}");
        }
        for pattern in [
            "*",
            "https://*",
            "https://*.",
            "https://*:*",
            "*://example.com",
            "https://a.*.example.com",
            "https://a*.com",
            "https://*.*.example.com",
            "https://*.127.0.0.1",
            "https://*.[::1]",
            "https://a:1:*",
            "null:*",
            ":*",
            "https://example.com:*/",
            "https://*.example.com/",
        ] {
            assert_eq!(Origins::new([pattern]), Err(InvalidOrigin(pattern.to_owned())), "{pattern}");
        }
    }

    #[test]
    fn the_host_of_the_request_itself() {
        let origins = Origins::new([""; 0]).unwrap().same_origin();
        let check = |origins: &Origins, host: &'static str, origin: &'static str| {
            let headers = [(HOST, HeaderValue::from_static(host)), (ORIGIN, HeaderValue::from_static(origin))];
            origins.check(&headers.into_iter().collect()).is_ok()
        };
        for (host, origin) in [
            ("example.com", "https://example.com"),
            ("Example.com", "http://EXAMPLE.com:80"),
            ("example.com:443", "https://example.com"),
            ("localhost:3000", "http://localhost:3000"),
            ("[::1]:8080", "http://[::1]:8080"),
        ] {
            assert!(check(&origins, host, origin), "{origin} at {host}");
        }
        for (host, origin) in [
            ("example.com", "https://evil.example"),
            ("example.com", "https://a.example.com"),
            ("example.com:8080", "http://example.com"),
            ("example.com", "http://example.com:8080"),
            ("example.com:80", "https://example.com"),
            ("null", "null"),
            ("localhost", "capacitor://localhost"),
            ("example.com", "chrome-extension://example.com"),
        ] {
            assert!(!check(&origins, host, origin), "{origin} at {host}");
        }
        assert_eq!(super::tests::check(&origins, &[]), Some(403), "no Origin");
        assert_eq!(super::tests::check(&origins.clone().or_none(), &[]), None);
        let more = Origins::new(["https://partner.example"]).unwrap().same_origin();
        assert!(check(&more, "example.com", "https://partner.example") && check(&more, "a", "http://a"));
        assert!(more.accepts_same_origin() && !Origins::new(["null"]).unwrap().accepts_same_origin());
    }

    #[test]
    fn invalid_origins_are_refused_early() {
        for origin in ["", "example.com", "https://example.com/", "https://", "://a", "1a://b", "https://u@a", "*"] {
            assert_eq!(Origins::new([origin]), Err(InvalidOrigin(origin.to_owned())), "{origin}");
        }
    }
}
