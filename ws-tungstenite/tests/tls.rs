//! `wss://`, with streams that block and with tokio's.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use ws_tungstenite::error::{TlsError, UrlError};
use ws_tungstenite::{
    Connector, Error, HandshakeError, MaybeTlsStream, Message, accept, client_tls_with_config,
    connect_async_tls_with_config,
};

fn configurations() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (server.into(), client.with_root_certificates(roots).with_no_client_auth().into())
}

/// Serves two connections, which may fail, and says how each ended.
fn serve(config: Arc<ServerConfig>) -> (std::net::SocketAddr, thread::JoinHandle<[Option<Error>; 2]>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        [(); 2].map(|()| {
            let (stream, _) = listener.accept().unwrap();
            let tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            let mut ws = accept(tls).ok()?;
            loop {
                match ws.read() {
                    Ok(message) if message.is_text() => ws.send(message).unwrap(),
                    Ok(_) => {}
                    Err(error) => return Some(error),
                }
            }
        })
    });
    (address, server)
}

#[tokio::test]
async fn both_kinds_of_clients_talk_over_tls() {
    let (server, client) = configurations();
    let (address, server) = serve(server);
    let connector = Some(Connector::Rustls(client));
    let url = format!("wss://{address}/");
    let (mut ws, _) = connect_async_tls_with_config(&url, None, false, connector.clone()).await.unwrap();
    assert!(matches!(ws.get_ref(), MaybeTlsStream::Rustls(_)));
    ws.send(Message::text("Hello")).await.unwrap();
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("Hello"));
    ws.close(None).await.unwrap();
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::Close(None));
    drop(ws);

    let stream = std::net::TcpStream::connect(address).unwrap();
    let (mut ws, _) = client_tls_with_config(&url, stream, None, connector).unwrap();
    ws.send(Message::text("Hello")).unwrap();
    assert_eq!(ws.read().unwrap(), Message::text("Hello"));
    ws.close(None).unwrap();
    assert_eq!(ws.read().unwrap(), Message::Close(None));
    drop(ws);
    assert!(matches!(server.join().unwrap(), [Some(Error::ConnectionClosed), Some(Error::ConnectionClosed)]));
}

#[tokio::test]
async fn other_certificates_are_refused() {
    let (server, _) = configurations();
    let (address, server) = serve(server);
    let url = format!("wss://{address}/");
    // With the certificates of the features that are on.
    let error = connect_async_tls_with_config(&url, None, false, None).await.unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error:?}");
    let stream = std::net::TcpStream::connect(address).unwrap();
    let error = client_tls_with_config(&url, stream, None, None).unwrap_err();
    assert!(matches!(error, HandshakeError::Failure(Error::Io(_))), "{error:?}");
    assert!(matches!(server.join().unwrap(), [None, None]));
}

#[tokio::test]
async fn tls_can_be_refused_and_hosts_are_checked() {
    let (near, _far) = tokio::io::duplex(100);
    let plain = Some(Connector::Plain);
    let error = ws_tungstenite::client_async_tls_with_config("wss://localhost/", near, None, plain).await.unwrap_err();
    assert!(matches!(error, Error::Url(UrlError::TlsFeatureNotEnabled)), "{error:?}");
    let (near, _far) = tokio::io::duplex(100);
    let error = ws_tungstenite::client_async_tls("wss://not_a_name-/", near).await.unwrap_err();
    assert!(matches!(error, Error::Tls(TlsError::InvalidDnsName) | Error::Io(_)), "{error:?}");
}
