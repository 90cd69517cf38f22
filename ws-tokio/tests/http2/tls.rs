//! HTTP/2 and HTTP/1.1 on one port with TLS, chosen by ALPN.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use ws_tokio::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use ws_tokio::rustls::{ClientConfig, RootCertStore};
use ws_tokio::{Client, Server};

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
