//! TLS by rustls: the default configuration, and streams that block.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{IntoClientRequest, client_with_config, host, uri_mode};
use crate::error::{Error, Result, TlsError, UrlError};
use crate::handshake::HandshakeError;
use crate::handshake::client::{ClientHandshake, Response};
use crate::on_tokio::Connector;
use crate::protocol::{WebSocket, WebSocketConfig};
use crate::stream::{MaybeTlsStream, Mode};

/// The result of an opening handshake with TLS or without.
type Opened<S> = Result<(WebSocket<MaybeTlsStream<S>>, Response), HandshakeError<ClientHandshake<MaybeTlsStream<S>>>>;

/// Opens a connection over a stream, with TLS if the URL asks for it.
///
/// # Errors
///
/// As [`client`](crate::client()), and [`Error::Tls`].
pub fn client_tls<R, S>(request: R, stream: S) -> Opened<S>
where
    R: IntoClientRequest,
    S: Read + Write,
{
    client_tls_with_config(request, stream, None, None)
}

/// Opens a connection over a stream, with TLS if the URL asks for it. Without a `connector`, rustls with the certificates of the
/// features that are on.
///
/// # Errors
///
/// As [`client_tls`].
pub fn client_tls_with_config<R, S>(
    request: R,
    stream: S,
    config: Option<WebSocketConfig>,
    connector: Option<Connector>,
) -> Opened<S>
where
    R: IntoClientRequest,
    S: Read + Write,
{
    let request = request.into_client_request()?;
    let stream = match uri_mode(request.uri())? {
        Mode::Plain => MaybeTlsStream::Plain(stream),
        Mode::Tls => {
            let name = server_name(host(request.uri())?)?;
            let tls =
                ClientConnection::new(configuration(connector)?, name).map_err(TlsError::from).map_err(Error::Tls)?;
            MaybeTlsStream::Rustls(StreamOwned::new(tls, stream))
        }
    };
    client_with_config(request, stream, config)
}

/// The name that the server's certificate must have.
pub(crate) fn server_name(host: &str) -> Result<ServerName<'static>> {
    Ok(ServerName::try_from(host.to_owned()).map_err(|_| TlsError::InvalidDnsName)?)
}

/// The connector's configuration, or the default one.
pub(crate) fn configuration(connector: Option<Connector>) -> Result<Arc<ClientConfig>> {
    match connector {
        Some(Connector::Rustls(config)) => Ok(config),
        Some(Connector::Plain) => Err(UrlError::TlsFeatureNotEnabled.into()),
        None => default_configuration(),
    }
}

/// The provider of cryptography that the process has installed, or else ring.
fn default_configuration() -> Result<Arc<ClientConfig>> {
    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(Arc::new(config.map_err(TlsError::from)?.with_root_certificates(roots()?).with_no_client_auth()))
}

fn roots() -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    #[cfg(feature = "rustls-tls-webpki-roots")]
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    #[cfg(feature = "rustls-tls-native-roots")]
    {
        let system = rustls_native_certs::load_native_certs();
        // A system has certificates that no library accepts any more.
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() {
            let error = format!("the system has no certificates: {:?}", system.errors);
            return Err(io::Error::new(ErrorKind::NotFound, error));
        }
    }
    if roots.is_empty() {
        return Err(io::Error::new(
            ErrorKind::NotFound,
            "no feature for certificates is on, and no connector was given",
        ));
    }
    Ok(roots)
}
