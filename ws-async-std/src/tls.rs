//! TLS on streams of `futures-io`.

use std::io::{Error, Result};
use std::sync::Arc;

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::{TlsAcceptor, TlsConnector};
use ws_endpoint::Transport;
use ws_endpoint::rustls::pki_types::ServerName;
use ws_endpoint::rustls::{ClientConfig, ServerConfig};

use crate::AsyncIo;

/// Does a client's TLS handshake.
pub(crate) async fn connect<S>(
    stream: AsyncIo<S>,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
) -> Result<Box<dyn Transport + Send>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TlsConnector::from(config).connect(name, stream.into_inner()).await?;
    Ok(Box::new(AsyncIo::new(stream)))
}

/// Does a server's TLS handshake; the stream comes back when it fails.
pub(crate) async fn accept<S>(
    stream: AsyncIo<S>,
    config: Arc<ServerConfig>,
) -> std::result::Result<Box<dyn Transport + Send>, (Error, AsyncIo<S>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match TlsAcceptor::from(config).accept(stream.into_inner()).into_fallible().await {
        Ok(stream) => Ok(Box::new(AsyncIo::new(stream))),
        Err((error, stream)) => Err((error, AsyncIo::new(stream))),
    }
}
