//! How connections over TLS end: the closing handshake, then the alert by which TLS says that this is all, then TCP.

use std::io::ErrorKind;

use super::super::setup::*;
use super::pki::*;

#[test]
fn close_codes_and_reasons_come_through() {
    let (server, authority) = secure_server();
    let (handler, told) = telling();
    let server = start(server, handler);
    for (code, reason) in [(1000, ""), (4321, "ünïcode"), (1005, "")] {
        let ws = block_on(secure_client(&server, &authority).connect()).unwrap();
        send(&ws, "last words");
        let ours = block_on(ws.close(code, reason)).unwrap();
        assert!(ours.is_clean(), "{ours}");
        let (messages, end) = hear(&told);
        assert_eq!(messages, [Message::from("last words")]);
        match end {
            Ok(()) => assert_ne!(code, 4321),
            Err(error) => {
                assert_eq!((u16::from(outcome(&error).code()), outcome(&error).reason()), (code, reason));
                assert!(error.closed().unwrap().io_error().is_none());
            }
        }
    }
    server.stop();
}

#[test]
fn a_server_says_that_tls_ends_when_the_connection_has() {
    let (server, authority) = secure_server();
    let server = start(server, echo);
    for versions in VERSIONS {
        let mut peer = TlsPeer::client(server.address, client_config(&authority, versions));
        peer.upgrade();
        peer.write(masked(0x81, "Hello"));
        assert_eq!(peer.take(7), frame(0x81, "Hello", None));
        peer.write(masked_close(1000, "done"));
        assert_eq!(peer.rest(), frame(0x88, close_body(1000, ""), None));
    }
    server.stop();
}

#[test]
fn a_client_says_that_tls_ends_when_the_connection_has() {
    let authority = Authority::new();
    let config = server_config(&authority.issue(&["localhost"]), VERSIONS[0]);
    let (port, server) = listen(move |stream| {
        let mut peer = TlsPeer::server(stream, config);
        peer.accept();
        let close = peer.take(6 + 2);
        assert_eq!(close[..2], [0x88, 0x82]);
        peer.write(frame(0x88, close_body(1000, ""), None));
        peer.say_the_end();
        assert_eq!(peer.rest(), b"");
    });
    let client = Client::new(format!("wss://localhost:{port}/")).ca(authority.pem());
    close(block_on(client.connect()).unwrap());
    server.join().unwrap();
}

/// The end of TCP where TLS has not said that it ends could be somebody else's doing: the messages so far are delivered,
/// and the end is not taken for a clean one.
#[test]
fn tcp_that_is_cut_before_the_closing_handshake_is_a_loss() {
    let (server, authority) = secure_server();
    let (handler, told) = telling();
    let server = start(server, handler);
    let mut peer = TlsPeer::client(server.address, client_config(&authority, VERSIONS[0]));
    peer.upgrade();
    peer.write(masked(0x81, "Hello"));
    peer.cut();
    let (messages, end) = hear(&told);
    assert_eq!(messages, [Message::from("Hello")]);
    let error = end.unwrap_err();
    assert_eq!(outcome(&error).code(), CloseCode::ABNORMAL);
    assert!(!outcome(&error).is_clean());
    assert_eq!(error.closed().unwrap().io_error().unwrap().kind(), ErrorKind::UnexpectedEof);
    server.stop();

    let config = server_config(&authority.issue(&["localhost"]), VERSIONS[0]);
    let (port, server) = listen(move |stream| {
        let mut peer = TlsPeer::server(stream, config);
        peer.accept();
        peer.cut();
    });
    let client = Client::new(format!("wss://localhost:{port}/")).ca(authority.pem());
    let mut ws = block_on(client.connect()).unwrap();
    assert_eq!(outcome(&failure(&mut ws)).code(), CloseCode::ABNORMAL);
    server.join().unwrap();
}

/// TLS that says that it ends, in the middle of a connection, is what the end of TCP is without it.
#[test]
fn tls_that_ends_before_the_closing_handshake_is_a_loss() {
    let (server, authority) = secure_server();
    let (handler, told) = telling();
    let server = start(server, handler);
    let mut peer = TlsPeer::client(server.address, client_config(&authority, VERSIONS[0]));
    peer.upgrade();
    peer.say_the_end();
    let error = hear(&told).1.unwrap_err();
    assert_eq!(outcome(&error).code(), CloseCode::ABNORMAL);
    assert!(error.closed().unwrap().io_error().is_none());
    assert_eq!(peer.rest(), b"");
    server.stop();
}

#[test]
fn tcp_that_is_cut_after_the_closing_handshake_is_a_clean_end() {
    let (server, authority) = secure_server();
    let (handler, told) = telling();
    let server = start(server, handler);
    let mut peer = TlsPeer::client(server.address, client_config(&authority, VERSIONS[0]));
    peer.upgrade();
    peer.write(masked_close(1000, ""));
    assert_eq!(peer.take(4), frame(0x88, close_body(1000, ""), None));
    peer.cut();
    hear(&told).1.unwrap();
    server.stop();

    let config = server_config(&authority.issue(&["localhost"]), VERSIONS[0]);
    let (port, server) = listen(move |stream| {
        let mut peer = TlsPeer::server(stream, config);
        peer.accept();
        peer.take(8);
        peer.write(frame(0x88, close_body(1000, ""), None));
        peer.cut();
    });
    let client = Client::new(format!("wss://localhost:{port}/")).ca(authority.pem());
    let outcome = block_on(async { client.connect().await.unwrap().close(CloseCode::NORMAL, "").await }).unwrap();
    assert!(outcome.is_clean(), "{outcome}");
    server.join().unwrap();
}

#[test]
fn bytes_that_are_no_tls_end_a_connection() {
    let (server, authority) = secure_server();
    let (handler, told) = telling();
    let server = start(server, handler);
    let mut peer = TlsPeer::client(server.address, client_config(&authority, VERSIONS[0]));
    peer.upgrade();
    peer.write_beside([0x17, 3, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let error = hear(&told).1.unwrap_err();
    assert_eq!(outcome(&error).code(), CloseCode::ABNORMAL);
    assert_eq!(error.closed().unwrap().io_error().unwrap().kind(), ErrorKind::InvalidData);
    server.stop();
}
