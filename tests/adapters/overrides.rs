//! Clients that reach their server elsewhere than its URL says.

use std::io;
use std::sync::{Arc, Mutex};

use super::super::adapter::AddressFamily;
use super::setup::*;

#[test]
fn another_host_and_port_are_dialled_and_the_request_stays() {
    for host in ["127.0.0.1", "localhost"] {
        let server = Script::new(|mut peer| peer.accept(b""));
        let client = Client::new("ws://server.test:81/chat").dial_host(host).dial_port(server.address.port());
        let ws = block_on(client.connect()).unwrap();
        assert_eq!(ws.peer_addr(), Some(server.address));
        drop(ws);
        let request = server.done();
        assert_eq!((&request.headers()["host"], request.uri().path()), (&"server.test:81".parse().unwrap(), "/chat"));
    }
    let error = block_on(Client::new("ws://server.test/").dial_host("a b").connect()).unwrap_err();
    assert!(matches!(error, ConnectError::Url(_)), "{error}");
}

#[test]
fn ipv6_addresses_are_dialled_with_and_without_brackets() {
    for host in ["::1", "[::1]"] {
        let Ok(server) = Script::at("[::1]:0", |mut peer| peer.accept(b"")) else { return };
        let client = Client::new("ws://server.test/").dial_host(host).dial_port(server.address.port());
        drop(block_on(client.connect()).unwrap());
        assert_eq!(server.done().headers()["host"], "server.test");
    }
}

#[test]
fn addresses_of_one_family_are_dialled() {
    let server = Script::new(|mut peer| peer.accept(b""));
    let client = || Client::new(format!("ws://localhost:{}/", server.address.port()));
    for (host, family) in [("localhost", AddressFamily::V4), ("127.0.0.1", AddressFamily::V4)] {
        let server = Script::new(|mut peer| peer.accept(b""));
        let client = Client::new(format!("ws://{host}:{}/", server.address.port())).address_family(family);
        assert_eq!(block_on(client.connect()).unwrap().peer_addr(), Some(server.address));
        server.done();
    }
    for (host, family, lacking) in [
        ("127.0.0.1", AddressFamily::V6, "it has no IPv6 address"),
        ("::1", AddressFamily::V4, "it has no IPv4 address"),
    ] {
        let error = block_on(client().dial_host(host).address_family(family).connect()).unwrap_err();
        assert!(matches!(error, ConnectError::Resolve { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("cannot resolve {host}: {lacking}"));
    }
    // Neither changes anything for a client that tries both.
    drop(block_on(client().address_family(None).connect()).unwrap());
    server.done();
}

#[cfg(feature = "proxies")]
#[test]
fn a_proxy_is_asked_for_what_is_dialled() {
    let proxy = Script::new(|mut peer| {
        let connect = peer.head();
        peer.write("HTTP/1.1 200 OK\r\n\r\n");
        (connect, peer.accept(b""))
    });
    let client = Client::new("ws://server.test/").dial_host("other.test").dial_port(8080);
    drop(block_on(client.proxy(proxy.address.to_string()).connect()).unwrap());
    let (connect, request) = proxy.done();
    assert!(connect.starts_with("CONNECT other.test:8080 "), "{connect}");
    assert_eq!(request.headers()["host"], "server.test");
}

/// The client, with a proxy that cannot be reached and must not be used.
fn with_a_proxy(client: Client) -> Client {
    #[cfg(feature = "proxies")]
    let client = client.proxy("http://127.0.0.1:1");
    client
}

#[test]
fn a_connector_is_asked_for_a_transport() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (near, far) = tcp_pair();
    let near = Mutex::new(Some(near));
    let destinations = Arc::clone(&asked);
    let client = with_a_proxy(Client::new("ws://server.test:81/")).connector(move |destination| {
        destinations.lock().unwrap().push((destination.host, destination.port, destination.tls));
        let near = near.lock().unwrap().take();
        async move {
            let near = near.ok_or_else(|| io::Error::other("only once"))?;
            Ok((Io::new(stream(near)), Addresses::default()))
        }
    });
    let connecting = spawn(client.clone().connect());
    let mut peer = Peer::new(far);
    assert_eq!(peer.accept(b"").headers()["host"], "server.test:81");
    let mut ws = block_on(connecting).unwrap();
    peer.write(frame(0x81, "there", None));
    assert_eq!(text(&mut ws), "there");

    let error = block_on(client.connect()).unwrap_err();
    assert_eq!(error.to_string(), "the connector failed: only once");
    assert!(matches!(error, ConnectError::Connector(_)));
    assert_eq!(*asked.lock().unwrap(), vec![("server.test".to_owned(), 81, false); 2]);

    let client = Client::new("ws://server.test/")
        .connect_timeout(SOON)
        .connector(|_| async { std::future::pending::<io::Result<(Unread, Addresses)>>().await });
    let error = block_on(client.connect()).unwrap_err();
    assert_eq!(error.to_string(), format!("timed out after {SOON:?} connecting to server.test"));
}

/// A transport that nobody uses.
struct Unread;

impl Transport for Unread {
    fn poll_read(&mut self, _: &mut std::task::Context<'_>, _: &mut [u8]) -> std::task::Poll<io::Result<usize>> {
        std::task::Poll::Pending
    }

    fn poll_write_vectored(
        &mut self,
        _: &mut std::task::Context<'_>,
        _: &[io::IoSlice<'_>],
    ) -> std::task::Poll<io::Result<usize>> {
        std::task::Poll::Pending
    }

    fn poll_flush(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Pending
    }

    fn poll_shutdown(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Pending
    }
}

#[test]
fn a_given_transport_serves_one_connection() {
    let (near, far) = tcp_pair();
    let addresses = Addresses::new(near.local_addr().ok(), near.peer_addr().ok());
    let client = Client::new("ws://server.test/").transport(Io::new(stream(near)), addresses);
    let connecting = spawn(client.clone().connect());
    Peer::new(far).accept(b"");
    let ws = block_on(connecting).unwrap();
    assert_eq!((ws.local_addr(), ws.peer_addr()), (addresses.local, addresses.peer));
    let error = block_on(client.connect()).unwrap_err();
    assert!(error.to_string().contains("serves one connection"), "{error}");
}

#[cfg(unix)]
mod unix {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    fn path() -> PathBuf {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        std::env::temp_dir().join(format!("ws-{}-{number}-{}.sock", std::process::id(), module_path!().len()))
    }

    #[test]
    fn a_unix_socket_is_connected_to_and_the_request_stays() {
        for polled in [false, true] {
            let path = path();
            let listener = UnixListener::bind(&path).unwrap();
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.push(byte[0]);
                }
                stream.write_all(&[&response_to(&head)[..], &frame(0x81, "there", None)].concat()).unwrap();
                let mut rest = Vec::new();
                stream.write_all(&frame(0x88, close_body(1000, ""), None)).unwrap();
                stream.read_to_end(&mut rest).unwrap();
                (String::from_utf8(head).unwrap(), rest.len())
            });
            let client = with_a_proxy(Client::new("ws://server.test:81/")).unix_socket(&path);
            block_on(async {
                if polled {
                    let mut ws = client.connect_stream().await.unwrap();
                    assert_eq!(ws.recv().await.unwrap(), Some(Message::from("there")));
                    assert_eq!(ws.recv().await.unwrap(), None);
                } else {
                    let mut ws = client.connect().await.unwrap();
                    assert_eq!((ws.peer_addr(), ws.local_addr()), (None, None));
                    assert_eq!(ws.recv().await.unwrap(), Some(Message::from("there")));
                    assert_eq!(ws.recv().await.unwrap(), None);
                }
            });
            let (head, rest) = server.join().unwrap();
            assert!(head.contains("\r\nHost: server.test:81\r\n"), "{head}");
            assert_eq!(rest, 2 + 4 + 2, "a Close frame");
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_missing_socket_is_named() {
        let path = path();
        let error = block_on(Client::new("ws://server.test/").unix_socket(&path).connect()).unwrap_err();
        let said = format!("cannot connect to the Unix socket {}: ", path.display());
        assert!(error.to_string().starts_with(&said), "{error}");
        assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::NotFound);
    }
}
