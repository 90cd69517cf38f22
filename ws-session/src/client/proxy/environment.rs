//! The variables of the environment that name a proxy, and servers that are reached without one.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Host;

/// The variables that name the proxy for a URL, in order of precedence.
pub(super) fn variables(secure: bool) -> &'static [&'static str] {
    match secure {
        true => &["wss_proxy", "https_proxy", "all_proxy"],
        // A proxy for HTTPS goes before one for HTTP, because it knows CONNECT (RFC 6455 §4.1).
        false => &["ws_proxy", "https_proxy", "http_proxy", "all_proxy"],
    }
}

/// Whether the variable may be read by its name in lower and in upper case. A client of a CGI program chooses the value of
/// `HTTP_PROXY`: it is that of its header `Proxy` (RFC 3875 §4.1.18).
pub(super) fn trusted_cases(name: &str, is_cgi: bool, ignores_case: bool) -> (bool, bool) {
    match is_cgi && name == "http_proxy" {
        true => (!ignores_case, false),
        false => (true, true),
    }
}

/// Whether `no_proxy` lists this server.
pub(super) fn excludes(list: &str, host: &Host, port: u16) -> bool {
    let entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
    entries.into_iter().any(|entry| entry == "*" || is_entry_for(entry, host, port))
}

fn is_entry_for(entry: &str, host: &Host, port: u16) -> bool {
    if let Ok(network) = entry.parse::<IpNet>() {
        return matches!(host, Host::Address { ip, .. } if network.contains(ip));
    }
    let (name, only_port) = split_port(entry);
    if only_port.is_some_and(|only| only != port) {
        return false;
    }
    match (host, name.parse::<IpAddr>()) {
        (Host::Address { ip, .. }, Ok(listed)) => *ip == listed,
        (Host::Name(host), Err(_)) => is_domain_of(name, host),
        _ => false,
    }
}

/// Splits `host:port`. An IPv6 address stands in brackets if a port follows.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if entry.parse::<IpAddr>().is_ok() {
        return (entry, None);
    }
    let (name, port) = match entry.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
        Some((name, Ok(port))) => (name, Some(port)),
        _ => (entry, None),
    };
    (name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name), port)
}

/// Whether `host` is this domain or a name below it.
fn is_domain_of(domain: &str, host: &str) -> bool {
    let domain = domain.strip_prefix("*.").or(domain.strip_prefix('.')).unwrap_or(domain);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let host = host.strip_suffix('.').unwrap_or(host);
    let Some(begin) = host.len().checked_sub(domain.len()) else { return false };
    let (below, end) = host.split_at_checked(begin).unwrap_or((host, ""));
    !domain.is_empty() && end.eq_ignore_ascii_case(domain) && (below.is_empty() || below.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::super::{Choice, Proxy};
    use super::*;
    use crate::client::url::Target;

    fn excluded(list: &str, url: &str) -> bool {
        let target = Target::parse(url).unwrap();
        excludes(list, &target.host, target.port)
    }

    #[test]
    fn servers_without_a_proxy() {
        for (list, in_it, not_in_it) in [
            ("example.com", "ws://example.com", "ws://example.org"),
            ("example.com", "ws://a.b.EXAMPLE.com.", "ws://badexample.com"),
            (".example.com", "ws://example.com", "ws://com"),
            ("*.example.com", "ws://a.example.com", "ws://example.com.org"),
            ("Example.COM.", "ws://example.com", "ws://127.0.0.1"),
            ("a, b  c,,\td", "ws://d", "ws://e"),
            ("example.com:8080", "ws://example.com:8080", "ws://example.com:8081"),
            ("example.com:443", "wss://example.com", "ws://example.com"),
            ("127.0.0.1", "ws://127.0.0.1:9", "ws://127.0.0.2"),
            ("127.0.0.1", "ws://127.1", "ws://localhost"),
            ("127.0.0.1:81", "ws://127.0.0.1:81", "ws://127.0.0.1"),
            ("10.0.0.0/8", "ws://10.9.8.7", "ws://11.0.0.1"),
            ("192.0.2.128/25", "ws://192.0.2.200", "ws://192.0.2.1"),
            ("fd00::/8", "ws://[fd12::1]", "ws://[fe80::1]"),
            ("::1", "ws://[::1]:5", "ws://[::2]"),
            ("[::1]", "ws://[::1]", "ws://[::2]"),
            ("[::1]:5", "ws://[::1]:5", "ws://[::1]:6"),
            ("localhost", "ws://localhost", "ws://127.0.0.1"),
        ] {
            assert!(excluded(list, in_it), "{list}: {in_it}");
            assert!(!excluded(list, not_in_it), "{list}: {not_in_it}");
        }
        for url in ["ws://example.com", "ws://[::1]:3", "wss://10.0.0.1"] {
            assert!(excluded("*", url) && excluded("x, *", url));
            assert!(!excluded("", url) && !excluded(" , ", url) && !excluded("10.0.0.0/99,:80,.", url));
        }
    }

    fn chosen(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let target = Target::parse(url).unwrap();
        let chosen = Choice::Variables(std::sync::Arc::new(variables)).choose(target.secure, &target.host, target.port);
        chosen.unwrap().map(|proxy: Proxy| proxy.to_string())
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_proxy() {
        for (url, order) in [
            ("wss://a", &["wss_proxy", "https_proxy", "all_proxy"][..]),
            ("ws://a", &["ws_proxy", "https_proxy", "http_proxy", "all_proxy"]),
        ] {
            for upper in [false, true] {
                for first in 0..order.len() {
                    let names: Vec<_> = order
                        .iter()
                        .map(|name| if upper { name.to_ascii_uppercase() } else { (*name).to_owned() })
                        .collect();
                    let hosts: Vec<_> = (0..order.len()).map(|n| format!("http://p{n}:1")).collect();
                    let set: Vec<_> = (first..order.len()).map(|n| (&*names[n], &*hosts[n])).collect();
                    assert_eq!(chosen(&set, url), Some(format!("http://p{first}:1")), "{url} {set:?}");
                }
            }
        }
        assert_eq!(chosen(&[("ws_proxy", "p:1"), ("http_proxy", "p:1")], "wss://a"), None);
        assert_eq!(chosen(&[("wss_proxy", "p:1")], "ws://a"), None);
        assert_eq!(chosen(&[], "ws://a"), None);
        let both = [("ALL_PROXY", "upper:1"), ("all_proxy", "lower:1")];
        assert_eq!(chosen(&both, "ws://a").unwrap(), "http://lower:1");
        assert_eq!(chosen(&[("ws_proxy", ""), ("all_proxy", "p:1")], "ws://a").unwrap(), "http://p:1");
    }

    #[test]
    fn a_cgi_program_does_not_trust_http_proxy() {
        let cgi = ("REQUEST_METHOD", "GET");
        assert_eq!(chosen(&[("HTTP_PROXY", "evil:1"), cgi], "ws://a"), None);
        assert_eq!(chosen(&[("http_proxy", "p:1"), cgi], "ws://a").unwrap(), "http://p:1");
        assert_eq!(chosen(&[("HTTPS_PROXY", "p:1"), cgi], "ws://a").unwrap(), "http://p:1");
        // Where the system ignores case, both are one variable.
        assert_eq!(trusted_cases("http_proxy", true, true), (false, false));
        assert_eq!(trusted_cases("https_proxy", true, true), (true, true));
        assert_eq!(trusted_cases("http_proxy", false, true), (true, true));
    }

    #[test]
    fn no_proxy_is_read_in_either_case() {
        for name in ["no_proxy", "NO_PROXY"] {
            let set = [("all_proxy", "p:1"), (name, "a")];
            assert_eq!(chosen(&set, "ws://a"), None);
            assert_eq!(chosen(&set, "ws://b").unwrap(), "http://p:1");
        }
    }

    #[test]
    fn urls_of_proxies() {
        for (url, shown) in [
            ("proxy", "http://proxy:80"),
            ("proxy:3128/", "http://proxy:3128"),
            ("http://u:secret@proxy", "http://proxy:80"),
            ("HTTPS://proxy", "https://proxy:443"),
            ("https://[::1]:8443/?x", "https://[::1]:8443"),
            ("socks5://proxy", "socks5://proxy:1080"),
            ("socks5h://u@proxy:9050", "socks5h://proxy:9050"),
            ("socks://10.0.0.1", "socks5h://10.0.0.1:1080"),
            ("http://u:se/cret@proxy:1/x", "http://proxy:1"),
            ("http://u:se?c#ret@proxy:1/x", "http://proxy:1"),
            ("http://proxy:1/?x=@y", "http://proxy:1"),
            ("http://u:secret@proxy:1/?x=@y", "http://proxy:1"),
            ("http://proxy#@y", "http://proxy:80"),
        ] {
            assert_eq!(Proxy::parse(url, None).unwrap().to_string(), shown, "{url}");
        }
        for url in
            ["", "http://", "ftp://u:secret@p", "socks4://u:secret@p", "http://u:secret@p:99999", "p\r\n:secret@"]
        {
            let error = Proxy::parse(url, Some("all_proxy")).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(said.contains("from all_proxy") && !said.contains("secret"), "{said}");
        }
    }
}
