//! The TLS handshake: what is agreed on, how long it may take, and who does not speak TLS at all.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::ProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::server::Acceptor;

use super::super::setup::rustls;
use super::super::setup::*;
use super::pki::*;

#[test]
fn both_sides_say_that_they_speak_http_1_1() {
    let (server, authority) = secure_server();
    let identity = authority.issue(&["localhost"]);
    let own = Server::new().tls_config(Arc::new(server_config(&identity, VERSIONS[0])));
    for server in [server, own] {
        let server = start(server, echo);
        let mut config = client_config(&authority, VERSIONS[0]);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut peer = TlsPeer::client(server.address, config.clone());
        peer.shake_hands().unwrap();
        assert_eq!(peer.tls.alpn_protocol(), Some(&b"http/1.1"[..]));

        config.alpn_protocols = vec![b"h2".to_vec()];
        let mut peer = TlsPeer::client(server.address, config);
        let refused = peer.shake_hands().unwrap_err().to_string();
        assert!(refused.contains("NoApplicationProtocol"), "{refused}");
        drop(peer);
        server.stop();
    }

    let own = Arc::new(client_config(&authority, VERSIONS[0]));
    for client in [|url: &str, _| Client::new(url), |url: &str, own| Client::new(url).tls_config(own)] {
        let (port, offered) = listen(|mut stream| {
            let mut acceptor = Acceptor::default();
            loop {
                acceptor.read_tls(&mut stream).unwrap();
                if let Some(accepted) = acceptor.accept().map_err(|(error, _)| error).unwrap() {
                    let offered = accepted.client_hello().alpn().unwrap().map(<[u8]>::to_vec).collect::<Vec<_>>();
                    return offered;
                }
            }
        });
        let client = client(&format!("wss://localhost:{port}/"), Arc::clone(&own));
        assert!(matches!(block_on(client.connect()), Err(ConnectError::Eof | ConnectError::Io(_))));
        assert_eq!(offered.join().unwrap(), [b"http/1.1".to_vec()]);
    }
}

#[test]
fn configurations_made_elsewhere_are_used_as_they_are() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"]);
    for (versions, version) in VERSIONS.into_iter().zip([ProtocolVersion::TLSv1_3, ProtocolVersion::TLSv1_2]) {
        let mut config = server_config(&identity, versions);
        config.alpn_protocols = vec![b"chat".to_vec()];
        let server = start(Server::new().tls_config(Arc::new(config)), echo);

        let mut config = client_config(&authority, &[&rustls::version::TLS12, &rustls::version::TLS13]);
        config.alpn_protocols = vec![b"chat".to_vec()];
        let mut peer = TlsPeer::client(server.address, config.clone());
        peer.upgrade();
        assert_eq!(peer.tls.protocol_version(), Some(version));
        assert_eq!(peer.tls.alpn_protocol(), Some(&b"chat"[..]));
        drop(peer);

        let url = format!("wss://localhost:{}/", server.address.port());
        let mut ws = block_on(Client::new(&url).tls_config(Arc::new(config)).connect()).unwrap();
        send(&ws, "Hello");
        assert_eq!(text(&mut ws), "Hello");
        close(ws);
        server.stop();
    }
}

#[test]
fn no_provider_is_asked_for_or_installed() {
    let (server, authority) = secure_server();
    let server = start(server, echo);
    close(block_on(secure_client(&server, &authority).connect()).unwrap());
    block_on(connect(&secure_url(&server))).unwrap_err();
    // rustls installs one when it has to guess, and panics when it cannot.
    assert!(CryptoProvider::get_default().is_none());
    server.stop();
}

#[test]
fn a_tls_handshake_that_stalls_ends_with_the_opening_deadline() {
    let (server, authority) = secure_server();
    let server = start(server.handshake_timeout(LATER), echo);
    let mut silent = server.peer();
    let mut halting = server.peer();
    halting.write([0x16, 3, 1, 2, 0, 1]);
    let mut late = TlsPeer::client(server.address, client_config(&authority, VERSIONS[0]));
    late.shake_hands().unwrap();
    assert_eq!(silent.rest(), b"");
    assert_eq!(halting.until_let_go(), b"");
    // Who got through it is told in HTTP.
    assert!(late.rest().starts_with(b"HTTP/1.1 408 "));
    drop(late);
    server.stop();

    let (port, _stalling) = listen(|stream| {
        Peer::new(stream).until_let_go();
    });
    let client = Client::new(format!("wss://127.0.0.1:{port}/")).connect_timeout(LATER);
    let error = block_on(client.connect()).unwrap_err();
    assert!(matches!(&error, ConnectError::Timeout(timed_out) if timed_out.stage() == Stage::Tls), "{error}");
    assert_eq!(error.to_string(), format!("timed out after {LATER:?} in the TLS handshake with 127.0.0.1:{port}"));
}

#[test]
fn a_tls_handshake_counts_as_an_opening_handshake() {
    let (server, authority) = secure_server();
    let server = start(server.max_handshakes(1).handshake_grace(NEVER), echo);
    let stalling = server.peer();
    settle();
    let connecting = spawn(secure_client(&server, &authority).connect());
    settle();
    assert_eq!(server.handle.connections(), 0);
    drop(stalling);
    close(block_on(connecting).unwrap());
    server.stop();
}

#[test]
fn clients_that_do_not_speak_tls_make_room_for_one_that_does() {
    let (server, authority) = secure_server();
    let server = server.max_handshakes(3).handshake_timeout(NEVER).handshake_grace(Duration::from_millis(100));
    let server = start(server, echo);
    let mut silent: Vec<_> = (0..5).map(|_| server.peer()).collect();
    close(block_on(secure_client(&server, &authority).connect()).unwrap());
    silent[..3].iter_mut().for_each(|peer| assert_eq!(peer.rest(), b""));
    server.stop();
}

#[test]
fn a_shutdown_does_not_wait_for_tls_handshakes() {
    let (server, _) = secure_server();
    let server = start(server.handshake_timeout(NEVER).drain_timeout(NEVER), echo);
    let mut stalling = server.peer();
    settle();
    server.stop();
    assert_eq!(stalling.rest(), b"");
}

/// The text for a client that speaks plain HTTP.
const USE_TLS: &str = "This port speaks TLS: use wss://, or https:// for a page.\n";

#[test]
fn plain_http_on_a_tls_port_is_answered() {
    let (server, _) = secure_server();
    let server = start(server.server_header("ours").on_request(|_| -> () { panic!("no request") }), echo);
    let error = block_on(server.client().connect()).unwrap_err();
    let response = error.response().unwrap();
    assert_eq!((response.status().as_u16(), &response.body()[..]), (400, USE_TLS.as_bytes()));
    assert!(
        error.to_string().ends_with("HTTP 400 Bad Request; its text says that the port is for TLS (wss://)"),
        "{error}"
    );

    let large = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(100 * KIB));
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for request in ["GET / HTTP/1.0\r\n\r\n", "post / HTTP/1.1\r\nHost: x\r\n\r\n", &*large, preface, "HELO x\r\n"] {
        let mut browser = server.peer();
        browser.write(request);
        let answer = String::from_utf8(browser.rest()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains("\r\nServer: ours\r\n") && answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{USE_TLS}")), "{answer}");
    }
    let mut curl = server.peer();
    curl.write("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = String::from_utf8(curl.rest()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(answer.contains(&format!("\r\nContent-Length: {}\r\n", USE_TLS.len())), "{answer}");

    let mut proxy = server.peer();
    proxy.write("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
    let answer = String::from_utf8(proxy.rest()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("header of the PROXY protocol"), "{answer}");

    // Neither, as SOCKS: the rest of the answer is TLS's.
    let mut other = server.peer();
    other.write([5, 1, 0, 0, 0, 0, 0, 0]);
    let alert = other.rest();
    assert_eq!((alert[0], alert.len()), (0x15, 7), "an alert, and a clean end: {alert:?}");
    drop(other);
    server.stop();
}

#[test]
fn plain_http_on_a_tls_port_that_is_not_complete_is_answered_at_the_deadline() {
    let (server, _) = secure_server();
    let server = start(server.handshake_timeout(LATER), echo);
    let mut slow = server.peer();
    slow.write("GET / HT");
    let answer = String::from_utf8(slow.rest()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with(USE_TLS), "{answer}");
    let mut leaving = server.peer();
    leaving.write("GET / HT");
    leaving.finish();
    assert_eq!(leaving.rest(), b"");
    server.stop();
}

#[test]
fn tls_on_a_plain_port_is_answered() {
    let server = start(Server::new(), echo);
    let error = block_on(connect(&secure_url(&server))).unwrap_err();
    assert!(matches!(error, ConnectError::Tls(TlsError::NotTls)), "{error:?}");
    assert_eq!(error.to_string(), "the peer does not speak TLS; it may speak plain HTTP (ws://)");

    let (near, far) = tcp_pair();
    let accepting = spawn(async move {
        let accepted = Server::new().accept(Io::new(stream(far)), Addresses::default()).await;
        accepted.map(|_| ()).unwrap_err()
    });
    let mut peer = Peer::new(near);
    peer.write([0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]);
    peer.finish();
    assert_eq!(peer.reply().status, 400);
    let error = block_on(accepting);
    assert!(matches!(error, AcceptError::Tls(TlsError::Unexpected)), "{error:?}");
    server.stop();
}

#[test]
fn a_peer_that_leaves_during_the_tls_handshake_is_gone() {
    let (port, leaving) = listen(drop::<TcpStream>);
    let error = block_on(connect(&format!("wss://localhost:{port}/"))).unwrap_err();
    let is_gone = match &error {
        ConnectError::Eof => true,
        ConnectError::Io(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        _ => false,
    };
    assert!(is_gone, "{error:?}");
    leaving.join().unwrap();
}
