//! HTTP/2 and HTTP/1.1 on one port with TLS, chosen by ALPN.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use ws_tokio::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use ws_tokio::rustls::{ClientConfig, RootCertStore};
use ws_tokio::{Client, Http2Connections, RequestExt as _, Server, ServerTls};

use super::*;

fn identity() -> (String, String) {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (key.cert.pem(), key.signing_key.serialize_pem())
}

fn config(certificate: &str, protocols: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(ws_tokio::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

async fn connect(running: &Running, config: Arc<ClientConfig>) -> tokio_rustls::client::TlsStream<TcpStream> {
    let stream = TcpStream::connect(running.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    in_time(TlsConnector::from(config).connect(name, stream)).await.unwrap()
}

#[tokio::test]
async fn alpn_offers_both_versions() {
    let (certificate, key) = identity();
    let running = start(server().tls(&certificate, &key), echo).await;
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = connect(&running, config(&certificate, offered)).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
        if chosen == Some(b"h2") {
            let mut peer = Peer::over(stream, h2::client::Builder::new()).await;
            peer.open().await.echo("over TLS").await;
        }
    }
    let client = Client::new(format!("wss://localhost:{}/", running.address.port())).ca(&certificate);
    let mut ws = in_time(client.connect()).await.unwrap();
    ws.send("over HTTP/1.1").await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap(), Some("over HTTP/1.1".into()));
    running.stop().await;
}

#[tokio::test]
async fn without_the_setting_alpn_offers_http_1_1_only() {
    let (certificate, key) = identity();
    let running = start(Server::new().tls(&certificate, &key), echo).await;
    let stream = connect(&running, config(&certificate, &["h2", "http/1.1"])).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    running.stop().await;
}

#[tokio::test]
async fn streams_know_the_tls_of_their_connection() {
    let (certificate, key) = identity();
    let tls = ServerTls::new().certificate(&certificate, &key).client_ca(&certificate).optional_client_certificates();
    let (tell, mut told) = unbounded_channel();
    let asked = tell.clone();
    let server = server().tls_with(tls).on_request(move |request| asked.send(request.tls().cloned()).unwrap());
    let running = start(server, move |ws| {
        tell.send(ws.tls()).unwrap();
        echo(ws)
    })
    .await;
    let connections = Http2Connections::new();
    let client = Client::new(format!("wss://localhost:{}/", running.address.port())).ca(&certificate);
    let client = client.http2(&connections);
    for _ in ["first stream", "second stream"] {
        let ws = in_time(client.clone().connect()).await.unwrap();
        let ours = ws.tls().unwrap();
        assert_eq!(ours.peer_certificates(), [CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()]);
        for info in [Some(ours), in_time(told.recv()).await.unwrap(), in_time(told.recv()).await.unwrap()] {
            let info = info.unwrap();
            assert_eq!((info.server_name(), info.alpn_protocol()), (Some("localhost"), Some(&b"h2"[..])));
        }
        in_time(ws.close(1000, "")).await.unwrap();
    }
    assert_eq!(connections.count(), 1);
    running.stop().await;
}

#[tokio::test]
async fn renewed_certificates_offer_both_versions_too() {
    let files = ["cert", "key"].map(|name| std::env::temp_dir().join(format!("ws-h2-{}-{name}", std::process::id())));
    let renew = || {
        let (certificate, key) = identity();
        std::fs::write(&files[0], &certificate).unwrap();
        std::fs::write(&files[1], key).unwrap();
        certificate
    };
    let first = renew();
    let tls = ServerTls::new().certificate_files(&files[0], &files[1]);
    let running = start(server().tls_with(tls.clone()), echo).await;
    let second = renew();
    for (certificate, renewed) in [(first, false), (second, true)] {
        assert_eq!(renewed && tls.reload().unwrap(), renewed);
        let stream = connect(&running, config(&certificate, &["h2"])).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    }
    running.stop().await;
    files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
}

#[tokio::test]
async fn plain_http2_on_a_tls_port_is_answered() {
    let (certificate, key) = identity();
    let running = start(server().tls(&certificate, &key), echo).await;
    let mut raw = running.raw().await;
    raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let answer = String::from_utf8(raw.rest().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("This port speaks TLS"), "{answer}");
    running.stop().await;
}
