//! The transport behind a stream of hyper.

use std::fmt;
use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use ws_session::TlsInfo;
use ws_session::{InFlight, Transport};

use crate::TokioIo;

/// The transport of a connection that hyper handed over: a TCP socket, if it could be unwrapped, or another stream.
pub struct UpgradedIo(Inner);

/// Other streams are boxed, so that a connection over TCP stays small.
enum Inner {
    Tcp(TokioIo<TcpStream>),
    Other(Box<dyn Transport + Send>),
}

impl UpgradedIo {
    pub(super) fn from_tcp(stream: TcpStream) -> Self {
        Self(Inner::Tcp(TokioIo::new(stream)))
    }

    pub(super) fn from_other(stream: impl Transport + Send + 'static) -> Self {
        Self(Inner::Other(Box::new(stream)))
    }

    /// Whether the stream is a plain TCP socket that was unwrapped.
    pub fn is_tcp(&self) -> bool {
        matches!(self.0, Inner::Tcp(_))
    }
}

impl Transport for UpgradedIo {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        match &mut self.0 {
            Inner::Tcp(stream) => stream.poll_read(cx, buffer),
            Inner::Other(stream) => stream.poll_read(cx, buffer),
        }
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        match &mut self.0 {
            Inner::Tcp(stream) => stream.poll_write_vectored(cx, buffers),
            Inner::Other(stream) => stream.poll_write_vectored(cx, buffers),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.0 {
            Inner::Tcp(stream) => stream.poll_flush(cx),
            Inner::Other(stream) => stream.poll_flush(cx),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.0 {
            Inner::Tcp(stream) => stream.poll_shutdown(cx),
            Inner::Other(stream) => stream.poll_shutdown(cx),
        }
    }

    fn ends_when_dropped(&self) -> bool {
        self.is_tcp()
    }

    #[cfg(feature = "tls")]
    fn tls(&self) -> Option<TlsInfo> {
        match &self.0 {
            Inner::Tcp(_) => None,
            Inner::Other(stream) => stream.tls(),
        }
    }

    fn in_flight(&self) -> Option<InFlight> {
        match &self.0 {
            Inner::Tcp(stream) => stream.in_flight(),
            Inner::Other(stream) => stream.in_flight(),
        }
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        match &self.0 {
            Inner::Tcp(stream) => stream.set_notsent_lowat(bytes),
            Inner::Other(stream) => stream.set_notsent_lowat(bytes),
        }
    }
}

impl fmt::Debug for UpgradedIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradedIo").field("is_tcp", &self.is_tcp()).finish_non_exhaustive()
    }
}
