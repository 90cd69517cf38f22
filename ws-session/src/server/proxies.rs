//! Finds the address of a client behind reverse proxies.

use std::net::{IpAddr, SocketAddr};
use std::str;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Server;
use super::forwarded::from_the_right;
use crate::error::InvalidSetting;
use crate::runtime::Runtime;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The header in which trusted proxies name their client. See [`Server::proxy_header`](crate::Server::proxy_header).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyHeader {
    /// `X-Forwarded-For`. Without it, `X-Real-IP`. The default.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The name of peers without an address in [`Server::trusted_proxies`](crate::Server::trusted_proxies), as in nginx.
const UNADDRESSED: &str = "unix:";

impl<R: Runtime> Server<R> {
    /// Trusts these reverse proxies to name their client's address. See
    /// [`WebSocket::client_ip`](crate::WebSocket::client_ip) and [`ClientIp`](crate::ClientIp).
    ///
    /// A proxy is given as an IP address (`127.0.0.1`, `::1`) or a network (`10.0.0.0/8`). `unix:` stands for peers without
    /// an address, as over a Unix socket.
    ///
    /// Each proxy adds the address of its own peer at the right of `X-Forwarded-For`, so the header is read from the right.
    /// Trusted proxies are skipped. The first address that is not trusted is the client's. Without that header, the client's
    /// address is that in `X-Real-IP`. If a trusted proxy gives no valid address (`unknown`), its own address counts.
    ///
    /// **No proxy is trusted by default.** Anyone can send these headers. A client that is trusted by mistake can claim any
    /// address, and so evade a ban, a limit per address or an access list. Name only addresses from which nobody but your
    /// proxies can connect, and have the proxies set `X-Forwarded-For`. A proxy that sets only `X-Real-IP` must remove an
    /// `X-Forwarded-For` that the client sent.
    ///
    /// **Some proxies pass on the client's own `X-Forwarded-For`** by default. Then any client chooses its `client_ip`. With
    /// these settings, the proxy adds the client's address at the right, which is read first:
    ///
    /// | proxy | setting |
    /// | --- | --- |
    /// | nginx | `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;` |
    /// | haproxy, `mode http` | `option forwardfor`, without `if-none` and `except` |
    /// | Envoy | `use_remote_address: true` in its HTTP connection manager |
    /// | nghttpx | `--add-x-forwarded-for`, best with `--strip-incoming-x-forwarded-for` |
    /// | mitmproxy | it can only remove: `--modify-headers '/~q/X-Forwarded-For/'` and the same for `X-Real-IP`; `client_ip` is the proxy then |
    /// | stunnel, hitch, haproxy in `mode tcp` | none: they do not understand HTTP, so never name them here |
    ///
    /// For proxies that send `Forwarded` (RFC 7239) instead, set [`proxy_header`](Self::proxy_header).
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        match TrustedProxies::new(proxies) {
            Ok(proxies) => self.settings.proxies = proxies,
            Err(mistake) => self.mistake(InvalidSetting::TrustedProxies(mistake)),
        }
        self
    }

    /// Sets the header in which the [`trusted_proxies`](Self::trusted_proxies) name their client. Default
    /// [`ProxyHeader::XForwardedFor`].
    ///
    /// Only this header is believed, because proxies pass on the other as their clients have sent it. All trusted proxies on the
    /// way must send the same one.
    ///
    /// [`ProxyHeader::Forwarded`] is read like `X-Forwarded-For`: from the right, over several fields, and trusted proxies are
    /// skipped. Of each element only `for` counts. An element without an address (`unknown`, `_hidden`) ends the search, and
    /// the proxy that sent it counts as the client. In haproxy, `option forwarded for` sends it.
    #[must_use]
    pub fn proxy_header(mut self, header: ProxyHeader) -> Self {
        self.settings.proxy_header = header;
        self
    }

    /// Sets whether a request from one of the [`trusted_proxies`](Self::trusted_proxies) may lack `Sec-WebSocket-Key`. Default
    /// `false`: it gets 400.
    ///
    /// WebSocket over HTTP/2 has no key (RFC 8441 §5). A proxy that translates it into HTTP/1.1 has to make one up. Envoy does
    /// not: with HTTP/2 in front and HTTP/1.1 behind, no connection opens without this setting. haproxy, nghttpx, lighttpd and
    /// Apache httpd do.
    ///
    /// The response to such a request has no `Sec-WebSocket-Accept`, so no client of RFC 6455 would take it. The key proves
    /// to the server that the client speaks WebSocket: other requests that a web page can make have none (RFC 6455 §10.8).
    /// So the proxy must let nothing through that is not an opening handshake. Requests with a key are checked as always.
    /// `docs/http2.md` in the repository has more about proxies.
    #[must_use]
    pub fn keyless_proxies(mut self, accepted: bool) -> Self {
        self.settings.keyless_proxies = accepted;
        self
    }
}

/// The peers that are trusted to name their client's address.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies {
    networks: Vec<IpNet>,
    /// Whether peers without an address are among them.
    unaddressed: bool,
}

impl TrustedProxies {
    /// Parses addresses (`10.0.0.1`, `::1`), networks (`10.0.0.0/8`) and `unix:`. The error names the first invalid one.
    pub(crate) fn new(proxies: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, String> {
        let mut trusted = Self::default();
        for proxy in proxies {
            match proxy.as_ref() {
                UNADDRESSED => trusted.unaddressed = true,
                proxy => trusted.networks.push(parse_network(proxy)?),
            }
        }
        Ok(trusted)
    }

    /// The client's address. It is the peer's own, unless that is a trusted proxy. Then it is the address that the proxy
    /// gives, and so on through all trusted proxies. If one gives no valid address, its own address is the result: anything
    /// before it may be forged.
    pub(crate) fn client_ip(&self, peer: Option<IpAddr>, headers: &HeaderMap, header: ProxyHeader) -> Option<IpAddr> {
        let believed = peer.map(|peer| peer.to_canonical());
        if !self.trusts(believed) {
            return believed;
        }
        if header == ProxyHeader::Forwarded {
            return self.last_believed(believed, from_the_right(headers.get_all(FORWARDED).iter()));
        }
        let forwarded_for = headers.get_all(X_FORWARDED_FOR);
        if forwarded_for.iter().all(says_nothing) {
            return real_ip(headers).or(believed);
        }
        // A list that is spread over several fields is one list (RFC 9110 §5.3). Each proxy adds on the right.
        let told = forwarded_for.iter().rev().flat_map(|field| field.as_bytes().rsplit(|&byte| byte == b','));
        self.last_believed(believed, told.map(parse_address))
    }

    /// Follows the addresses that were told as long as their tellers are trusted. The last teller has told the first.
    fn last_believed(
        &self,
        mut believed: Option<IpAddr>,
        mut told: impl Iterator<Item = Option<IpAddr>>,
    ) -> Option<IpAddr> {
        while self.trusts(believed)
            && let Some(address) = told.next().flatten()
        {
            believed = Some(address);
        }
        believed
    }

    #[cfg(feature = "proxy-protocol")]
    pub(super) fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unaddressed
    }

    pub(super) fn trusts(&self, address: Option<IpAddr>) -> bool {
        match address {
            Some(address) => self.networks.iter().any(|network| network.contains(&address)),
            None => self.unaddressed,
        }
    }
}

/// The address in `X-Real-IP`. With several such headers there is none: one may be the client's own.
fn real_ip(headers: &HeaderMap) -> Option<IpAddr> {
    let mut fields = headers.get_all(X_REAL_IP).iter();
    match (fields.next(), fields.next()) {
        (Some(field), None) => parse_address(field.as_bytes()),
        _ => None,
    }
}

fn says_nothing(field: &HeaderValue) -> bool {
    field.as_bytes().iter().all(|byte| b" \t,".contains(byte))
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
pub(super) fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse().ok().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

/// A network, or an address as a network of one. An IPv4 address that is written as IPv6 counts as IPv4.
fn parse_network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    let network = address.or_else(|_| text.parse::<IpNet>());
    match network.map_err(|_| format!("{text:?} is no IP address, no network and not `{UNADDRESSED}`"))? {
        IpNet::V6(network) => Ok(unmapped(network).map_or(IpNet::V6(network), IpNet::V4)),
        network => Ok(network),
    }
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn unmapped(network: Ipv6Net) -> Option<Ipv4Net> {
    let prefix = network.prefix_len().checked_sub(96)?;
    Ipv4Net::new(network.addr().to_ipv4_mapped()?, prefix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `10.0.0.0/8`, `192.0.2.7` and `2001:db8::/32`, when they are trusted, make of a peer and its header fields.
    fn client(peer: &str, fields: &[(&'static str, &str)]) -> String {
        client_behind(&["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"], peer, fields)
    }

    fn client_behind(trusted: &[&str], peer: &str, fields: &[(&'static str, &str)]) -> String {
        client_in(ProxyHeader::XForwardedFor, trusted, peer, fields)
    }

    fn client_in(header: ProxyHeader, trusted: &[&str], peer: &str, fields: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let peer = (peer != "-").then(|| peer.parse().unwrap());
        let client = TrustedProxies::new(trusted).unwrap().client_ip(peer, &headers, header);
        client.map_or("-".to_owned(), |client| client.to_string())
    }

    /// A peer, its header fields, and the client that it is for.
    struct Case<'a>(&'a str, &'a [(&'static str, &'a str)], &'a str);

    #[track_caller]
    fn check(table: &[Case<'_>]) {
        for Case(peer, fields, expected) in table {
            assert_eq!(client(peer, fields), *expected, "peer {peer}, {fields:?}");
        }
    }

    const XFF: &str = "x-forwarded-for";
    const REAL: &str = "x-real-ip";

    #[test]
    fn only_trusted_peers_are_believed() {
        let told: &[_] = &[(XFF, "203.0.113.9"), (REAL, "203.0.113.9")];
        check(&[
            Case("10.0.0.1", told, "203.0.113.9"),
            Case("10.255.255.255", told, "203.0.113.9"),
            Case("9.255.255.255", told, "9.255.255.255"),
            Case("11.0.0.0", told, "11.0.0.0"),
            Case("192.0.2.7", told, "203.0.113.9"),
            Case("192.0.2.6", told, "192.0.2.6"),
            Case("192.0.2.8", told, "192.0.2.8"),
            Case("2001:db8:ffff::1", told, "203.0.113.9"),
            Case("2001:db9::1", told, "2001:db9::1"),
            Case("127.0.0.1", told, "127.0.0.1"),
            // The form in which an IPv6 socket reports an IPv4 peer.
            Case("::ffff:10.0.0.1", told, "203.0.113.9"),
            Case("::ffff:11.0.0.1", told, "11.0.0.1"),
            // Not the IPv4 address, although it ends with it.
            Case("::10.0.0.1", told, "::a00:1"),
            Case("-", told, "-"),
        ]);
        for peer in ["127.0.0.1", "::1", "10.0.0.1", "-"] {
            assert_eq!(client_behind(&[], peer, told), peer, "nobody is trusted by default");
        }
    }

    #[test]
    fn everyone_can_be_trusted() {
        let told: &[_] = &[(XFF, "203.0.113.9, 198.51.100.1")];
        assert_eq!(client_behind(&["0.0.0.0/0"], "192.0.2.1", told), "203.0.113.9");
        assert_eq!(client_behind(&["0.0.0.0/0"], "2001:db8::1", told), "2001:db8::1");
        assert_eq!(client_behind(&["::/0"], "2001:db8::1", told), "198.51.100.1");
        assert_eq!(client_behind(&["::/0"], "::ffff:192.0.2.1", told), "192.0.2.1");
    }

    #[test]
    fn peers_without_an_address_are_trusted_by_name() {
        let told: &[_] = &[(XFF, "203.0.113.9")];
        assert_eq!(client_behind(&["unix:"], "-", told), "203.0.113.9");
        assert_eq!(client_behind(&["unix:"], "-", &[(XFF, "unknown")]), "-");
        assert_eq!(client_behind(&["unix:"], "-", &[]), "-");
        assert_eq!(client_behind(&["unix:"], "127.0.0.1", told), "127.0.0.1");
        assert_eq!(client_behind(&["unix:", "10.0.0.0/8"], "-", &[(XFF, "203.0.113.9, 10.0.0.1")]), "203.0.113.9");
        assert_eq!(client_behind(&["127.0.0.1"], "-", told), "-");
    }

    #[test]
    fn the_list_is_read_from_the_right_up_to_the_first_that_is_not_trusted() {
        check(&[
            Case("10.0.0.1", &[(XFF, "203.0.113.9")], "203.0.113.9"),
            // The client's own entries are to the left of the proxy's.
            Case("10.0.0.1", &[(XFF, "6.6.6.6, 203.0.113.9")], "203.0.113.9"),
            Case("10.0.0.1", &[(XFF, "10.0.0.6, 203.0.113.9")], "203.0.113.9"),
            Case("10.0.0.1", &[(XFF, "6.6.6.6, 203.0.113.9, 10.0.0.2")], "203.0.113.9"),
            Case("10.0.0.1", &[(XFF, "6.6.6.6,203.0.113.9,\t192.0.2.7 ,2001:db8::7 , 10.0.0.2")], "203.0.113.9"),
            Case("10.0.0.1", &[(XFF, "6.6.6.6, 203.0.113.9, 192.0.2.8, 10.0.0.2")], "192.0.2.8"),
            // All are trusted: the client is one of them, the furthest away.
            Case("10.0.0.1", &[(XFF, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            Case("10.0.0.1", &[(XFF, "10.0.0.1")], "10.0.0.1"),
            Case("10.0.0.1", &[], "10.0.0.1"),
        ]);
    }

    #[test]
    fn several_fields_are_one_list() {
        check(&[
            Case("10.0.0.1", &[(XFF, "6.6.6.6"), (XFF, "203.0.113.9")], "203.0.113.9"),
            Case("10.0.0.1", &[(XFF, "6.6.6.6, 203.0.113.9"), (XFF, "10.0.0.2")], "203.0.113.9"),
            Case("10.0.0.1", &[(XFF, "203.0.113.9"), (XFF, "10.0.0.3, 10.0.0.2")], "203.0.113.9"),
            Case("10.0.0.1", &[("X-Forwarded-For", "6.6.6.6"), ("X-FORWARDED-FOR", "203.0.113.9")], "203.0.113.9"),
        ]);
    }

    #[test]
    fn an_entry_that_is_no_address_ends_the_search_at_its_writer() {
        for garbage in ["unknown", "_hidden", "x", "256.0.0.1", "1.2.3", "1.2.3.4.5", "é", "\u{80}", "fe80::1%eth0"] {
            assert_eq!(client("10.0.0.1", &[(XFF, garbage)]), "10.0.0.1", "{garbage}");
            let after_proxy = format!("6.6.6.6, {garbage}, 10.0.0.2");
            assert_eq!(client("10.0.0.1", &[(XFF, &after_proxy)]), "10.0.0.2", "{garbage}");
            // It does not hide an address to the right of it.
            let spoofed = format!("{garbage}, 203.0.113.9");
            assert_eq!(client("10.0.0.1", &[(XFF, &spoofed)]), "203.0.113.9", "{garbage}");
            assert_eq!(client("10.0.0.1", &[(XFF, garbage), (XFF, "203.0.113.9")]), "203.0.113.9", "{garbage}");
            // Nor does it make another header count.
            assert_eq!(client("10.0.0.1", &[(XFF, garbage), (REAL, "6.6.6.6")]), "10.0.0.1", "{garbage}");
        }
        check(&[
            Case("10.0.0.1", &[(XFF, "6.6.6.6,")], "10.0.0.1"),
            Case("10.0.0.1", &[(XFF, "6.6.6.6, , 10.0.0.2")], "10.0.0.2"),
            Case("10.0.0.1", &[(XFF, "6.6.6.6"), (XFF, "")], "10.0.0.1"),
            Case("10.0.0.1", &[(XFF, ", 203.0.113.9")], "203.0.113.9"),
            Case("10.0.0.1", &[(XFF, "6.6.6.6,, 203.0.113.9")], "203.0.113.9"),
            Case("10.0.0.1", &[(XFF, "6.6.6.6 10.0.0.2")], "10.0.0.1"),
            Case("10.0.0.1", &[(XFF, "\"203.0.113.9\"")], "10.0.0.1"),
            Case("10.0.0.1", &[(XFF, "for=203.0.113.9")], "10.0.0.1"),
        ]);
    }

    #[test]
    fn addresses_come_with_ports_and_brackets() {
        for (told, expected) in [
            ("203.0.113.9:1", "203.0.113.9"),
            ("203.0.113.9:65535", "203.0.113.9"),
            ("2001:dba::9", "2001:dba::9"),
            ("[2001:dba::9]", "2001:dba::9"),
            ("[2001:dba::9]:1", "2001:dba::9"),
            ("2001:DBA:0:0:0:0:0:9", "2001:dba::9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:1", "203.0.113.9"),
            // Trusted ones, too.
            ("203.0.113.9, 10.0.0.2:1", "203.0.113.9"),
            ("203.0.113.9, [2001:db8::2]:1", "203.0.113.9"),
            ("203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"),
            // None of these is an address.
            ("203.0.113.9:", "10.0.0.1"),
            ("203.0.113.9:65536", "10.0.0.1"),
            ("203.0.113.9:x", "10.0.0.1"),
            ("[203.0.113.9]", "10.0.0.1"),
            ("[2001:dba::9", "10.0.0.1"),
            ("2001:dba::9]", "10.0.0.1"),
            ("[2001:dba::9]:", "10.0.0.1"),
            ("[]", "10.0.0.1"),
            ("[", "10.0.0.1"),
            (":", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[(XFF, told)]), expected, "{told}");
        }
    }

    #[test]
    fn without_a_list_the_real_ip_counts() {
        check(&[
            Case("10.0.0.1", &[(REAL, "203.0.113.9")], "203.0.113.9"),
            Case("10.0.0.1", &[(REAL, " [2001:dba::9]:1 ")], "2001:dba::9"),
            Case("10.0.0.1", &[(REAL, "10.0.0.2")], "10.0.0.2"),
            Case("11.0.0.1", &[(REAL, "203.0.113.9")], "11.0.0.1"),
            Case("10.0.0.1", &[(REAL, "6.6.6.6"), (XFF, "203.0.113.9")], "203.0.113.9"),
            // A list that says nothing is none.
            Case("10.0.0.1", &[(REAL, "203.0.113.9"), (XFF, "")], "203.0.113.9"),
            Case("10.0.0.1", &[(REAL, "203.0.113.9"), (XFF, " ,\t,"), (XFF, "")], "203.0.113.9"),
            Case("11.0.0.1", &[(REAL, "203.0.113.9"), (XFF, "")], "11.0.0.1"),
            // It is one address, and there is one of it.
            Case("10.0.0.1", &[(REAL, "")], "10.0.0.1"),
            Case("10.0.0.1", &[(REAL, "unknown")], "10.0.0.1"),
            Case("10.0.0.1", &[(REAL, "6.6.6.6, 203.0.113.9")], "10.0.0.1"),
            Case("10.0.0.1", &[(REAL, "6.6.6.6"), (REAL, "203.0.113.9")], "10.0.0.1"),
        ]);
    }

    /// A proxy that sends one header passes on the others as its client sent them.
    #[test]
    fn only_the_header_that_proxies_send_counts() {
        const FORWARDED: &str = "forwarded";
        let trusted = &["10.0.0.0/8"];
        let told = &[(FORWARDED, "for=203.0.113.1"), (XFF, "203.0.113.2"), (REAL, "203.0.113.3")];
        for (fields, in_forwarded, otherwise) in [
            (&told[..], "203.0.113.1", "203.0.113.2"),
            (&told[..1], "203.0.113.1", "10.0.0.1"),
            (&told[1..], "10.0.0.1", "203.0.113.2"),
            (&told[2..], "10.0.0.1", "203.0.113.3"),
            (&[], "10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(client_in(ProxyHeader::Forwarded, trusted, "10.0.0.1", fields), in_forwarded, "{fields:?}");
            assert_eq!(client_in(ProxyHeader::XForwardedFor, trusted, "10.0.0.1", fields), otherwise, "{fields:?}");
            assert_eq!(client_in(ProxyHeader::Forwarded, trusted, "11.0.0.1", fields), "11.0.0.1", "{fields:?}");
        }
        for (field, expected) in [
            ("for=6.6.6.6, for=203.0.113.9, for=\"10.0.0.3:8080\"", "203.0.113.9"),
            ("for=6.6.6.6, for=unknown, for=10.0.0.3", "10.0.0.3"),
            ("for=10.0.0.4, for=10.0.0.3", "10.0.0.4"),
            ("for=6.6.6.6, for=_hidden", "10.0.0.1"),
            ("for=6.6.6.6, by=203.0.113.9", "10.0.0.1"),
            ("for=6.6.6.6, for=\"[2001:db8::9]:_x\";proto=wss", "2001:db8::9"),
        ] {
            assert_eq!(
                client_in(ProxyHeader::Forwarded, trusted, "10.0.0.1", &[(FORWARDED, field)]),
                expected,
                "{field}"
            );
        }
    }

    #[test]
    fn a_long_list_is_read_to_its_end() {
        let list = ["203.0.113.9"].into_iter().chain([" 10.0.0.2"; 10_000]).collect::<Vec<_>>().join(",");
        assert_eq!(client("10.0.0.1", &[(XFF, &list)]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[(XFF, &",".repeat(100_000))]), "10.0.0.1");
    }

    #[test]
    fn settings_are_addresses_and_networks() {
        let told: &[_] = &[(XFF, "203.0.113.9")];
        for (trusted, peer, expected) in [
            ("10.0.0.1", "10.0.0.1", "203.0.113.9"),
            ("10.0.0.1/8", "10.9.9.9", "203.0.113.9"),
            ("10.0.0.0/32", "10.0.0.0", "203.0.113.9"),
            ("10.0.0.0/32", "10.0.0.1", "10.0.0.1"),
            ("::1", "::1", "203.0.113.9"),
            ("::1", "::2", "::2"),
            ("::ffff:10.0.0.1", "10.0.0.1", "203.0.113.9"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "203.0.113.9"),
            ("::ffff:10.0.0.0/104", "11.0.0.0", "11.0.0.0"),
            ("::ffff:0:0/96", "11.0.0.0", "203.0.113.9"),
            ("::ffff:0:0/95", "11.0.0.0", "11.0.0.0"),
            ("::ffff:0:0/95", "::fffe:0:1", "203.0.113.9"),
            ("::ffff:0:0/95", "::fffd:0:1", "::fffd:0:1"),
            ("2001:db8::/33", "2001:db8:7fff::1", "203.0.113.9"),
            ("2001:db8::/33", "2001:db8:8000::1", "2001:db8:8000::1"),
            ("10.0.0.0/31", "10.0.0.1", "203.0.113.9"),
            ("10.0.0.0/31", "10.0.0.2", "10.0.0.2"),
            ("0.0.0.0/0", "::1", "::1"),
        ] {
            assert_eq!(client_behind(&[trusted], peer, told), expected, "{trusted} trusted, peer {peer}");
        }
        for mistake in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0",
            "::1/129",
            "[::1]",
            "10.0.0.1:80",
            "10.0.0.1 ",
            "unix",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/ 8",
            "10.0.0.0/8/8",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/4294967304",
            "::ffff:10.0.0.0/129",
        ] {
            let error = TrustedProxies::new([mistake]).unwrap_err();
            assert_eq!(error, format!("{mistake:?} is no IP address, no network and not `unix:`"));
        }
    }
}
