//! [`ByteStream`]: a connection with tokio's `AsyncRead` and `AsyncWrite`.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use ws_session::{ByteChannel, MessageSocket, WebSocket};

/// A connection as a stream of bytes, in binary messages, with tokio's `AsyncRead`, `AsyncBufRead` and `AsyncWrite`.
///
/// [`new`](Self::new) takes a connection, and [`ByteChannel`] has the settings, the errors of each end, and the limits of a
/// half-close:
///
/// ```no_run
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use ws_tokio::ByteStream;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let ws = ws_tokio::connect("ws://127.0.0.1:8765").await?;
/// let mut stream = ByteStream::from(ws.into_bytes().message_size(64 << 10)); // or ByteStream::new(ws)
/// stream.write_all(b"PING\r\n").await?;
/// let mut answer = [0; 7];
/// stream.read_exact(&mut answer).await?;
/// stream.shutdown().await?;
/// # Ok(())
/// # }
/// ```
///
/// It is `Unpin`, and `tokio::io::split` makes a half for each of two tasks. `tokio_util::compat` turns it into a stream of
/// `futures-io`, for yamux and others that need one.
///
/// The methods of tokio's traits are as cancel-safe as those of a `TcpStream`.
#[derive(Debug)]
pub struct ByteStream<S: MessageSocket = WebSocket> {
    channel: ByteChannel<S>,
}

impl ByteStream<WebSocket> {
    /// Takes a connection, with the default settings of [`ByteChannel`].
    pub fn new(ws: WebSocket) -> Self {
        ws.into_bytes().into()
    }
}

impl<S: MessageSocket> ByteStream<S> {
    /// The connection: for its addresses, its heads, its round-trip time.
    pub fn get_ref(&self) -> &S {
        self.channel.get_ref()
    }

    /// Returns the stream without tokio's traits. [`ByteChannel::into_inner`] returns the connection.
    pub fn into_inner(self) -> ByteChannel<S> {
        self.channel
    }
}

impl<S: MessageSocket> From<ByteChannel<S>> for ByteStream<S> {
    fn from(channel: ByteChannel<S>) -> Self {
        Self { channel }
    }
}

impl<S: MessageSocket> AsyncRead for ByteStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if buffer.remaining() > 0 {
            let bytes = ready!(self.channel.poll_fill_buf(cx))?;
            let n = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes[..n]);
            self.channel.consume(n);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: MessageSocket> AsyncBufRead for ByteStream<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&[u8]>> {
        self.get_mut().channel.poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        self.channel.consume(n);
    }
}

impl<S: MessageSocket> AsyncWrite for ByteStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.channel.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.channel.poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.channel.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.channel.poll_shutdown(cx)
    }
}
