//! Which pages may use what everyone shares: this server's own, and those that the user names.

use std::net::Ipv6Addr;
use std::str::FromStr;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, ORIGIN};
use http::uri::{Authority, Uri};
use http::{HeaderValue, Request};
use ws_tokio::EscapedBytes;

/// An origin as it is compared (RFC 6454 §4): in lower case, without the port that its scheme has anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// That of a page without an origin of its own, such as a file.
    Null,
    Page {
        scheme: String,
        host: String,
        port: Option<u16>,
    },
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected an origin, as in https://example.com or http://mybox.lan:8765, or null";
        if text == "null" {
            return Ok(Self::Null);
        }
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(EXPECTED) };
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = host_and_port(authority, &scheme);
        // Nothing may stand behind it, not even a slash, nor a user before it.
        if !text.eq_ignore_ascii_case(&format!("{scheme}://{authority}")) || authority.as_str().contains('@') {
            return Err(EXPECTED);
        }
        Ok(Self::Page { scheme, host, port })
    }
}

/// Host and port in the form that all spellings have in common.
fn host_and_port(authority: &Authority, scheme: &str) -> (String, Option<u16>) {
    let usual = match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    (authority.host().to_ascii_lowercase(), authority.port_u16().filter(|port| Some(*port) != usual))
}

/// Why a page may not use an endpoint; nothing for one that may, and for clients that are no browsers.
///
/// A browser says in `Origin` which page connects. This server's own page comes from where it connects to, so that
/// `Origin` and `Host` name the same host. But a name can be made to lead here by whoever owns it (DNS rebinding), and then
/// the two are the same as well: a name is believed only when it is `localhost` or on the list. An address is an address.
pub(super) fn refusal(request: &Request<()>, allowed: &[Origin]) -> Option<Bytes> {
    let headers = request.headers();
    let mut origins = headers.get_all(ORIGIN).iter();
    let sent = origins.next()?;
    let origin = sent.to_str().ok().filter(|_| origins.next().is_none()).and_then(|text| text.parse().ok());
    if origin.is_some_and(|origin| allowed.contains(&origin) || is_own(&origin, headers)) {
        return None;
    }
    let (path, sent) = (request.uri().path(), EscapedBytes(sent.as_bytes()));
    Some(
        format!(
            "A page from {sent} may not use {path}: only pages of this server itself may, opened by its IP address or as \
             localhost.\nTo let it: ws serve --allow-origin {sent}\n"
        )
        .into(),
    )
}

/// Whether it is the origin of a page that came from this server.
fn is_own(origin: &Origin, headers: &HeaderMap) -> bool {
    let Origin::Page { scheme, host, port } = origin else { return false };
    let is_it = |value: &HeaderValue| {
        let Ok(authority) = Authority::try_from(value.as_bytes()) else { return false };
        host_and_port(&authority, scheme) == (host.clone(), *port)
    };
    is_safe(host) && headers.get(HOST).is_some_and(is_it)
}

/// Whether nobody else can make this host lead here.
fn is_safe(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bracketed {
        Some(ip) => ip.parse::<Ipv6Addr>().is_ok(),
        None => host == "localhost" || host.ends_with(".localhost") || host.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(host: &str, origins: &[&str], allowed: &[&str]) -> bool {
        let mut request = Request::get("/chat").header(HOST, host).body(()).unwrap();
        for origin in origins {
            request.headers_mut().append(ORIGIN, HeaderValue::from_bytes(origin.as_bytes()).unwrap());
        }
        let allowed: Vec<_> = allowed.iter().map(|origin| origin.parse().unwrap()).collect();
        refusal(&request, &allowed).is_none()
    }

    #[test]
    fn pages_of_this_server_may() {
        for (host, origin) in [
            ("127.0.0.1:8765", "http://127.0.0.1:8765"),
            ("192.168.1.5:8765", "http://192.168.1.5:8765"),
            ("[::1]:8765", "http://[::1]:8765"),
            ("[fe80::1]:8765", "https://[FE80::1]:8765"),
            ("localhost:8765", "http://localhost:8765"),
            ("LOCALHOST:8765", "https://localhost:8765"),
            ("demo.localhost", "https://demo.localhost"),
            ("127.0.0.1", "http://127.0.0.1:80"),
            ("127.0.0.1:443", "https://127.0.0.1"),
        ] {
            assert!(may(host, &[origin], &[]), "{origin} at {host}");
        }
    }

    #[test]
    fn others_may_not() {
        for (host, origin) in [
            ("127.0.0.1:8765", "http://evil.example"),
            ("127.0.0.1:8765", "http://127.0.0.1:8000"),
            ("127.0.0.1:8765", "http://127.0.0.2:8765"),
            ("127.0.0.1:8765", "http://localhost:8765"),
            ("127.0.0.1:8765", "http://127.0.0.1.evil.example:8765"),
            ("localhost:8765", "http://localhost.evil.example:8765"),
            ("127.0.0.1:8765", "null"),
            ("127.0.0.1:8765", ""),
            ("127.0.0.1:8765", "http://127.0.0.1:8765/"),
            ("127.0.0.1:8765", "http://u@127.0.0.1:8765"),
            ("127.0.0.1:8765", "127.0.0.1:8765"),
            ("127.0.0.1:8765", "http://127.0.0.1:8765 http://evil.example"),
            // A name that its owner has made to lead here: both say the same.
            ("evil.example:8765", "http://evil.example:8765"),
            ("evil.example", "http://evil.example"),
            ("127.0.0.1.evil.example:8765", "http://127.0.0.1.evil.example:8765"),
            ("mybox:8765", "http://mybox:8765"),
            ("notlocalhost:8765", "http://notlocalhost:8765"),
            ("[evil]:8765", "http://[evil]:8765"),
            // Numbers that a browser takes for an address come from it as one.
            ("2130706433:8765", "http://2130706433:8765"),
        ] {
            assert!(!may(host, &[origin], &[]), "{origin} at {host}");
        }
        assert!(!may("127.0.0.1", &["http://127.0.0.1", "http://127.0.0.1"], &[]), "one is one too many");
    }

    #[test]
    fn what_is_no_browser_sends_no_origin() {
        for host in ["127.0.0.1:8765", "mybox.lan:8765", "evil.example"] {
            assert!(may(host, &[], &[]));
        }
    }

    #[test]
    fn the_user_can_name_others() {
        let allowed = ["https://demo.example", "http://mybox.lan:8765", "null", "chrome-extension://abcdef"];
        for origin in allowed.into_iter().chain(["HTTPS://DEMO.example:443"]) {
            assert!(may("127.0.0.1:8765", &[origin], &allowed), "{origin}");
            assert!(may("demo.example", &[origin], &allowed), "{origin}, whatever a proxy makes of Host");
        }
        for origin in
            ["http://demo.example", "https://demo.example:8443", "http://mybox.lan", "https://sub.demo.example"]
        {
            assert!(!may("127.0.0.1:8765", &[origin], &allowed), "{origin}");
        }
        for bad in ["", "demo.example", "https://demo.example/", "*", "https://", "https://u@a", "demo.example:80"] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_refusal_says_what_to_do_and_steers_no_terminal() {
        let mut request = Request::get("/chat").header(HOST, "127.0.0.1").body(()).unwrap();
        request.headers_mut().insert(ORIGIN, HeaderValue::from_static("http://evil.example"));
        let told = String::from_utf8(refusal(&request, &[]).unwrap().to_vec()).unwrap();
        assert!(told.contains("/chat") && told.contains("--allow-origin http://evil.example"), "{told}");
        request.headers_mut().insert(ORIGIN, HeaderValue::from_bytes("\u{9b}31m\u{202e}".as_bytes()).unwrap());
        let told = String::from_utf8(refusal(&request, &[]).unwrap().to_vec()).unwrap();
        assert!(!told.contains(['\u{9b}', '\u{202e}']), "{told:?}");
    }
}
