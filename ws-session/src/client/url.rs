//! WebSocket URLs (RFC 6455 §3).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::error::UrlError;

/// The longest host name, in bytes. Those of the domain name system have 253 at most (RFC 1035 §2.3.4).
const MOST_NAME: usize = 255;

/// The parts of a URL.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Whether it is `wss`.
    pub(crate) secure: bool,
    /// The host to dial.
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// The value of the `Host` header, with the port unless it is the scheme's default.
    pub(crate) authority: String,
    pub(crate) path_and_query: String,
    /// The value of the `Authorization` header, if the URL has a user name.
    pub(crate) authorization: Option<String>,
}

/// The host of a URL.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    Address {
        ip: IpAddr,
        /// The network interface of an IPv6 address that is unique only on a link (RFC 4007 §11).
        zone: Option<String>,
    },
}

#[cfg(feature = "redirects")]
impl Target {
    /// The URL of a `Location` in a response to a request for this one (RFC 9110 §10.2.2, RFC 3986 §5.2). A fragment is
    /// dropped: it is not a part of the request.
    pub(super) fn join(&self, location: &str) -> Result<Self, UrlError> {
        let location = location.split_once('#').map_or(location, |(location, _)| location).trim_matches(' ');
        if location.chars().any(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        if location.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)) {
            return Self::parse(location);
        }
        let is_slash = |c| matches!(c, '/' | '\\');
        let target = match location.strip_prefix(is_slash) {
            Some(rest) if rest.starts_with(is_slash) => {
                return Self::parse(&format!("{}:{location}", if self.secure { "wss" } else { "ws" }));
            }
            Some(_) => location.to_owned(),
            None if location.is_empty() => self.path_and_query.clone(),
            None if location.starts_with('?') => format!("{}{location}", self.path()),
            None => {
                let folder = self.path().rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{folder}/{location}")
            }
        };
        Ok(Self { path_and_query: path_and_query(&target), authorization: None, ..self.clone() })
    }

    /// The path without the query.
    pub(super) fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }

    /// Whether scheme, host and port are the same (RFC 6454 §5).
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        (self.secure, self.port, &self.host) == (other.secure, other.port, &other.host)
    }
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

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        // The URL standard has parsers drop some of these silently. They are a mistake, so they are refused.
        if text.chars().any(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        if lacks_scheme(text) {
            return Err(UrlError::NoScheme);
        }
        let text = text.trim_matches(' ');
        let (scheme, rest) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).ok_or(UrlError::NoScheme)?;
        // As in browsers, `http` and `https` mean `ws` and `wss`.
        let (secure, own_port) = match &*scheme.to_ascii_lowercase() {
            "ws" | "http" => (false, 80),
            "wss" | "https" => (true, 443),
            other => return Err(UrlError::Scheme(other.to_owned())),
        };
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        // As in browsers, a backslash counts as a slash, and any number of slashes may precede the host.
        let rest = rest.trim_start_matches(['/', '\\']);
        let (authority, rest) = rest.split_at(rest.find(['/', '\\', '?']).unwrap_or(rest.len()));
        let Authority { user_info, host, port } = Authority::parse(authority)?;
        let port = port.unwrap_or(own_port);
        let name = match &host {
            Host::Address { ip: IpAddr::V6(ip), .. } => format!("[{ip}]"),
            host => host.to_string(),
        };
        let authority = if port == own_port { name } else { format!("{name}:{port}") };
        let path_and_query = path_and_query(rest);
        Ok(Self { secure, host, port, authority, path_and_query, authorization: authorization(user_info) })
    }
}

/// The part of a URL that names the server.
pub(super) struct Authority<'u> {
    pub(super) user_info: &'u str,
    pub(super) host: Host,
    pub(super) port: Option<u16>,
}

impl<'u> Authority<'u> {
    pub(super) fn parse(text: &'u str) -> Result<Self, UrlError> {
        let (user_info, host) = text.rsplit_once('@').unwrap_or(("", text));
        let (host, port) = split_port(host)?;
        Ok(Self { user_info, host: Host::parse(host)?, port })
    }
}

impl Host {
    /// A host to dial, from a setting: a name, or an IP address with or without brackets.
    pub(super) fn dialled(text: &str) -> Result<Self, UrlError> {
        match text.contains(':') && !text.starts_with('[') {
            true => Self::parse(&format!("[{text}]")),
            false => Self::parse(text),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, UrlError> {
        let invalid = |why: &str| UrlError::Invalid(why.to_owned());
        if let Some(address) = text.strip_prefix('[') {
            let (address, zone) = split_zone(address.strip_suffix(']').unwrap_or_default())?;
            let ip = address.parse::<Ipv6Addr>().map_err(|_| invalid("invalid IPv6 address"))?.into();
            return Ok(Self::Address { ip, zone });
        }
        let name = percent_decode_str(text).decode_utf8().map_err(|_| invalid("its host is not UTF-8"))?;
        let name = if name.is_ascii() { name.to_ascii_lowercase() } else { to_ascii(&name)? };
        if name.is_empty() {
            return Err(invalid("it names no host"));
        }
        // Not even a proxy can resolve a longer one: SOCKS has one byte for its length (RFC 1928 §5).
        if name.len() > MOST_NAME {
            return Err(invalid("its host name has more than 255 bytes"));
        }
        // A registered name (RFC 3986 §3.2.2).
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=".contains(c)) {
            return Err(invalid("its host has a character that no host name has"));
        }
        match ends_in_number(&name) {
            true => {
                let ip = ipv4(&name).ok_or_else(|| invalid("invalid IPv4 address"))?.into();
                Ok(Self::Address { ip, zone: None })
            }
            false => Ok(Self::Name(name)),
        }
    }
}

/// Whether this is an IPv4 address or nothing: no top-level domain is a number (URL standard, "ends in a number").
fn ends_in_number(name: &str) -> bool {
    let last = name.strip_suffix('.').unwrap_or(name).rsplit('.').next().unwrap_or_default();
    let is_decimal = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal || last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// An IPv4 address in any of the forms that browsers and systems take: `127.1` is `127.0.0.1`, and `0x7f.1` is, too.
fn ipv4(name: &str) -> Option<Ipv4Addr> {
    let mut parts = name.strip_suffix('.').unwrap_or(name).split('.').map(ipv4_part).collect::<Option<Vec<_>>>()?;
    // The last part stands for all bytes that the others leave.
    let last = parts.pop()?;
    let left = 4_u32.checked_sub(u32::try_from(parts.len()).ok()?).filter(|&left| left > 0)?;
    let mut address = last;
    if last >> (8 * left) != 0 {
        return None;
    }
    for (part, place) in parts.into_iter().zip([24, 16, 8]) {
        address |= u64::from(u8::try_from(part).ok()?) << place;
    }
    u32::try_from(address).ok().map(Ipv4Addr::from)
}

/// A number as C writes it: hexadecimal behind `0x`, octal behind `0`.
fn ipv4_part(text: &str) -> Option<u64> {
    let (digits, radix) = match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(""), _) => return Some(0),
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (text, 10),
    };
    let is_number = digits.bytes().all(|byte| char::from(byte).is_digit(radix));
    u64::from_str_radix(digits, radix).ok().filter(|_| is_number)
}

/// The ASCII form of an international domain name.
#[cfg(feature = "idna")]
fn to_ascii(name: &str) -> Result<String, UrlError> {
    match idna::domain_to_ascii_cow(name.as_bytes(), idna::AsciiDenyList::URL) {
        Ok(ascii) => Ok(ascii.into_owned()),
        Err(_) => Err(UrlError::Invalid("invalid international domain name".to_owned())),
    }
}

#[cfg(not(feature = "idna"))]
fn to_ascii(_name: &str) -> Result<String, UrlError> {
    Err(UrlError::InternationalHost)
}

/// Whether this has the form of a scheme (RFC 3986 §3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Splits `host:port`. An empty port is none.
fn split_port(text: &str) -> Result<(&str, Option<u16>), UrlError> {
    match text.rsplit_once(':') {
        Some((host, "")) => Ok((host, None)),
        Some((host, port)) if !port.ends_with(']') => match port.parse() {
            Ok(number) if port.bytes().all(|byte| byte.is_ascii_digit()) => Ok((host, Some(number))),
            _ => Err(UrlError::Invalid("invalid port number".to_owned())),
        },
        _ => Ok((text, None)),
    }
}

/// The characters that the URL standard percent-encodes in a query and in a path. Encoded characters stay unchanged.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\'');
const PATH: &AsciiSet = &QUERY.remove(b'\'').add(b'?').add(b'`').add(b'{').add(b'}');

/// The request target (RFC 6455 §3, "resource name"), from the part of the URL after the authority.
fn path_and_query(text: &str) -> String {
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    let path = without_dots(path);
    let path = utf8_percent_encode(&path, PATH);
    match query {
        Some(query) => format!("{path}?{}", utf8_percent_encode(query, QUERY)),
        None => path.to_string(),
    }
}

/// Resolves `.` and `..` (RFC 3986 §5.2.4), which may be percent-encoded. A backslash is a slash, and an empty path is `/`.
fn without_dots(path: &str) -> String {
    const SLASHES: [char; 2] = ['/', '\\'];
    let mut kept = Vec::new();
    let mut segments = path.strip_prefix(SLASHES).unwrap_or(path).split(SLASHES).peekable();
    while let Some(segment) = segments.next() {
        let is_any_of = |forms: &[&str]| forms.iter().any(|form| segment.eq_ignore_ascii_case(form));
        if is_any_of(&["..", ".%2e", "%2e.", "%2e%2e"]) {
            kept.pop();
        } else if !is_any_of(&[".", "%2e"]) {
            kept.push(segment);
            continue;
        }
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    let mut resolved = String::with_capacity(path.len() + 1);
    for segment in kept {
        resolved.push('/');
        resolved.push_str(segment);
    }
    resolved
}

/// Whether the URL begins with its host. `localhost:80` and `user:secret@host` look as if they had a scheme.
fn lacks_scheme(url: &str) -> bool {
    match url.split_once(':') {
        Some((_, rest)) if rest.starts_with("//") => false,
        Some((_, rest)) => rest.starts_with(|c: char| c.is_ascii_digit()) || rest.contains('@'),
        None => !url.is_empty(),
    }
}

/// The range of the authority in a URL: user, password, host and port.
fn authority(url: &str) -> Option<Range<usize>> {
    let slashes = url.find("://")? + ":".len();
    let rest = url.get(slashes..)?.trim_start_matches(['/', '\\']);
    let begin = url.len() - rest.len();
    Some(begin..begin + rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()))
}

/// Splits an IPv6 address from its zone: `fe80::1%25eth0` (RFC 6874), or without the `25`, as people write it.
fn split_zone(text: &str) -> Result<(&str, Option<String>), UrlError> {
    let Some((address, zone)) = text.split_once('%') else { return Ok((text, None)) };
    let zone = percent_decode_str(zone.strip_prefix("25").unwrap_or(zone)).decode_utf8();
    match zone {
        Ok(zone) if !zone.is_empty() && !zone.contains(char::is_control) => Ok((address, Some(zone.into_owned()))),
        _ => Err(UrlError::Invalid("invalid zone of an IPv6 address".to_owned())),
    }
}

/// Removes the password from a URL, for messages and logs. The URL need not be valid. If the extent of the password is
/// unclear, more is removed.
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
        Some(range) if Target::parse(url).is_ok() => range,
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
        Some(range) => Cow::Owned(format!("{}{}", &url[..range.start], &url[range.end..])),
    }
}

/// Basic credentials (RFC 7617), from `user:password`.
pub(super) fn authorization(user_info: &str) -> Option<String> {
    let (user, password) = credentials(user_info)?;
    Some(format!("Basic {}", BASE64.encode([&user, &b":"[..], &password].concat())))
}

/// User name and password, decoded, from `user:password`.
pub(super) fn credentials(user_info: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    if user.is_empty() && password.is_empty() {
        return None;
    }
    Some((percent_decode_str(user).collect(), percent_decode_str(password).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_has_at_most_255_bytes() {
        for (length, fits) in [(255, true), (256, false), (600, false), (10_000, false)] {
            let url = format!("ws://{}/", "a".repeat(length));
            assert_eq!(Target::parse(&url).is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn urls_and_their_parts() {
        for (url, host, port, authority, path) in [
            ("ws://example.com", "example.com", 80, "example.com", "/"),
            ("wss://example.com/chat?room=1", "example.com", 443, "example.com", "/chat?room=1"),
            ("ws://EXAMPLE.com:8080/a b", "example.com", 8080, "example.com:8080", "/a%20b"),
            ("ws://[::1]:9000/", "::1", 9000, "[::1]:9000", "/"),
            #[cfg(feature = "idna")]
            ("ws://bücher.example/ü", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/%C3%BC"),
            ("ws://xn--bcher-kva.example/ü", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/%C3%BC"),
            ("ws://example.com:80/", "example.com", 80, "example.com", "/"),
            ("http://example.com/a", "example.com", 80, "example.com", "/a"),
            ("https://example.com:80/", "example.com", 80, "example.com:80", "/"),
            ("wss:example.com", "example.com", 443, "example.com", "/"),
            ("ws://[fe80::1%25lo]:1/%25x?[%25a]", "fe80::1%lo", 1, "[fe80::1]:1", "/%25x?[%25a]"),
            ("ws://u:[%25]@[fe80::1%251]/", "fe80::1%1", 80, "[fe80::1]", "/"),
            ("wss://[::1%eth%2d0]/", "::1%eth-0", 443, "[::1]", "/"),
            // What stands elsewhere is no zone.
            ("ws:/[fe80::1]/?to=http://[::1%25eth0]", "fe80::1", 80, "[fe80::1]", "/?to=http://[::1%25eth0]"),
            ("ws://u:[%25]@[::1]/", "::1", 80, "[::1]", "/"),
            ("ws://[%25a]@h/", "h", 80, "h", "/"),
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

    /// Compares with another parser, and with what is refused.
    #[cfg(feature = "redirects")]
    #[test]
    fn locations_are_relative_to_the_url() {
        for base in ["ws://h:81/a/b?c", "wss://u:p@h", "ws://h/a/b/?c=/d/", "ws://[::1]/x"] {
            for location in [
                "",
                "d",
                "d/e",
                "./d",
                "../d",
                "../../../d",
                "/d",
                "/d?e",
                "?e",
                "/",
                ".",
                "..",
                "//i/j",
                "//i:82",
                "\\d",
                "wss://i/j?k",
                "d#f",
                "#f",
                "/d?e#f",
                "/d:e",
                "./d:e",
                "/ü ",
                "?q=http://x",
                "http://i:80/",
                "https://i/",
            ] {
                let ours = Target::parse(base).unwrap().join(location).unwrap();
                let mut theirs = url::Url::parse(base).unwrap().join(location).unwrap();
                theirs.set_fragment(None);
                assert_eq!(
                    ours.authority,
                    theirs[url::Position::BeforeHost..url::Position::AfterPort],
                    "{base} {location}"
                );
                assert_eq!(ours.path_and_query, theirs[url::Position::BeforePath..], "{base} {location}");
                assert_eq!(ours.secure, ["wss", "https"].contains(&theirs.scheme()), "{base} {location}");
                assert_eq!(ours.authorization, None);
            }
            let base = Target::parse(base).unwrap();
            for location in ["ftp://h/", "mailto:x", "ws://", "//", "ws://h:99999/", "//h x/"] {
                assert!(base.join(location).is_err(), "{location}");
            }
            assert!(base.join("/a\r\nX: y").is_err() && base.join("/a").unwrap().is_same_origin(&base));
        }
        let zone = Target::parse("ws://[fe80::1%25eth0]/a").unwrap();
        assert_eq!(zone.join("b").unwrap().host.to_string(), "fe80::1%eth0");
        let port = |url: &str| Target::parse(url).unwrap();
        assert!(port("ws://H/").is_same_origin(&port("http://h:80/x")));
        for other in ["ws://h:81", "wss://h", "wss://h:80", "ws://i", "ws://h."] {
            assert!(!port("ws://h").is_same_origin(&port(other)), "{other}");
        }
    }

    #[test]
    fn hosts_beyond_ascii_need_a_feature() {
        for host in ["bücher.example", "b%C3%BCcher.example", "BÜCHER.example"] {
            let ascii = Target::parse(&format!("wss://{host}/")).map(|target| target.authority);
            match cfg!(feature = "idna") {
                true => assert_eq!(ascii.unwrap(), "xn--bcher-kva.example"),
                false => {
                    let error = ascii.unwrap_err();
                    assert_eq!(error, UrlError::InternationalHost);
                    assert!(error.to_string().contains("feature `idna`"), "{error}");
                }
            }
        }
    }

    /// Compares with another parser, which follows the URL standard (WHATWG).
    #[test]
    fn urls_are_read_as_browsers_read_them() {
        let schemes = ["ws:", "WSS://", "ws:/", "wss:///", "wss:\\\\", " ws://"];
        let users = ["", "u@", "u:p@", ":p@", "u:@", "@", ":@", "u:a@b:c@", "%41:%zz[@"];
        let hosts = [
            "h",
            "H.Example.",
            "%61b",
            "127.0.0.1",
            "[::1]",
            "[2001:DB8::0:1]",
            "a_b-c~",
            "xn--bcher-kva.example",
            "",
            "a b",
            "a%2fb",
            "a%3a",
            "a%40b",
            "a|b",
            "[",
            "[::1",
            "::1",
            "[::g]",
            "a%ff",
            "a%",
            "[::1]x",
            "x[::1]",
            "127.1",
            "0x7F.1",
            "0177.0.0.1",
            "2130706433",
            "127.0.0.1.",
            "0x",
            "1.2.3.4.5",
            "256.0.0.1",
            "1.256",
            "0.0.0.0x100",
            "4294967296",
            "99999999999999999999",
            "08.0.0.1",
            "1..1",
            "a.1",
            "a.0x",
            "1.a",
            "1.0xg",
            "%31%32%37.1",
        ];
        let ports = ["", ":", ":80", ":443", ":0", ":00081", ":65535", ":65536", ":+1", ":1x", ":-1"];
        let rests = [
            "",
            "/",
            "/a/b",
            "//",
            "?",
            "?a?b",
            "/?q=\"<'>`{}^|\\",
            "/ \"<'>`{}^|[]",
            "\\a\\..\\b",
            "/a/./b/../c",
            "/..",
            "/a/..",
            "/.",
            "/%2e/a/%2E%2e/b/%2e.",
            "/a//../b",
            "/...",
            "/%",
            "/%2",
            "/%zz",
            "/é?é",
            "/@a:b",
            "/a/../../b?../c",
            "/ ",
            "? ",
        ];
        let endings =
            ports.map(|port| format!("{port}/")).into_iter().chain(rests.map(str::to_owned)).collect::<Vec<_>>();
        let mut usable = 0;
        for (scheme, user) in schemes.iter().flat_map(|scheme| users.iter().map(move |user| (scheme, user))) {
            for (host, ending) in hosts.iter().flat_map(|host| endings.iter().map(move |ending| (host, ending))) {
                let text = format!("{scheme}{user}{host}{ending}");
                let ours = Target::parse(&text);
                // Rules of our own.
                if lacks_scheme(&text) || matches!(ours, Err(UrlError::InternationalHost)) {
                    continue;
                }
                let Ok(theirs) = url::Url::parse(&text) else {
                    assert!(ours.is_err(), "{text}");
                    continue;
                };
                let ours = ours.unwrap_or_else(|error| panic!("{text}: {error}"));
                usable += 1;
                let credentials = !theirs.username().is_empty() || theirs.password().is_some();
                assert_eq!(ours.authority, theirs[url::Position::BeforeHost..url::Position::AfterPort], "{text}");
                assert_eq!(ours.path_and_query, theirs[url::Position::BeforePath..], "{text}");
                assert_eq!(Some(ours.port), theirs.port_or_known_default(), "{text}");
                assert_eq!(
                    (ours.secure, ours.authorization.is_some()),
                    (theirs.scheme() == "wss", credentials),
                    "{text}"
                );
            }
        }
        assert!(usable > 7_000, "{usable}");
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
            ("ws:///u:secret@h/", "ws:///u@h/"),
            ("ws://\\u:secret@h/", "ws://\\u@h/"),
            ("", ""),
        ] {
            assert_eq!(without_password(url), shown, "{url}");
            if let Err(error) = Target::parse(url) {
                assert!(!format!("{error} {error:?}").contains("cret"), "{error}");
            }
        }
    }
}
