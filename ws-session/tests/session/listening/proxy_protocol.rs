//! Connections that begin with a header of the PROXY protocol. `server/proxy_protocol.rs` tests the header itself.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use ws_session::{InvalidSetting, ProxyProtocol, ServeError};

use super::*;

const V1: &[u8] = b"PROXY TCP4 203.0.113.9 198.51.100.7 56324 443\r\n";
/// The same in version 2, with an addition.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\xcb\0\x71\x09\xc6\x33\x64\x07\xdc\x04\x01\xbb\x04\0\x01\0";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";

/// A handler's view: the peer, our end, and the client.
type View = (Option<SocketAddr>, Option<SocketAddr>, Option<IpAddr>);

/// A server behind `10.0.0.0/8`, and what its handlers see.
fn site(server: Server) -> (Site, Arc<Mutex<Vec<View>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let views = Arc::clone(&seen);
    let handler = move |socket: WebSocket| {
        views.lock().unwrap().push((socket.peer_addr(), socket.local_addr(), socket.client_ip()));
        send_back(socket)
    };
    (Site::new(World::new(1), server.trusted_proxies(["10.0.0.0/8", "unix:"]), handler), seen)
}

fn required() -> Server {
    Server::new().proxy_protocol(ProxyProtocol::Required)
}

fn optional() -> Server {
    Server::new().proxy_protocol(ProxyProtocol::Optional)
}

fn request(lines: &str) -> Vec<u8> {
    [REQUEST.strip_suffix(b"\r\n").unwrap(), lines.as_bytes(), b"\r\n"].concat()
}

fn client() -> View {
    (Some("203.0.113.9:56324".parse().unwrap()), Some("198.51.100.7:443".parse().unwrap()), ip("203.0.113.9"))
}

fn proxy() -> View {
    (Some("10.0.0.1:50000".parse().unwrap()), None, ip("10.0.0.1"))
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn the_client_is_the_peer() {
    let (site, seen) = site(required());
    for (header, expected) in [(V1, client()), (V2, client()), (LOCAL, proxy()), (UNKNOWN, proxy())] {
        for byte_by_byte in [false, true] {
            let mut peer = site.connect_from("10.0.0.1");
            let input = [header, REQUEST].concat();
            for part in input.chunks(if byte_by_byte { 1 } else { input.len() }) {
                peer.to.push(part);
                site.world.run();
            }
            let head = peer.head();
            assert!(head.starts_with("HTTP/1.1 101 "), "{} {head}", header.escape_ascii());
            assert_eq!(seen.lock().unwrap().pop().unwrap(), expected, "{}", header.escape_ascii());
            peer.send_text("there");
            site.world.run();
            assert_eq!(peer.frames().len(), 1);
        }
    }
}

/// The client's own headers are believed only if the client is a proxy, too.
#[test]
fn headers_count_as_the_client_is_trusted() {
    let (site, seen) = site(required());
    let of_a_proxy = b"PROXY TCP4 10.0.0.7 198.51.100.7 56324 443\r\n";
    for (header, from, expected) in [
        (V1, "10.0.0.1", "203.0.113.9"),
        (V2, "10.0.0.1", "203.0.113.9"),
        (&of_a_proxy[..], "10.0.0.1", "6.6.6.6"),
        // Somebody's request, nobody knows whose.
        (LOCAL, "10.0.0.1", "10.0.0.1"),
        (UNKNOWN, "10.0.0.1", "10.0.0.1"),
    ] {
        let mut peer = site.connect_from(from);
        peer.to.push(&[header, &request("X-Forwarded-For: 6.6.6.6\r\n")].concat());
        site.world.run();
        assert!(peer.head().starts_with("HTTP/1.1 101 "));
        assert_eq!(seen.lock().unwrap().pop().unwrap().2, ip(expected), "{}", header.escape_ascii());
    }
    // The same over a Unix socket, whose peers have no address.
    for (header, expected) in [(V1, ip("203.0.113.9")), (UNKNOWN, None)] {
        let mut peer = site.connect();
        peer.to.push(&[header, &request("X-Forwarded-For: 6.6.6.6\r\n")].concat());
        site.world.run();
        assert!(peer.head().starts_with("HTTP/1.1 101 "));
        assert_eq!(seen.lock().unwrap().pop().unwrap().2, expected, "{}", header.escape_ascii());
    }
}

#[test]
fn others_may_not_send_one() {
    for server in [required(), optional(), Server::new()] {
        let (site, seen) = site(server);
        for (header, version) in [(V1, 1), (V2, 2), (UNKNOWN, 1)] {
            let mut peer = site.connect_from("192.0.2.1");
            peer.to.push(&[header, REQUEST].concat());
            site.world.run();
            let answer = String::from_utf8(peer.bytes()).unwrap();
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            let told = format!(
                "header of the PROXY protocol, version {version}, which this server does not read, or not from"
            );
            assert!(answer.contains(&told), "{answer}");
        }
        // Without one, they are clients.
        let mut peer = site.connect_from("192.0.2.1");
        peer.to.push(REQUEST);
        site.world.run();
        assert!(peer.head().starts_with("HTTP/1.1 101 "));
        assert_eq!(seen.lock().unwrap().pop().unwrap().2, ip("192.0.2.1"));
    }
}

#[test]
fn trusted_proxies_must_send_one_if_it_is_required() {
    for (server, status) in [(required(), "400"), (optional(), "101")] {
        let (site, _) = site(server);
        for byte_by_byte in [false, true] {
            let mut peer = site.connect_from("10.0.0.1");
            for part in REQUEST.chunks(if byte_by_byte { 1 } else { REQUEST.len() }) {
                peer.to.push(part);
                site.world.run();
            }
            let answer = String::from_utf8_lossy(&peer.bytes()).into_owned();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert_eq!(answer.contains("only with a header of the PROXY protocol"), status == "400", "{answer}");
        }
    }
}

#[test]
fn a_header_that_is_invalid_is_refused() {
    for server in [required(), optional()] {
        let (site, seen) = site(server);
        let endless = [&b"PROXY UNKNOWN "[..], &[b' '; 4000]].concat();
        for header in
            [&b"PROXY TCP4 x y 1 2\r\n                \r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", &endless]
        {
            let mut peer = site.connect_from("10.0.0.1");
            peer.to.push(&[header, REQUEST].concat());
            site.world.run();
            let answer = String::from_utf8(peer.bytes()).unwrap();
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            assert!(answer.contains("header of the PROXY protocol that is invalid"), "{answer}");
        }
        assert!(seen.lock().unwrap().is_empty());
    }
}

/// It is part of the opening handshake: of its deadline, and of a shutdown.
#[test]
fn waiting_for_a_header_ends() {
    for (begun, status) in [(&V1[..20], "408"), (&V2[..20], "408")] {
        let (site, _) = site(required());
        let mut peer = site.connect_from("10.0.0.1");
        for byte in begun.chunks(1) {
            peer.to.push(byte);
            site.world.advance(millis(499));
        }
        assert!(!peer.from.is_writer_gone());
        site.world.advance(millis(20));
        let answer = peer.head();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");

        let (site, _) = self::site(required());
        let mut peer = site.connect_from("10.0.0.1");
        peer.to.push(begun);
        site.world.run();
        site.handle.shutdown();
        site.world.run();
        assert!(peer.head().starts_with("HTTP/1.1 503 "));
    }
    // A health check that opens a connection, and no more.
    let (site, _) = site(required());
    let mut peer = site.connect_from("10.0.0.1");
    peer.leave();
    site.world.run();
    assert!(peer.bytes().is_empty() && peer.from.is_writer_gone());
}

#[test]
fn somebody_must_be_trusted() {
    let world = World::new(1);
    let error = world.at_once(required().bind("127.0.0.1:0")).unwrap_err();
    assert!(matches!(error, ServeError::Setting(InvalidSetting::ProxyProtocolUntrusted)), "{error}");
    assert!(world.at_once(required().proxy_protocol(None).bind("127.0.0.1:0")).is_ok());
}
