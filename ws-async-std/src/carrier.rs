//! A transport as a stream of `futures-io`, over which rustls speaks.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use ws_session::Transport;

/// A transport that is not a socket of this runtime.
pub(crate) struct Carrier<T> {
    transport: T,
}

impl<T> Carrier<T> {
    pub(crate) fn new(transport: T) -> Self {
        Self { transport }
    }

    /// Returns the transport.
    pub(crate) fn into_inner(self) -> T {
        self.transport
    }
}

impl<T: Transport + Unpin> AsyncRead for Carrier<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        match buffer.is_empty() {
            true => Poll::Ready(Ok(0)),
            false => self.transport.poll_read(cx, buffer),
        }
    }
}

impl<T: Transport + Unpin> AsyncWrite for Carrier<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        match buffers.iter().all(|buffer| buffer.is_empty()) {
            true => Poll::Ready(Ok(0)),
            false => self.transport.poll_write_vectored(cx, buffers),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.transport.poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.transport.poll_shutdown(cx)
    }
}
