//! The traits of an adapter for moving bytes and for waiting: [`Transport`] and [`Timer`].

#[cfg(feature = "tls")]
mod prefixed;
mod stream;
pub mod tcp;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use ws_proto::{InFlight, Timestamp};

#[cfg(feature = "tls")]
pub(crate) use self::prefixed::Prefixed;
pub use self::stream::MaybeTls;
#[cfg(feature = "tls")]
use crate::tls::TlsInfo;

/// A reliable stream of bytes both ways: a TCP or TLS connection, a pipe.
///
/// A poll method that returns `Pending` wakes the task when it should be tried again, as in `AsyncRead` and `AsyncWrite`.
pub trait Transport {
    /// Reads into `buffer`, which is never empty. Returns the number of bytes, 0 at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes from `buffers`, of which at least one is not empty. Returns the number of bytes taken.
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Writes the bytes that the transport itself has buffered.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the write side, so that the peer reads the end of the stream. Reading continues.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether dropping the transport ends it as well as [`poll_shutdown`](Self::poll_shutdown) does. TCP needs no message
    /// for its end, but TLS does. If `true`, a connection that has ended is dropped without a shutdown. Default `false`. A
    /// server assumes `true` for a [`Runtime::Stream`](crate::Runtime::Stream).
    fn ends_when_dropped(&self) -> bool {
        false
    }

    /// The protocol that TLS has negotiated (ALPN, RFC 7301), such as `h2`. `None`, the default, if there is none.
    fn negotiated_protocol(&self) -> Option<&[u8]> {
        None
    }

    /// The result of the TLS handshake, for [`WebSocket::tls`](crate::WebSocket::tls). `None`, the default, without TLS, or if
    /// it is unknown. It is called once, when a connection opens.
    #[cfg(feature = "tls")]
    fn tls(&self) -> Option<TlsInfo> {
        None
    }

    /// The written bytes that the peer has not taken yet. `None`, the default, if unknown. With it, deadlines follow the bytes
    /// that the peer has taken; without it, those that the transport has taken.
    ///
    /// It is called when a deadline depends on it, not for each message, because it may cost a system call.
    fn in_flight(&self) -> Option<InFlight> {
        None
    }

    /// Limits the unsent bytes that the transport holds to about this number, if possible. It is called at most once, when
    /// the peer turns out to be slow: see [`Server::notsent_lowat`](crate::Server::notsent_lowat). The default does
    /// nothing.
    fn set_notsent_lowat(&self, bytes: u32) {
        let _ = bytes;
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buffer)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        (**self).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_shutdown(cx)
    }

    fn ends_when_dropped(&self) -> bool {
        (**self).ends_when_dropped()
    }

    fn negotiated_protocol(&self) -> Option<&[u8]> {
        (**self).negotiated_protocol()
    }

    #[cfg(feature = "tls")]
    fn tls(&self) -> Option<TlsInfo> {
        (**self).tls()
    }

    fn in_flight(&self) -> Option<InFlight> {
        (**self).in_flight()
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        (**self).set_notsent_lowat(bytes);
    }
}

/// A listening socket whose connections are not TCP, such as a Unix socket.
pub trait TransportListener: Send + Sync {
    /// Accepts a connection. When none waits, it wakes the task for the next.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Transport + Send>, Addresses)>>;
}

/// The addresses of both ends of a transport, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// Our end.
    pub local: Option<SocketAddr>,
    /// The peer's end.
    pub peer: Option<SocketAddr>,
}

impl Addresses {
    /// The addresses of our end and of the peer's end. With [`Default`], both are unknown.
    pub fn new(local: Option<SocketAddr>, peer: Option<SocketAddr>) -> Self {
        Self { local, peer }
    }
}

/// A clock and one alarm.
pub trait Timer {
    /// The time since an origin, which does not change while the timer lives.
    fn now(&self) -> Timestamp;

    /// Returns `Ready` from `deadline` on. Before, it returns `Pending` and wakes the task at the deadline. Another deadline
    /// replaces the previous one. A dropped timer wakes no task.
    fn poll_at(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()>;
}

impl<T: Timer + ?Sized> Timer for &mut T {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn poll_at(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        (**self).poll_at(cx, deadline)
    }
}
