//! TLS through forward proxies, to them, and both; and over other transports than TCP.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::super::setup::*;
use super::pki::*;

#[test]
fn tls_goes_through_a_tunnel_to_the_server() {
    let authority = Authority::new();
    let identity = authority.issue(&["server.test"]);
    let config = server_config(&identity, VERSIONS[0]);
    let proxy = Script::new(move |mut peer| {
        let connect = peer.head();
        peer.write("HTTP/1.1 200 OK\r\n\r\n");
        let mut server = TlsPeer::server(peer.into_stream(), config);
        server.accept();
        server.write(frame(0x81, "over TLS", None));
        let name = match &server.tls {
            rustls::Connection::Server(tls) => tls.server_name().map(ToOwned::to_owned),
            rustls::Connection::Client(_) => None,
        };
        (connect, name)
    });
    let client = Client::new("wss://server.test/").ca(authority.pem()).proxy(proxy.address.to_string());
    let mut ws = block_on(client.connect()).unwrap();
    assert_eq!(text(&mut ws), "over TLS");
    drop(ws);
    let (connect, name) = proxy.done();
    assert!(connect.starts_with("CONNECT server.test:443 HTTP/1.1\r\n"), "{connect}");
    assert_eq!(name.as_deref(), Some("server.test"));
}

/// An HTTPS proxy, which connects to `server` whatever it is asked for. The head of the CONNECT, and whether the client
/// showed a certificate.
fn secure_proxy(config: rustls::ServerConfig, server: SocketAddr) -> (u16, thread::JoinHandle<(String, bool)>) {
    listen(move |stream| {
        let mut client = TlsPeer::server(stream.try_clone().unwrap(), config);
        let connect = client.head();
        client.write("HTTP/1.1 200 OK\r\n\r\n");
        let showed = client.tls.peer_certificates().is_some();
        relay(client.tls, stream, TcpStream::connect(server).unwrap());
        (connect, showed)
    })
}

/// Moves bytes between a TLS connection and a TCP connection until one of them ends.
fn relay(mut tls: rustls::Connection, mut outer: TcpStream, mut inner: TcpStream) {
    outer.set_nonblocking(true).unwrap();
    inner.set_nonblocking(true).unwrap();
    let waits = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
    loop {
        let mut idle = true;
        match tls.read_tls(&mut outer) {
            Ok(0) => return,
            Ok(_) => idle = false,
            Err(error) if waits(&error) => {}
            Err(_) => return,
        }
        if tls.process_new_packets().is_err() {
            return;
        }
        let mut bytes = [0; 16 * KIB];
        match tls.reader().read(&mut bytes) {
            Ok(0) => return,
            Ok(n) => inner.write_all(&bytes[..n]).unwrap(),
            Err(_) => {}
        }
        match inner.read(&mut bytes) {
            Ok(0) => return,
            Ok(n) => {
                tls.writer().write_all(&bytes[..n]).unwrap();
                idle = false;
            }
            Err(error) if waits(&error) => {}
            Err(_) => return,
        }
        while tls.wants_write() && tls.write_tls(&mut outer).is_ok() {}
        if idle {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_proxy_is_reached_over_tls_and_the_server_with_and_without() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"]);
    let shown = authority.issue(&["me"]);
    for secure in [false, true] {
        let server = match secure {
            true => {
                let identity = authority.issue(&["server.test"]);
                start(uncompressed().tls(identity.certificate, identity.key), echo)
            }
            false => start(uncompressed(), echo),
        };
        // The proxy asks for a certificate, and takes clients without one.
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(authority.roots(), provider());
        let mut config = server_config(&identity, VERSIONS[0]);
        config = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS[0])
            .unwrap()
            .with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
            .with_cert_resolver(Arc::clone(&config.cert_resolver));
        let (port, proxy) = secure_proxy(config, server.address);
        let scheme = if secure { "wss" } else { "ws" };
        let client = Client::new(format!("{scheme}://server.test/"))
            .ca(authority.pem())
            .client_certificate(&shown.certificate, &shown.key)
            .proxy(format!("https://localhost:{port}"));
        let large = "x".repeat(300 * KIB);
        block_on(async {
            let mut ws = client.connect_stream().await.unwrap();
            assert_eq!(ws.get_ref().is_tls(), secure);
            // TLS to the proxy is not that of the connection.
            assert_eq!(
                ws.tls().map(|tls| tls.server_name().map(str::to_owned)),
                secure.then(|| Some("server.test".into()))
            );
            for message in ["small", &large] {
                ws.send(message).await.unwrap();
                assert_eq!(ws.recv().await.unwrap(), Some(Message::from(message)));
            }
            assert!(ws.close(1000, "").await.unwrap().is_clean());
        });
        let (connect, showed) = proxy.join().unwrap();
        assert!(connect.starts_with(&format!("CONNECT server.test:{} ", if secure { 443 } else { 80 })), "{connect}");
        assert!(!showed, "the client certificate is for the server");
        server.stop();
    }
}

#[test]
fn a_proxy_that_is_not_trusted_is_named() {
    let authority = Authority::new();
    let config = server_config(&authority.issue(&["localhost"]), VERSIONS[0]);
    let (port, proxy) = listen(move |stream| {
        let mut peer = TlsPeer::server(stream, config);
        peer.shake_hands().and_then(|()| peer.read().map(drop)).unwrap_err()
    });
    let client = Client::new("ws://server.test/").proxy(format!("https://a:hunter2@localhost:{port}"));
    let error = block_on(client.connect()).unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with(&format!("the proxy https://localhost:{port}: ")), "{said}");
    assert!(!said.contains("hunter2") && matches!(error, ConnectError::Proxy(_)));
    drop(proxy.join().unwrap());

    // Trust of its own.
    let server = start(uncompressed(), echo);
    let (port, proxy) = secure_proxy(server_config(&authority.issue(&["localhost"]), VERSIONS[0]), server.address);
    let client = Client::new("ws://server.test/")
        .proxy(format!("https://localhost:{port}"))
        .proxy_tls_config(Arc::new(client_config(&authority, VERSIONS[0])));
    close(block_on(client.connect()).unwrap());
    drop(proxy.join().unwrap());
    server.stop();
}

#[test]
fn the_certificate_is_for_the_url_whatever_is_dialled() {
    let authority = Authority::new();
    let identity = authority.issue(&["server.test"]);
    let server = start(uncompressed().tls(identity.certificate, identity.key), echo);
    let client =
        |url: &str| Client::new(url).ca(authority.pem()).dial_host("127.0.0.1").dial_port(server.address.port());
    close(block_on(client("wss://server.test/").connect()).unwrap());
    let error = block_on(client("wss://other.test/").connect()).unwrap_err();
    assert!(matches!(error, ConnectError::Tls(_)), "{error}");

    let address = server.address;
    let client = Client::new("wss://server.test/").ca(authority.pem()).connector(move |destination| async move {
        assert!(destination.tls);
        let near = TcpStream::connect(address)?;
        Ok((Io::new(stream(near)), Addresses::default()))
    });
    close(block_on(client.connect()).unwrap());
    server.stop();
}

#[cfg(unix)]
#[test]
fn tls_is_done_over_a_unix_socket() {
    use std::os::unix::net::UnixListener;

    let (server, authority) = secure_server();
    let server = start(server, echo);
    let path = std::env::temp_dir().join(format!("ws-tls-{}-{}.sock", std::process::id(), module_path!().len()));
    let listener = UnixListener::bind(&path).unwrap();
    let address = server.address;
    let relaying = thread::spawn(move || {
        let (near, _) = listener.accept().unwrap();
        let far = TcpStream::connect(address).unwrap();
        let (mut from, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        let there = thread::spawn(move || {
            drop(std::io::copy(&mut from, &mut to));
            drop(to.shutdown(std::net::Shutdown::Write));
        });
        drop(std::io::copy(&mut &far, &mut &near));
        drop(near.shutdown(std::net::Shutdown::Write));
        there.join().unwrap();
    });
    let client = Client::new("wss://localhost/").ca(authority.pem()).unix_socket(&path);
    let mut ws = block_on(client.connect()).unwrap();
    send(&ws, "over both");
    assert_eq!(text(&mut ws), "over both");
    close(ws);
    relaying.join().unwrap();
    std::fs::remove_file(path).unwrap();
    server.stop();
}

#[cfg(unix)]
#[test]
fn a_server_does_tls_on_a_unix_socket() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    let (server, authority) = secure_server();
    let path = std::env::temp_dir().join(format!("ws-tls-own-{}-{}.sock", std::process::id(), module_path!().len()));
    let listening = block_on(server.bind_unix(&path)).unwrap();
    let handle = listening.handle();
    let serving = spawn(listening.serve(echo));
    let client = Client::new("wss://localhost/").ca(authority.pem()).unix_socket(&path);
    let mut ws = block_on(client.connect()).unwrap();
    send(&ws, "over both");
    assert_eq!(text(&mut ws), "over both");
    close(ws);

    // Who does not speak TLS is told so: in HTTP, or by an alert.
    for (sent, begin) in [(request("/", &[]).as_bytes(), &b"HTTP/1.1 400 "[..]), (&[5, 1, 0, 0, 0, 0, 0], &[21, 3, 3])]
    {
        let mut plain = UnixStream::connect(&path).unwrap();
        plain.write_all(sent).unwrap();
        let mut answer = Vec::new();
        plain.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(begin), "{answer:?}");
    }
    handle.shutdown();
    block_on(serving).unwrap();
}
