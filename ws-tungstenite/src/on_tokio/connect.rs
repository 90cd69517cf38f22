//! TCP connections of a client.

use tokio::net::TcpStream;

use super::connector::Connector;
use super::stream::MaybeTlsStream;
use super::websocket::WebSocketStream;
use crate::client::{IntoClientRequest, host, uri_mode};
use crate::error::Result;
use crate::handshake::client::{Request, Response};
use crate::protocol::WebSocketConfig;
use crate::stream::Mode;

/// Connects to a URL. `wss://` needs one of the features for TLS.
///
/// # Errors
///
/// [`Error::Url`](crate::Error::Url), [`Error::Io`](crate::Error::Io), [`Error::Tls`](crate::Error::Tls), and those of the opening
/// handshake: [`Error::Http`](crate::Error::Http) when the status is not 101. Redirects are not followed.
pub async fn connect_async<R>(request: R) -> Result<(WebSocketStream<MaybeTlsStream<TcpStream>>, Response)>
where
    R: IntoClientRequest + Unpin,
{
    connect_async_with_config(request, None, false).await
}

/// Connects to a URL. `disable_nagle` sets `TCP_NODELAY`, so that no small message waits for the acknowledgement of another.
///
/// # Errors
///
/// As [`connect_async`].
pub async fn connect_async_with_config<R>(
    request: R,
    config: Option<WebSocketConfig>,
    disable_nagle: bool,
) -> Result<(WebSocketStream<MaybeTlsStream<TcpStream>>, Response)>
where
    R: IntoClientRequest + Unpin,
{
    connect(request.into_client_request()?, config, disable_nagle, None).await
}

/// Connects to a URL, with TLS of the caller's configuration.
///
/// # Errors
///
/// As [`connect_async`].
#[cfg(feature = "__rustls-tls")]
pub async fn connect_async_tls_with_config<R>(
    request: R,
    config: Option<WebSocketConfig>,
    disable_nagle: bool,
    connector: Option<Connector>,
) -> Result<(WebSocketStream<MaybeTlsStream<TcpStream>>, Response)>
where
    R: IntoClientRequest + Unpin,
{
    connect(request.into_client_request()?, config, disable_nagle, connector).await
}

async fn connect(
    request: Request,
    config: Option<WebSocketConfig>,
    disable_nagle: bool,
    connector: Option<Connector>,
) -> Result<(WebSocketStream<MaybeTlsStream<TcpStream>>, Response)> {
    let uri = request.uri();
    let port = match uri_mode(uri)? {
        Mode::Plain => 80,
        Mode::Tls => 443,
    };
    let stream = TcpStream::connect((host(uri)?, uri.port_u16().unwrap_or(port))).await?;
    if disable_nagle {
        stream.set_nodelay(true)?;
    }
    open(request, stream, config, connector).await
}

#[cfg(feature = "__rustls-tls")]
use super::connector::client_async_tls_with_config as open;

#[cfg(not(feature = "__rustls-tls"))]
async fn open(
    request: Request,
    stream: TcpStream,
    config: Option<WebSocketConfig>,
    _connector: Option<Connector>,
) -> Result<(WebSocketStream<MaybeTlsStream<TcpStream>>, Response)> {
    if let Mode::Tls = uri_mode(request.uri())? {
        return Err(crate::error::UrlError::TlsFeatureNotEnabled.into());
    }
    super::opening::client_async_with_config(request, MaybeTlsStream::Plain(stream), config).await
}
