//! [`Route`]: how to reach the server, if not as its URL says.

#[cfg(unix)]
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use ws_tokio::{AddressFamily, Client, Http2Connections};

/// How to reach the server.
#[derive(Debug, Args)]
pub(super) struct Route {
    /// Connect to this host, and port, in place of the URL's. The Host header and the name in the certificate stay the URL's
    #[arg(long, value_name = "HOST[:PORT]")]
    connect_to: Option<Place>,

    /// Connect to this Unix socket in place of the URL's host and port
    #[cfg(unix)]
    #[arg(long, value_name = "PATH", conflicts_with_all = ["connect_to", "proxy", "ipv4", "ipv6"])]
    unix_socket: Option<PathBuf>,

    /// Connect through this proxy: http://, https://, socks5:// or socks5h://HOST:PORT. Without it, the environment names one:
    /// wss_proxy, https_proxy, http_proxy, all_proxy, no_proxy
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,

    /// Connect without a proxy, whatever the environment says
    #[arg(long, conflicts_with = "proxy")]
    no_proxy: bool,

    /// Use HTTP/2 (RFC 8441) if the server offers it. With a ws:// URL the server must speak HTTP/2 without being asked
    #[arg(long)]
    http2: bool,

    /// Connect over IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,

    /// Connect over IPv6 only
    #[arg(short = '6', long)]
    ipv6: bool,
}

impl Route {
    /// The client, with this route.
    pub(super) fn set(&self, mut client: Client) -> Client {
        if let Some(Place { host, port }) = &self.connect_to {
            client = client.dial_host(host);
            if let Some(port) = *port {
                client = client.dial_port(port);
            }
        }
        #[cfg(unix)]
        if let Some(path) = &self.unix_socket {
            client = client.unix_socket(path);
        }
        if let Some(proxy) = &self.proxy {
            client = client.proxy(proxy);
        }
        if self.no_proxy {
            client = client.no_proxy();
        }
        if self.http2 {
            client = client.http2(&Http2Connections::new().prior_knowledge(true));
        }
        client.address_family(match (self.ipv4, self.ipv6) {
            (true, _) => Some(AddressFamily::V4),
            (_, true) => Some(AddressFamily::V6),
            _ => None,
        })
    }
}

/// A host, and a port if it is not the URL's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: String,
    port: Option<u16>,
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected HOST or HOST:PORT, an IPv6 address with a port as [ADDRESS]:PORT";
        let is_bracketed = argument.starts_with('[');
        let (host, port) = match argument.rsplit_once(':') {
            // Without brackets, several colons are an IPv6 address.
            Some((host, port)) if !host.contains(':') || (is_bracketed && host.ends_with(']')) => {
                (host, Some(port.parse().map_err(|_| EXPECTED)?))
            }
            _ => (argument, None),
        };
        if host.is_empty() || host.contains("//") {
            return Err(EXPECTED);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let place = |argument: &str| argument.parse::<Place>().map(|Place { host, port }| (host, port)).ok();
        for (argument, host, port) in [
            ("a.test", "a.test", None),
            ("a.test:81", "a.test", Some(81)),
            ("127.0.0.1:0", "127.0.0.1", Some(0)),
            ("::1", "::1", None),
            ("[::1]", "[::1]", None),
            ("[fe80::1%eth0]:8080", "[fe80::1%eth0]", Some(8080)),
        ] {
            assert_eq!(place(argument), Some((host.to_owned(), port)), "{argument}");
        }
        for bad in ["", ":81", "a:", "a:b", "a:65536", "[::1]:x", "ws://a:1", "http://a"] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
