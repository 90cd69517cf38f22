//! The PROXY protocol: a header in front of a connection, in which a proxy names its client. Versions 1 and 2 of
//! <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>.

use std::net::IpAddr;

use http::StatusCode;
use proxy_header::{ParseConfig, Protocol, ProxiedAddress};
use ws_proto::handshake::server::Rejection;

use super::accept::{read_at_most, refuse};
use super::decision::RefusedRequest;
use super::{Server, ServerSettings};
use crate::error::{AcceptError, InvalidSetting};
use crate::info::Caller;
use crate::opening::exchange::Exchange;
use crate::registry::HandshakeGuard;
use crate::runtime::Runtime;
use crate::transport::{Addresses, Timer, Transport};

/// Whether trusted proxies must begin each connection with a header of the PROXY protocol. See
/// [`Server::proxy_protocol`](crate::Server::proxy_protocol).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyProtocol {
    /// They must. A connection without a header is refused. The default.
    #[default]
    Required,
    /// They may. **The proxies must remove or overwrite such a header of their clients** on connections where they send none
    /// themselves: otherwise a client can send one, and choose its address.
    Optional,
}

impl<R: Runtime> Server<R> {
    /// Reads the header of the PROXY protocol, version 1 or 2, with which a proxy names its client. Load balancers that do
    /// not speak HTTP send it: haproxy (`send-proxy-v2`), nginx (`proxy_protocol on`), those of cloud providers. `None`, the
    /// default, reads none.
    ///
    /// Only [`trusted_proxies`](Self::trusted_proxies) are believed, so they must be set. A header of any other peer is
    /// refused with 400, and connections of other peers need none.
    ///
    /// [`WebSocket::peer_addr`](crate::WebSocket::peer_addr) is the client then, and
    /// [`local_addr`](crate::WebSocket::local_addr) the address to which it connected.
    /// [`client_ip`](crate::WebSocket::client_ip) is the client, too, or what it says in `X-Forwarded-For` if it is itself a
    /// trusted proxy. If the header names no client (`UNKNOWN`), the proxy counts as the client, and headers of the request
    /// are not believed. Additions of version 2 (TLV) are ignored.
    ///
    /// The header comes before TLS. It is part of the opening handshake: it counts for the same
    /// [deadline](Self::handshake_timeout). It has at most 107 bytes in version 1, and 64 KiB in version 2. Limits of opening
    /// handshakes per address do not apply to trusted proxies, and so not to their clients.
    ///
    /// [`bind`](Self::bind) fails with [`InvalidSetting::ProxyProtocolUntrusted`](crate::InvalidSetting::ProxyProtocolUntrusted)
    /// if there are no trusted proxies.
    #[must_use]
    pub fn proxy_protocol(mut self, setting: impl Into<Option<ProxyProtocol>>) -> Self {
        self.settings.proxy_protocol = setting.into();
        self
    }
}

impl ServerSettings {
    pub(super) fn check_proxy_protocol(&self) -> Result<(), InvalidSetting> {
        match self.proxy_protocol.is_some() && self.proxies.is_empty() {
            true => Err(InvalidSetting::ProxyProtocolUntrusted),
            false => Ok(()),
        }
    }

    /// Whether a connection from this peer begins with a header.
    pub(super) fn expected_header(&self, addresses: &Addresses) -> Option<ProxyProtocol> {
        let peer = addresses.peer.map(|peer| peer.ip().to_canonical());
        self.proxy_protocol.filter(|_| self.proxies.trusts(peer))
    }
}

/// Reads the header, and not a byte behind it. If there is none, and need not be, the bytes that were read stay in the
/// exchange.
pub(super) async fn read_header<T: Transport, C: Timer>(
    expected: ProxyProtocol,
    settings: &ServerSettings,
    guard: &HandshakeGuard,
    exchange: &mut Exchange<T, C>,
    caller: &mut Caller,
) -> Result<(), AcceptError> {
    loop {
        match next(&exchange.received) {
            Next::Read(bytes) => match read_at_most(bytes, Some(guard), exchange).await {
                Ok(()) => {}
                Err(AcceptError::Rejected(rejection)) => {
                    return Err(refuse_plainly(settings, exchange, rejection.into()).await);
                }
                Err(AcceptError::Timeout) => {
                    let response = Rejection::request_timeout().into_response();
                    let late = RefusedRequest::new(response, AcceptError::Timeout);
                    return Err(refuse_plainly(settings, exchange, late).await);
                }
                Err(error) => return Err(error),
            },
            Next::Header(header) => {
                exchange.received.clear();
                name(header, caller);
                return Ok(());
            }
            Next::Foreign if expected == ProxyProtocol::Optional => return Ok(()),
            Next::Foreign => {
                let message = "This server takes connections of this proxy only with a header of the PROXY protocol \
                    (proxy_protocol). Have the proxy send it: in haproxy \"send-proxy-v2\", in nginx \"proxy_protocol on\" \
                    within a stream server. Or connect from an address that is not among the trusted proxies.";
                let refusal = Rejection::new(StatusCode::BAD_REQUEST, message).into();
                return Err(refuse_plainly(settings, exchange, refusal).await);
            }
            Next::Invalid => {
                let message = "The connection begins with a header of the PROXY protocol that is invalid.";
                let refusal = Rejection::new(StatusCode::BAD_REQUEST, message).into();
                return Err(refuse_plainly(settings, exchange, refusal).await);
            }
        }
    }
}

/// Refuses with a text, unless the client expects TLS.
async fn refuse_plainly<T: Transport, C: Timer>(
    settings: &ServerSettings,
    exchange: &mut Exchange<T, C>,
    refusal: RefusedRequest,
) -> AcceptError {
    #[cfg(feature = "tls")]
    if settings.tls.is_some() {
        return refusal.error;
    }
    refuse(settings, exchange, refusal).await
}

/// Records the addresses of a header.
fn name(header: Header, caller: &mut Caller) {
    match header {
        Header::Client(addresses) => caller.addresses = addresses,
        // A health check of the proxy, or a client that it cannot name: haproxy writes LOCAL for both. So nobody's
        // `X-Forwarded-For` is believed.
        Header::Unknown | Header::Local => {
            let proxy: Option<IpAddr> = caller.client_ip();
            caller.set_forwarded_for(Some(proxy));
        }
    }
}

/// The meaning of a header.
#[derive(Debug, PartialEq, Eq)]
enum Header {
    /// The client and the address to which it connected.
    Client(Addresses),
    /// The proxy does not say, or cannot.
    Unknown,
    /// The proxy itself, as for a health check.
    Local,
}

/// What to do with the bytes that were read.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Read more: at most this many bytes, which belong to the header.
    Read(usize),
    Header(Header),
    /// Something else than a header begins so.
    Foreign,
    Invalid,
}

/// The shortest header: `PROXY UNKNOWN\r\n`. That of version 2 has one byte more.
const SHORTEST: usize = 15;
const V1: &[u8] = b"PROXY ";
const V1_LONGEST: usize = 107;
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The length of version 2 without addresses.
const V2_FIXED: usize = 16;

fn next(received: &[u8]) -> Next {
    let begins_with = |signature: &[u8]| {
        let n = received.len().min(signature.len());
        received.get(..n) == signature.get(..n)
    };
    if begins_with(V1) {
        next_v1(received)
    } else if begins_with(V2) {
        next_v2(received)
    } else {
        Next::Foreign
    }
}

fn next_v1(received: &[u8]) -> Next {
    // The shortest of its kind, and then until the line ends.
    let shortest = match received.get(V1.len()..V1.len() + 5) {
        Some(b"TCP4 ") => b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n".len(),
        Some(b"TCP6 ") => b"PROXY TCP6 :: :: 0 0\r\n".len(),
        _ => SHORTEST,
    };
    if received.len() < shortest {
        return Next::Read(shortest - received.len());
    }
    match received {
        [.., b'\r', b'\n'] => parse(received),
        [.., b'\r'] if received.len() < V1_LONGEST => Next::Read(1),
        _ if received.len() + 2 <= V1_LONGEST => Next::Read(2),
        _ => Next::Invalid,
    }
}

fn next_v2(received: &[u8]) -> Next {
    let Some(&[command, family, high, low]) = received.get(V2.len()..V2_FIXED) else {
        return Next::Read(V2_FIXED - received.len());
    };
    let length = V2_FIXED + usize::from(u16::from_be_bytes([high, low]));
    match command {
        // Version 2, and one of both commands.
        0x20 | 0x21 if received.len() < length => Next::Read(length - received.len()),
        // The family of such a header is ignored.
        0x20 => Next::Header(Header::Local),
        0x21 if family == 0 => Next::Header(Header::Unknown),
        0x21 => parse(received),
        _ => Next::Invalid,
    }
}

/// Parses a complete header.
fn parse(received: &[u8]) -> Next {
    let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    match proxy_header::ProxyHeader::parse(received, config) {
        Ok((header, length)) if length == received.len() => Next::Header(match header.proxied_address() {
            Some(&ProxiedAddress { protocol: Protocol::Stream, source, destination }) => {
                Header::Client(Addresses::new(Some(destination), Some(source)))
            }
            _ => Header::Unknown,
        }),
        _ => Next::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads byte by byte, never more than was asked for. Returns the result and the bytes that were read.
    fn read(input: &[u8]) -> (Next, usize) {
        let mut received = 0;
        loop {
            match next(&input[..received]) {
                Next::Read(0) => panic!("nothing to read after {received}"),
                Next::Read(_) if received == input.len() => return (Next::Read(0), received),
                Next::Read(_) => received += 1,
                decided => return (decided, received),
            }
        }
    }

    /// Reads as much as was asked for each time.
    fn read_whole(input: &[u8]) -> (Next, usize) {
        let mut received = 0;
        loop {
            match next(&input[..received]) {
                Next::Read(n) if received + n <= input.len() => received += n,
                Next::Read(_) => return (Next::Read(0), received),
                decided => return (decided, received),
            }
        }
    }

    fn client(source: &str, destination: &str) -> Next {
        let [source, destination] = [source, destination].map(|address| Some(address.parse().unwrap()));
        Next::Header(Header::Client(Addresses::new(destination, source)))
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &length, body].concat()
    }

    /// A header is read to its last byte, and no further, whatever stands behind it.
    #[track_caller]
    fn is_read_exactly(header: &[u8], expected: &Next) {
        for behind in [&b""[..], b"GET / HTTP/1.1\r\n", b"\r\n\r\n", b"\x16\x03\x01", b"PROXY UNKNOWN\r\n"] {
            let input = [header, behind].concat();
            for (told, length) in [read(&input), read_whole(&input)] {
                assert_eq!((&told, length), (expected, header.len()), "{}", header.escape_ascii());
            }
        }
        for cut in 0..header.len() {
            assert_eq!(read(&header[..cut]), (Next::Read(0), cut));
        }
    }

    #[test]
    fn version_1() {
        for (header, expected) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", client("192.0.2.1:56324", "198.51.100.7:443")),
            ("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", client("1.2.3.4:1", "5.6.7.8:2")),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", client("[2001:db8::1]:56324", "[2001:db8::2]:443")),
            ("PROXY TCP6 :: :: 0 0\r\n", client("[::]:0", "[::]:0")),
            ("PROXY UNKNOWN\r\n", Next::Header(Header::Unknown)),
            ("PROXY UNKNOWN anything, 6.6.6.6 even\r\n", Next::Header(Header::Unknown)),
        ] {
            is_read_exactly(header.as_bytes(), &expected);
        }
        let v6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        is_read_exactly(format!("PROXY UNKNOWN {v6} {v6} 65535 65535\r\n").as_bytes(), &Next::Header(Header::Unknown));
    }

    #[test]
    fn version_2() {
        let v4 = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 0x04, 0x01, 0xbb];
        let told = client("192.0.2.1:56324", "198.51.100.7:443");
        is_read_exactly(&v2(0x21, 0x11, &v4), &told);
        // Additions are skipped, however many there are.
        is_read_exactly(&v2(0x21, 0x11, &[&v4[..], &[0x04, 0x00, 0x01, 0x00]].concat()), &told);
        is_read_exactly(&v2(0x21, 0x11, &[&v4[..], &[0xff; 2000]].concat()), &told);
        let mut v6 = [0; 36];
        (v6[0], v6[1], v6[15], v6[31], v6[35]) = (0x20, 0x01, 1, 2, 80);
        is_read_exactly(&v2(0x21, 0x21, &v6), &client("[2001::1]:0", "[::2]:80"));
        // A proxy that speaks for itself, whatever else it says.
        for (family, body) in [(0x00, &[][..]), (0x11, &v4), (0x11, &[1]), (0xff, &[7; 99])] {
            is_read_exactly(&v2(0x20, family, body), &Next::Header(Header::Local));
        }
        // A client without an IP address, or one of another kind of transport.
        for (family, body) in [(0x00, &[][..]), (0x00, &[1; 20]), (0x31, &[0; 216]), (0x12, &v4)] {
            is_read_exactly(&v2(0x21, family, body), &Next::Header(Header::Unknown));
        }
        let longest = v2(0x21, 0x11, &[&v4[..], &[0; 65_535 - 12]].concat());
        assert_eq!(read_whole(&longest), (told, longest.len()));
    }

    #[test]
    fn invalid_headers() {
        for header in [
            "PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 56324 65536\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 \r\n",
            "PROXY TCP5 192.0.2.1 198.51.100.7 56324 443\r\n",
            "PROXY tcp4 192.0.2.1 198.51.100.7 56324 443\r\n",
            "PROXY UNKNOWN\rx\r\n",
            "PROXY \r\n\r\n\r\n\r\n\r\n\r\n",
        ] {
            for (told, _) in [read(header.as_bytes()), read_whole(header.as_bytes())] {
                assert_eq!(told, Next::Invalid, "{header:?}");
            }
        }
        let endless = [b"PROXY UNKNOWN ".to_vec(), vec![b' '; 1000]].concat();
        for (told, length) in [read(&endless), read_whole(&endless)] {
            assert_eq!(told, Next::Invalid);
            assert!(length <= V1_LONGEST, "{length}");
        }
        for header in
            [v2(0x11, 0x11, &[0; 12]), v2(0x22, 0x11, &[0; 12]), v2(0x21, 0x11, &[0; 11]), v2(0x21, 0x41, &[0; 12])]
        {
            assert_eq!(read(&header).0, Next::Invalid, "{}", header.escape_ascii());
        }
    }

    #[test]
    fn other_beginnings() {
        for input in ["GET / HTTP/1.1\r\n", "POST", "PRI * HTTP/2.0", "\r\nGET", "\r\n\r\nG", "\x16\x03\x01", "PROXYx"]
        {
            assert_eq!(read(input.as_bytes()).0, Next::Foreign, "{input:?}");
        }
    }
}
