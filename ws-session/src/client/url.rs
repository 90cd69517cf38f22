//! WebSocket URLs (RFC 6455 §3).

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use url::Url;

/// What a URL says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Whether it is `wss`.
    pub(crate) secure: bool,
    /// The host to dial.
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// The value of the `Host` header: with the port, when it is not the scheme's own.
    pub(crate) authority: String,
    pub(crate) path_and_query: String,
    /// The value of the `Authorization` header, when the URL names a user.
    pub(crate) authorization: Option<String>,
}

/// The host of a URL.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    Address {
        ip: IpAddr,
        /// The network interface of an IPv6 address that is the same on several (RFC 4007 §11).
        zone: Option<String>,
    },
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address { ip, zone: None } => ip.fmt(f),
            Self::Address { ip, zone: Some(zone) } => write!(f, "{ip}%{zone}"),
        }
    }
}

/// Why a URL cannot be used. It never holds the URL's password.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// It is not a URL; why.
    Invalid(String),
    /// It holds a control character: a line end, a tab, NUL.
    ControlCharacter,
    /// It has no scheme, as in `localhost:8765`.
    NoScheme,
    /// Its scheme is none of `ws`, `wss`, `http` and `https`.
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
            Self::NoScheme => f.write_str("invalid URL: it has no scheme; put ws:// in front of it, or wss:// for TLS"),
            Self::Scheme(scheme) => write!(f, "invalid URL: its scheme is {scheme}, and must be ws or wss"),
            Self::Fragment => f.write_str("invalid URL: a WebSocket URL has no fragment (#…)"),
            Self::NoHost => f.write_str("invalid URL: it names no host"),
        }
    }
}

impl fmt::Debug for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for UrlError {}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        // The URL standard has parsers drop some of these silently; who wrote them meant something else.
        if text.chars().any(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        if lacks_scheme(text) {
            return Err(UrlError::NoScheme);
        }
        let (text, zone) = take_zone(text)?;
        let url = Url::parse(&text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => UrlError::NoScheme,
            error => UrlError::Invalid(error.to_string()),
        })?;
        // As browsers have it: `http` and `https` stand for `ws` and `wss`.
        let secure = match url.scheme() {
            "ws" | "http" => false,
            "wss" | "https" => true,
            other => return Err(UrlError::Scheme(other.to_owned())),
        };
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        let name = url.host_str().filter(|host| !host.is_empty()).ok_or(UrlError::NoHost)?;
        let host = match url.host() {
            Some(url::Host::Ipv4(ip)) => Host::Address { ip: ip.into(), zone },
            Some(url::Host::Ipv6(ip)) => Host::Address { ip: ip.into(), zone },
            _ => Host::Name(name.to_owned()),
        };
        let authority = match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let port = url.port_or_known_default().ok_or(UrlError::NoHost)?;
        Ok(Self { secure, host, port, authority, path_and_query, authorization: authorization(&url) })
    }
}

/// Whether the URL begins with its host. `localhost:80` and `user:secret@host` look as if they had a scheme.
fn lacks_scheme(url: &str) -> bool {
    match url.split_once(':') {
        Some((_, rest)) if rest.starts_with("//") => false,
        Some((_, rest)) => rest.starts_with(|c: char| c.is_ascii_digit()) || rest.contains('@'),
        None => !url.is_empty(),
    }
}

/// Where in a URL its host and port stand, with what is in front of them: a user and a password.
fn authority(url: &str) -> Option<Range<usize>> {
    let begin = url.find("://")? + "://".len();
    let rest = url.get(begin..)?;
    Some(begin..begin + rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()))
}

/// Takes the zone out of the URL's IPv6 address: `[fe80::1%25eth0]` (RFC 6874), or without the `25`, as people write it.
fn take_zone(url: &str) -> Result<(Cow<'_, str>, Option<String>), UrlError> {
    let zone = authority(url).and_then(|range| {
        let authority = url.get(range.clone())?;
        let open = authority.rfind('[')?;
        let close = open + authority.get(open..)?.find(']')?;
        let percent = open + authority.get(open..close)?.find('%')?;
        Some(range.start + percent..range.start + close)
    });
    let Some(range) = zone else { return Ok((Cow::Borrowed(url), None)) };
    let zone = url.get(range.clone()).unwrap_or_default();
    let zone = percent_decode_str(zone.strip_prefix("%25").unwrap_or(zone.trim_start_matches('%'))).decode_utf8();
    match zone {
        Ok(zone) if !zone.is_empty() && !zone.contains(char::is_control) => {
            let mut without = url.to_owned();
            without.replace_range(range, "");
            Ok((Cow::Owned(without), Some(zone.into_owned())))
        }
        _ => Err(UrlError::Invalid("invalid zone of an IPv6 address".to_owned())),
    }
}

/// The URL without its password, to be shown or logged. It need not be valid: where it is not clear what the password
/// is, more is left out.
///
/// ```
/// use ws_session::without_password;
///
/// assert_eq!(without_password("wss://me:secret@example.com/chat"), "wss://me@example.com/chat");
/// assert_eq!(without_password("ws://example.com/@me:you"), "ws://example.com/@me:you");
/// ```
pub fn without_password(url: &str) -> Cow<'_, str> {
    // A password with a slash in it ends the authority early; then the URL cannot be parsed.
    let whole = match authority(url) {
        Some(range) if Url::parse(url).is_ok() => range,
        Some(range) => range.start..url.len(),
        None => 0..url.len(),
    };
    let user_info = url.get(whole.clone()).and_then(|text| Some(whole.start..whole.start + text.rfind('@')?));
    let password = user_info.and_then(|range| {
        let colon = range.start + url.get(range.clone())?.find(':')?;
        Some(colon..range.end)
    });
    match password {
        None => Cow::Borrowed(url),
        Some(range) => {
            let mut without = url.to_owned();
            without.replace_range(range, "");
            Cow::Owned(without)
        }
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
            ("http://example.com/a", "example.com", 80, "example.com", "/a"),
            ("https://example.com:80/", "example.com", 80, "example.com:80", "/"),
            ("wss:example.com", "example.com", 443, "example.com", "/"),
            ("ws://[fe80::1%25lo]:1/%25x?[%25a]", "fe80::1%lo", 1, "[fe80::1]:1", "/%25x?[%25a]"),
            ("ws://u:[%25]@[fe80::1%251]/", "fe80::1%1", 80, "[fe80::1]", "/"),
            ("wss://[::1%eth%2d0]/", "::1%eth-0", 443, "[::1]", "/"),
        ] {
            let target = Target::parse(url).unwrap();
            let host_dialled = target.host.to_string();
            let got = (host_dialled.as_str(), target.port, target.authority.as_str(), target.path_and_query.as_str());
            assert_eq!(got, (host, port, authority, path), "{url}");
            assert_eq!(target.secure, url.starts_with("wss") || url.starts_with("https"));
            assert_eq!(target.authorization.is_some(), url.contains('@'));
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
        assert_eq!(Target::parse("ftp://example.com/").err(), Some(UrlError::Scheme("ftp".to_owned())));
        for url in ["localhost:9711", "127.0.0.1:9711/x", "[::1]:80", "example.com", "user:secret@host:1/", "/chat"] {
            assert_eq!(Target::parse(url).err(), Some(UrlError::NoScheme), "{url}");
        }
        for url in ["ws://[fe80::1%25]/", "ws://[fe80::1%]/", "ws://[fe80::1%25%0a]/", "ws://[fe80::1%25%ff]/"] {
            assert!(matches!(Target::parse(url), Err(UrlError::Invalid(why)) if why.contains("zone")), "{url}");
        }
        assert_eq!(Target::parse("ws://example.com/#top").err(), Some(UrlError::Fragment));
        assert!(matches!(Target::parse("ws://"), Err(UrlError::Invalid(_))));
        assert!(matches!(Target::parse("ws://example.com:99999/"), Err(UrlError::Invalid(_))));
    }

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("ws://u:secret@h:1/p", "ws://u@h:1/p"),
            ("ws://:secret@h/", "ws://@h/"),
            ("ws://u:se@cret@h/", "ws://u@h/"),
            ("ws://u@h/", "ws://u@h/"),
            ("ws://h:80/@a:b", "ws://h:80/@a:b"),
            ("ws://h/?a:b@c", "ws://h/?a:b@c"),
            ("ws://u:secret@h:99999/", "ws://u@h:99999/"),
            ("ws://u:sec/ret@h/", "ws://u@h/"),
            ("ws://u:sec?ret@h/", "ws://u@h/"),
            ("u:secret@h:1/", "u@h:1/"),
            ("localhost:1/x", "localhost:1/x"),
            ("", ""),
        ] {
            assert_eq!(without_password(url), shown, "{url}");
            if let Err(error) = Target::parse(url) {
                assert!(!format!("{error} {error:?}").contains("cret"), "{error}");
            }
        }
    }
}
