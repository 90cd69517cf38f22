//! TLS on tokio's streams.

use std::io::{Error, Result};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use ws_endpoint::Transport;
use ws_endpoint::rustls::pki_types::ServerName;
use ws_endpoint::rustls::{ClientConfig, ServerConfig};

use crate::TokioIo;

/// Does a client's TLS handshake.
pub(crate) async fn connect<S>(
    stream: TokioIo<S>,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
) -> Result<Box<dyn Transport + Send>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TlsConnector::from(config).connect(name, stream.into_inner()).await?;
    Ok(Box::new(TokioIo::new(stream)))
}

/// Does a server's TLS handshake; the stream comes back when it fails.
pub(crate) async fn accept<S>(
    stream: TokioIo<S>,
    config: Arc<ServerConfig>,
) -> std::result::Result<Box<dyn Transport + Send>, (Error, TokioIo<S>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match TlsAcceptor::from(config).accept(stream.into_inner()).into_fallible().await {
        Ok(stream) => Ok(Box::new(TokioIo::new(stream))),
        Err((error, stream)) => Err((error, TokioIo::new(stream))),
    }
}
