//! What the ends of a connection, and the hooks of a server, know of the TLS handshake.

use std::sync::mpsc::{Receiver, channel};

use rustls::{CipherSuite, ProtocolVersion};

use super::super::setup::rustls;
use super::super::setup::*;
use super::pki::*;

/// A server whose hook and handler tell what they know, and then echo.
fn telling_server(server: Server) -> (Running, Receiver<Option<TlsInfo>>) {
    let (tell, told) = channel();
    let asked = tell.clone();
    let server = server.on_request(move |request| asked.send(request.tls().cloned()).unwrap());
    let server = start(server, move |ws| {
        tell.send(ws.tls()).unwrap();
        echo(ws)
    });
    (server, told)
}

fn assert_same(tls: &TlsInfo, other: &TlsInfo) {
    assert_eq!((tls.server_name(), tls.alpn_protocol()), (other.server_name(), other.alpn_protocol()));
    assert_eq!((tls.version(), tls.cipher_suite()), (other.version(), other.cipher_suite()));
}

#[test]
fn both_ends_know_what_was_negotiated() {
    let authority = Authority::new();
    let (identity, shown) = (authority.issue(&["localhost"]), authority.issue(&["a client"]));
    let tls = ServerTls::new().certificate(&identity.certificate, &identity.key).client_ca(authority.pem());
    let (server, told) = telling_server(Server::new().tls_with(tls));
    let url = format!("wss://localhost:{}/", server.address.port());
    for (versions, version) in VERSIONS.into_iter().zip([ProtocolVersion::TLSv1_3, ProtocolVersion::TLSv1_2]) {
        let config = rustls::ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
        let config = config.with_root_certificates(authority.roots());
        let config = config.with_client_auth_cert(shown.certificates(), shown.private_key()).unwrap();
        let client = Client::new(&url).tls_config(config.into());
        let ws = block_on(client.clone().connect()).unwrap();
        let (ours, asked, theirs) = (ws.tls().unwrap(), hear(&told).unwrap(), hear(&told).unwrap());
        assert_eq!((ours.server_name(), ours.alpn_protocol()), (Some("localhost"), Some(&b"http/1.1"[..])));
        assert_eq!(ours.version(), Some(version));
        let is_of_1_3 = ours.cipher_suite().unwrap().as_str().unwrap().starts_with("TLS13_");
        assert_eq!(is_of_1_3, version == ProtocolVersion::TLSv1_3, "{:?}", ours.cipher_suite());
        assert!(!matches!(ours.cipher_suite(), Some(CipherSuite::Unknown(_))));
        assert_eq!(ours.peer_certificates(), identity.certificates());
        for info in [asked, theirs] {
            assert_same(&info, &ours);
            assert_eq!(info.peer_certificates(), shown.certificates());
        }
        close(ws);

        let ws = block_on(client.connect_stream()).unwrap();
        assert_same(&ws.tls().unwrap(), &ours);
        drop(ws);
        hear(&told);
        hear(&told);
    }
    server.stop();
}

#[test]
fn an_address_is_no_name_to_ask_for_and_clients_show_no_certificate_unasked() {
    let (server, authority) = secure_server();
    let (server, told) = telling_server(server);
    let ws = block_on(secure_client(&server, &authority).connect()).unwrap();
    assert_eq!(ws.tls().unwrap().server_name(), None);
    for _ in ["hook", "handler"] {
        let info = hear(&told).unwrap();
        assert_eq!((info.server_name(), info.peer_certificates().len()), (None, 0));
        let shown = format!("{info:?}");
        assert!(shown.contains("http/1.1") && shown.contains("TLSv1_3"), "{shown}");
    }
    close(ws);
    server.stop();
}

#[test]
fn there_is_nothing_to_know_without_tls() {
    let (server, told) = telling_server(Server::new());
    let ws = server.connect();
    assert!(ws.tls().is_none() && hear(&told).is_none() && hear(&told).is_none());
    close(ws);
    server.stop();
}
