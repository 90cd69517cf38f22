//! WebSocket URLs (RFC 6455 §3).

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use url::Url;

/// What a URL says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Whether it is `wss`.
    pub(crate) secure: bool,
    /// The host to dial: a name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of the `Host` header: with the port, when it is not the scheme's own.
    pub(crate) authority: String,
    pub(crate) path_and_query: String,
    /// The value of the `Authorization` header, when the URL names a user.
    pub(crate) authorization: Option<String>,
}

/// Why a URL cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// It is not a URL; why.
    Invalid(String),
    /// It holds a control character: a line end, a tab, NUL.
    ControlCharacter,
    /// Its scheme is neither `ws` nor `wss`.
    Scheme(String),
    /// It has a fragment, which means nothing here (RFC 6455 §3).
    Fragment,
    /// It names no host.
    NoHost,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => write!(f, "invalid URL: {why}"),
            Self::ControlCharacter => f.write_str("invalid URL: it holds a control character"),
            Self::Scheme(scheme) => write!(f, "invalid URL: its scheme is {scheme}, and must be ws or wss"),
            Self::Fragment => f.write_str("invalid URL: a WebSocket URL has no fragment (#…)"),
            Self::NoHost => f.write_str("invalid URL: it names no host"),
        }
    }
}

impl std::error::Error for UrlError {}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        // The URL standard has parsers drop some of these silently; who wrote them meant something else.
        if url.chars().any(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        let url = Url::parse(url).map_err(|error| UrlError::Invalid(error.to_string()))?;
        let secure = match url.scheme() {
            "ws" => false,
            "wss" => true,
            other => return Err(UrlError::Scheme(other.to_owned())),
        };
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(UrlError::NoHost)?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self {
            secure,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port_or_known_default().ok_or(UrlError::NoHost)?,
            authority,
            path_and_query,
            authorization: authorization(&url),
        })
    }
}

/// Basic credentials (RFC 7617).
fn authorization(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let user: Cow<'_, [u8]> = percent_decode_str(url.username()).into();
    let password: Cow<'_, [u8]> = percent_decode_str(url.password().unwrap_or_default()).into();
    Some(format!("Basic {}", BASE64.encode([&user, &b":"[..], &password].concat())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_what_they_say() {
        for (url, host, port, authority, path) in [
            ("ws://example.com", "example.com", 80, "example.com", "/"),
            ("wss://example.com/chat?room=1", "example.com", 443, "example.com", "/chat?room=1"),
            ("ws://EXAMPLE.com:8080/a b", "example.com", 8080, "example.com:8080", "/a%20b"),
            ("ws://[::1]:9000/", "::1", 9000, "[::1]:9000", "/"),
            ("ws://bücher.example/ü", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/%C3%BC"),
            ("ws://example.com:80/", "example.com", 80, "example.com", "/"),
        ] {
            let target = Target::parse(url).unwrap();
            let got = (target.host.as_str(), target.port, target.authority.as_str(), target.path_and_query.as_str());
            assert_eq!(got, (host, port, authority, path), "{url}");
            assert_eq!(target.secure, url.starts_with("wss"));
            assert_eq!(target.authorization, None);
        }
    }

    #[test]
    fn credentials_become_a_header() {
        let target = Target::parse("ws://Aladdin:open%20sesame@example.com/").unwrap();
        assert_eq!(target.authorization.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert_eq!(target.authority, "example.com");
    }

    #[test]
    fn urls_that_cannot_be_used() {
        for url in ["ws://example.com/a\r\nX: y", "ws://example.com/\0", "ws://exa\tmple.com/"] {
            assert_eq!(Target::parse(url).err(), Some(UrlError::ControlCharacter), "{url:?}");
        }
        assert_eq!(Target::parse("http://example.com/").err(), Some(UrlError::Scheme("http".to_owned())));
        assert_eq!(Target::parse("ws://example.com/#top").err(), Some(UrlError::Fragment));
        assert!(matches!(Target::parse("ws://"), Err(UrlError::Invalid(_))));
        assert!(matches!(Target::parse("example.com"), Err(UrlError::Invalid(_))));
        assert!(matches!(Target::parse("ws://example.com:99999/"), Err(UrlError::Invalid(_))));
    }
}
