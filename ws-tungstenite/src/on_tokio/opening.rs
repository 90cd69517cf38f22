//! Opening handshakes over tokio's streams.

use std::future::poll_fn;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::websocket::WebSocketStream;
use crate::client::IntoClientRequest;
use crate::error::Result;
use crate::handshake::client::{self, Response};
use crate::handshake::machine::{HeadReader, HeadWriter, TryParse};
use crate::handshake::server::{self, Callback, NoCallback};
use crate::protocol::WebSocketConfig;

/// The most bytes of one read.
const READ: usize = 4 << 10;

/// Opens a connection over a stream.
///
/// # Errors
///
/// [`Error::Url`](crate::Error::Url), [`Error::Io`](crate::Error::Io), and those of the opening handshake:
/// [`Error::Http`](crate::Error::Http) when the status is not 101.
pub async fn client_async<R, S>(request: R, stream: S) -> Result<(WebSocketStream<S>, Response)>
where
    R: IntoClientRequest + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    client_async_with_config(request, stream, None).await
}

/// Opens a connection over a stream.
///
/// # Errors
///
/// As [`client_async`].
pub async fn client_async_with_config<R, S>(
    request: R,
    mut stream: S,
    config: Option<WebSocketConfig>,
) -> Result<(WebSocketStream<S>, Response)>
where
    R: IntoClientRequest + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut opening = client::Opening::new(request.into_client_request()?, config)?;
    write(&mut stream, &mut opening.request).await?;
    let response = read(&mut stream, &mut opening.reader).await?;
    let response = opening.verify(response)?;
    Ok((WebSocketStream::new(stream, opening.into_context()), response))
}

/// Accepts a connection over a stream.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io), and those of the opening handshake. A malformed request is not answered.
pub async fn accept_async<S>(stream: S) -> Result<WebSocketStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    accept_hdr_async_with_config(stream, NoCallback, None).await
}

/// Accepts a connection over a stream.
///
/// # Errors
///
/// As [`accept_async`].
pub async fn accept_async_with_config<S>(stream: S, config: Option<WebSocketConfig>) -> Result<WebSocketStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    accept_hdr_async_with_config(stream, NoCallback, config).await
}

/// Accepts a connection over a stream, after `callback` has seen the request.
///
/// # Errors
///
/// As [`accept_async`]; [`Error::Http`](crate::Error::Http) with the response when the callback refuses the request.
pub async fn accept_hdr_async<S, C>(stream: S, callback: C) -> Result<WebSocketStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Callback + Unpin,
{
    accept_hdr_async_with_config(stream, callback, None).await
}

/// Accepts a connection over a stream, after `callback` has seen the request.
///
/// # Errors
///
/// As [`accept_hdr_async`].
pub async fn accept_hdr_async_with_config<S, C>(
    mut stream: S,
    callback: C,
    config: Option<WebSocketConfig>,
) -> Result<WebSocketStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Callback + Unpin,
{
    let mut opening = server::Opening::new(callback, config);
    let request = read(&mut stream, &mut opening.reader).await?;
    let mut response = opening.answer(request)?;
    write(&mut stream, &mut response).await?;
    Ok(WebSocketStream::new(stream, opening.into_context()?))
}

async fn read<S: AsyncRead + Unpin, Obj: TryParse>(stream: &mut S, reader: &mut HeadReader) -> Result<Obj> {
    loop {
        // The buffer is no part of the future.
        let head = poll_fn(|cx| {
            let mut bytes = [0; READ];
            let mut buffer = ReadBuf::new(&mut bytes);
            Pin::new(&mut *stream)
                .poll_read(cx, &mut buffer)
                .map(|read| read.map_err(Into::into).and_then(|()| reader.push(buffer.filled())))
        });
        if let Some(head) = head.await? {
            return Ok(head);
        }
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, output: &mut HeadWriter) -> Result<()> {
    while !output.rest().is_empty() {
        let written = poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, output.rest())).await?;
        output.advance(written)?;
    }
    Ok(poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await?)
}
