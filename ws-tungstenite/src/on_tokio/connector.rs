//! TLS over tokio's streams.

/// The TLS of a client: that of its configuration, or none.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Connector {
    /// Without TLS. `wss://` fails.
    Plain,
    /// With TLS by rustls.
    #[cfg(feature = "__rustls-tls")]
    Rustls(std::sync::Arc<rustls::ClientConfig>),
}

#[cfg(feature = "__rustls-tls")]
pub use self::with_tls::{client_async_tls, client_async_tls_with_config};

#[cfg(feature = "__rustls-tls")]
mod with_tls {
    use tokio::io::{AsyncRead, AsyncWrite};

    use super::Connector;
    use crate::client::{IntoClientRequest, host, uri_mode};
    use crate::error::Result;
    use crate::handshake::client::Response;
    use crate::on_tokio::{MaybeTlsStream, WebSocketStream, client_async_with_config};
    use crate::protocol::WebSocketConfig;
    use crate::stream::Mode;
    use crate::tls;

    /// Opens a connection over a stream, with TLS if the URL asks for it.
    ///
    /// # Errors
    ///
    /// As [`client_async`](crate::client_async), and those of TLS, as [`Error::Tls`](crate::Error::Tls) or
    /// [`Error::Io`](crate::Error::Io).
    pub async fn client_async_tls<R, S>(request: R, stream: S) -> Result<(WebSocketStream<MaybeTlsStream<S>>, Response)>
    where
        R: IntoClientRequest + Unpin,
        S: 'static + AsyncRead + AsyncWrite + Send + Unpin,
        MaybeTlsStream<S>: Unpin,
    {
        client_async_tls_with_config(request, stream, None, None).await
    }

    /// Opens a connection over a stream, with TLS if the URL asks for it. Without a `connector`, rustls with the certificates of
    /// the features that are on.
    ///
    /// # Errors
    ///
    /// As [`client_async_tls`].
    pub async fn client_async_tls_with_config<R, S>(
        request: R,
        stream: S,
        config: Option<WebSocketConfig>,
        connector: Option<Connector>,
    ) -> Result<(WebSocketStream<MaybeTlsStream<S>>, Response)>
    where
        R: IntoClientRequest + Unpin,
        S: 'static + AsyncRead + AsyncWrite + Send + Unpin,
        MaybeTlsStream<S>: Unpin,
    {
        let request = request.into_client_request()?;
        let stream = match uri_mode(request.uri())? {
            Mode::Plain => MaybeTlsStream::Plain(stream),
            Mode::Tls => {
                let name = tls::server_name(host(request.uri())?)?;
                let connector = tokio_rustls::TlsConnector::from(tls::configuration(connector)?);
                MaybeTlsStream::Rustls(connector.connect(name, stream).await?)
            }
        };
        client_async_with_config(request, stream, config).await
    }
}
