//! The client's address behind reverse proxies. `ws-session` tests the meaning of the headers with a table.

use std::net::IpAddr;
use std::sync::mpsc;

use super::setup::*;

#[test]
fn only_a_trusted_proxy_tells_who_the_client_is() {
    for (trusted, client) in [
        (&["10.0.0.0/8", "127.0.0.0/8"][..], "203.0.113.9"),
        (&["10.0.0.0/8", "unix:"], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ] {
        let (tell, told) = mpsc::channel();
        let asked = tell.clone();
        let server = Server::new().trusted_proxies(trusted).on_request(move |request| {
            asked.send(request.extensions().get().map(|&ClientIp(client)| client)).unwrap();
            None
        });
        let server = start(server, move |ws| {
            tell.send(ws.client_ip()).unwrap();
            drain(ws)
        });
        let mut peer = server.peer();
        peer.write(request("/", &["X-Forwarded-For: 6.6.6.6, 203.0.113.9", "X-Real-IP: 6.6.6.6"]));
        peer.head();
        let client: IpAddr = client.parse().unwrap();
        assert_eq!([hear(&told), hear(&told)], [Some(client); 2], "with {trusted:?} trusted");
        drop(peer);
        server.stop();
    }
}

/// The client of a connection that begins with this header.
#[cfg(feature = "proxy-protocol")]
fn client_behind(server: Server, secure: Option<String>, header: &'static [u8]) -> Option<std::net::SocketAddr> {
    use std::io::Write as _;
    use std::net::TcpStream;

    let (tell, told) = mpsc::channel();
    let server = start(server.trusted_proxies(["127.0.0.1"]), move |ws| {
        tell.send(ws.peer_addr()).unwrap();
        echo(ws)
    });
    let address = server.address;
    let client = Client::new(if secure.is_some() { "wss://localhost/" } else { "ws://localhost/" });
    #[cfg(feature = "tls")]
    let client = secure.into_iter().fold(client, Client::ca);
    let client = client.connector(move |_| async move {
        let mut near = TcpStream::connect(address)?;
        near.write_all(header)?;
        Ok((Io::new(stream(near)), Addresses::default()))
    });
    let mut ws = block_on(client.connect()).unwrap();
    send(&ws, "there");
    assert_eq!(text(&mut ws), "there");
    close(ws);
    server.stop();
    hear(&told)
}

#[cfg(feature = "proxy-protocol")]
#[test]
fn a_header_of_the_proxy_protocol_names_the_peer() {
    const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\xc6\x33\x64\x07\xdc\x04\x01\xbb";
    for header in [b"PROXY TCP4 203.0.113.9 198.51.100.7 56324 443\r\n", V2] {
        let expected = Some("203.0.113.9:56324".parse().unwrap());
        assert_eq!(client_behind(Server::new().proxy_protocol(ProxyProtocol::Required), None, header), expected);
        #[cfg(feature = "tls")]
        for setting in [ProxyProtocol::Required, ProxyProtocol::Optional] {
            let (server, authority) = super::tls::pki::secure_server();
            assert_eq!(client_behind(server.proxy_protocol(setting), Some(authority.pem()), header), expected);
        }
    }
    // A client without one, whose first bytes were read in search of it.
    let own = |server: Server, secure| client_behind(server.proxy_protocol(ProxyProtocol::Optional), secure, b"");
    assert!(own(Server::new(), None).unwrap().ip().is_loopback());
    #[cfg(feature = "tls")]
    {
        let (server, authority) = super::tls::pki::secure_server();
        assert!(own(server, Some(authority.pem())).unwrap().ip().is_loopback());
    }
}

/// With TLS, nobody would understand a text.
#[cfg(all(feature = "proxy-protocol", feature = "tls"))]
#[test]
fn without_a_header_there_is_no_tls_where_it_is_required() {
    let (server, _) = super::tls::pki::secure_server();
    let server = server.trusted_proxies(["127.0.0.1"]).proxy_protocol(ProxyProtocol::Required);
    let server = start(server, echo);
    for sent in [&b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut peer = server.peer();
        peer.write(sent);
        assert!(peer.until_let_go().is_empty());
    }
    server.stop();
}
