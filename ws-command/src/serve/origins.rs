//! Checks which pages may use the shared endpoints: this server's own page, and the origins that the user allows.

use std::net::Ipv6Addr;
use std::str::FromStr;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, ORIGIN};
use http::uri::{Authority, Uri};
use http::{HeaderValue, Request};
use ws_tokio::EscapedBytes;

/// An origin in the form that is compared (RFC 6454 §4): in lower case, without the default port of its scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The origin of a page that has none, such as a file.
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
        // A path, even a single slash, is an error. So is a user name.
        if !text.eq_ignore_ascii_case(&format!("{scheme}://{authority}")) || authority.as_str().contains('@') {
            return Err(EXPECTED);
        }
        Ok(Self::Page { scheme, host, port })
    }
}

/// The host in lower case, and the port unless it is the scheme's default.
fn host_and_port(authority: &Authority, scheme: &str) -> (String, Option<u16>) {
    let usual = match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    (authority.host().to_ascii_lowercase(), authority.port_u16().filter(|port| Some(*port) != usual))
}

/// The body of a refusal, for a page that may not use an endpoint. `None` for a page that may, and for clients other than
/// browsers.
///
/// A browser names the page's origin in `Origin`. For this server's own page, `Origin` and `Host` name the same host. But
/// the owner of a host name can point it here (DNS rebinding), and then they are the same as well. So a host name counts
/// only when it is `localhost` or in the list. An IP address always counts.
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
            "Pages of {sent} may not use {path}. Only this server's own page may, opened by IP address or as \
             localhost.\nTo allow this origin: ws serve --allow-origin {sent}\n"
        )
        .into(),
    )
}

/// Whether it is the origin of this server's own page.
fn is_own(origin: &Origin, headers: &HeaderMap) -> bool {
    let Origin::Page { scheme, host, port } = origin else { return false };
    let is_it = |value: &HeaderValue| {
        let Ok(authority) = Authority::try_from(value.as_bytes()) else { return false };
        host_and_port(&authority, scheme) == (host.clone(), *port)
    };
    is_safe(host) && headers.get(HOST).is_some_and(is_it)
}

/// Whether the host cannot be pointed here by anyone else: it is an IP address or `localhost`.
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
            // A host name that its owner has pointed here, so that `Host` and `Origin` agree.
            ("evil.example:8765", "http://evil.example:8765"),
            ("evil.example", "http://evil.example"),
            ("127.0.0.1.evil.example:8765", "http://127.0.0.1.evil.example:8765"),
            ("mybox:8765", "http://mybox:8765"),
            ("notlocalhost:8765", "http://notlocalhost:8765"),
            ("[evil]:8765", "http://[evil]:8765"),
            // A browser sends a number that it reads as an address in the address's usual form.
            ("2130706433:8765", "http://2130706433:8765"),
        ] {
            assert!(!may(host, &[origin], &[]), "{origin} at {host}");
        }
        assert!(!may("127.0.0.1", &["http://127.0.0.1", "http://127.0.0.1"], &[]), "two Origin headers");
    }

    #[test]
    fn requests_without_an_origin_are_accepted() {
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
