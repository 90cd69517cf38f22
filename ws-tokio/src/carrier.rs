//! A transport as a stream of tokio, over which `h2` or rustls speaks.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_session::Transport;

/// A transport of this crate, and bytes that were read from it before.
pub(crate) struct Carrier<T> {
    transport: T,
    received: Vec<u8>,
}

impl<T> Carrier<T> {
    pub(crate) fn new(transport: T) -> Self {
        Self { transport, received: Vec::new() }
    }

    /// Returns the transport.
    #[cfg(feature = "tls")]
    pub(crate) fn into_inner(self) -> T {
        self.transport
    }

    /// A stream that begins with the received bytes.
    #[cfg(feature = "http2")]
    pub(crate) fn with_received(transport: T, received: Vec<u8>) -> Self {
        Self { transport, received }
    }
}

impl<T: Transport + Unpin> AsyncRead for Carrier<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.received.is_empty() {
            let n = self.received.len().min(buffer.remaining());
            buffer.put_slice(self.received.get(..n).unwrap_or_default());
            self.received.drain(..n);
            return Poll::Ready(Ok(()));
        }
        if buffer.remaining() > 0 {
            let n = ready!(self.transport.poll_read(cx, buffer.initialize_unfilled()))?;
            buffer.advance(n);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport + Unpin> AsyncWrite for Carrier<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.transport.poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_shutdown(cx)
    }
}
