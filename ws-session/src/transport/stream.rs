//! [`MaybeTls`]: TCP, or TLS on it; another transport in place of either.

use std::fmt;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use ws_proto::InFlight;

use super::Transport;
#[cfg(feature = "tls")]
use crate::tls::TlsInfo;

/// A connection's transport: a TCP connection of the runtime, or TLS on one. It can also be a Unix socket, the transport of a
/// [`Client::connector`](crate::Client::connector), a tunnel through a proxy, or a stream of HTTP/2.
///
/// Connections of [`Client::connect_stream`](crate::Client::connect_stream) use it.
pub struct MaybeTls<S>(Inner<S>);

/// TLS is boxed, so that a connection without TLS costs no more than a branch.
enum Inner<S> {
    Plain(S),
    #[cfg(feature = "tls")]
    Tls(Box<dyn Transport + Send>),
    Other {
        stream: Box<dyn Transport + Send>,
        tls: bool,
    },
}

impl<S> MaybeTls<S> {
    pub(crate) fn plain(stream: S) -> Self {
        Self(Inner::Plain(stream))
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(stream: Box<dyn Transport + Send>) -> Self {
        Self(Inner::Tls(stream))
    }

    /// Neither TCP nor TLS on TCP. `tls` tells whether the server speaks TLS at its end.
    pub(crate) fn other(stream: Box<dyn Transport + Send>, tls: bool) -> Self {
        Self(Inner::Other { stream, tls })
    }

    /// Whether the connection uses TLS.
    pub fn is_tls(&self) -> bool {
        match &self.0 {
            Inner::Plain(_) => false,
            #[cfg(feature = "tls")]
            Inner::Tls(_) => true,
            Inner::Other { tls, .. } => *tls,
        }
    }

    /// A plain stream of a runtime, in an adapter that is given it back.
    pub fn from_tcp(stream: S) -> Self {
        Self::plain(stream)
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tcp_mut(&mut self) -> Option<&mut S> {
        match &mut self.0 {
            Inner::Plain(stream) => Some(stream),
            _ => None,
        }
    }

    /// The TCP connection, if it is a plain one of this runtime.
    pub fn tcp(&self) -> Option<&S> {
        match &self.0 {
            Inner::Plain(stream) => Some(stream),
            _ => None,
        }
    }

    /// Returns the TCP connection, if it is a plain one of this runtime.
    ///
    /// # Errors
    ///
    /// Returns itself otherwise.
    pub fn into_tcp(self) -> Result<S, Self> {
        match self.0 {
            Inner::Plain(stream) => Ok(stream),
            other => Err(Self(other)),
        }
    }
}

impl<S: Transport> Transport for MaybeTls<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Inner::Plain(stream) => stream.poll_read(cx, buffer),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.poll_read(cx, buffer),
            Inner::Other { stream, .. } => stream.poll_read(cx, buffer),
        }
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Inner::Plain(stream) => stream.poll_write_vectored(cx, buffers),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.poll_write_vectored(cx, buffers),
            Inner::Other { stream, .. } => stream.poll_write_vectored(cx, buffers),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Inner::Plain(stream) => stream.poll_flush(cx),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.poll_flush(cx),
            Inner::Other { stream, .. } => stream.poll_flush(cx),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Inner::Plain(stream) => stream.poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.poll_shutdown(cx),
            Inner::Other { stream, .. } => stream.poll_shutdown(cx),
        }
    }

    /// A runtime's stream is plain TCP.
    fn ends_when_dropped(&self) -> bool {
        matches!(self.0, Inner::Plain(_))
    }

    fn negotiated_protocol(&self) -> Option<&[u8]> {
        match &self.0 {
            Inner::Plain(stream) => stream.negotiated_protocol(),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.negotiated_protocol(),
            Inner::Other { stream, .. } => stream.negotiated_protocol(),
        }
    }

    /// TLS to a proxy is not the server's.
    #[cfg(feature = "tls")]
    fn tls(&self) -> Option<TlsInfo> {
        match &self.0 {
            Inner::Plain(stream) => stream.tls(),
            Inner::Tls(stream) => stream.tls(),
            Inner::Other { stream, tls } => stream.tls().filter(|_| *tls),
        }
    }

    fn in_flight(&self) -> Option<InFlight> {
        match &self.0 {
            Inner::Plain(stream) => stream.in_flight(),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.in_flight(),
            Inner::Other { stream, .. } => stream.in_flight(),
        }
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        match &self.0 {
            Inner::Plain(stream) => stream.set_notsent_lowat(bytes),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.set_notsent_lowat(bytes),
            Inner::Other { stream, .. } => stream.set_notsent_lowat(bytes),
        }
    }
}

impl<S> fmt::Debug for MaybeTls<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_tls() { "MaybeTls(TLS)" } else { "MaybeTls(TCP)" })
    }
}
