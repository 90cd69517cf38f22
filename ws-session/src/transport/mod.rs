//! What an adapter supplies: a way to move bytes, and a way to wait.

mod stream;
pub mod tcp;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use ws_proto::{InFlight, Timestamp};

pub use self::stream::MaybeTls;

/// A reliable stream of bytes both ways: a TCP or TLS connection, a pipe.
///
/// A poll method that returns `Pending` wakes the task when it is worth another try, as in `AsyncRead` and
/// `AsyncWrite`.
pub trait Transport {
    /// Reads into `buffer`, which is never empty; 0 at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes from `buffers`, of which at least one is not empty; how many bytes were taken.
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Passes on what the transport itself has buffered.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the write side, so that the peer reads the end of the stream; reading goes on.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether dropping it ends it as well as [`poll_shutdown`](Self::poll_shutdown) does: TCP's end needs no words of its
    /// own, that of TLS does. A connection that is over is dropped without being shut down then. `false`, unless it says
    /// otherwise; of a [`Runtime::Stream`](crate::Runtime::Stream) a server takes it to be so.
    fn ends_when_dropped(&self) -> bool {
        false
    }

    /// How much of what was written the peer has not taken yet; `None`, the default, where that is not known. With it,
    /// deadlines run from what the peer has taken, without it from what the transport has.
    ///
    /// It is asked when a deadline depends on it, not for each message: it may cost a system call.
    fn in_flight(&self) -> Option<InFlight> {
        None
    }

    /// Takes no more once about so many bytes have not been sent, where that can be set. Called once at the most, when the
    /// peer turns out to be slow: see [`Server::notsent_lowat`](crate::Server::notsent_lowat). Does nothing, unless a
    /// transport says otherwise.
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

    fn in_flight(&self) -> Option<InFlight> {
        (**self).in_flight()
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        (**self).set_notsent_lowat(bytes);
    }
}

/// The two ends of a transport, where it has addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// Our end.
    pub local: Option<SocketAddr>,
    /// The peer's end.
    pub peer: Option<SocketAddr>,
}

impl Addresses {
    /// The addresses of our end and of the peer's, as far as they are known. [`Default`] knows none.
    pub fn new(local: Option<SocketAddr>, peer: Option<SocketAddr>) -> Self {
        Self { local, peer }
    }
}

/// A clock and one alarm.
pub trait Timer {
    /// The time since an origin that this timer keeps for as long as it lives.
    fn now(&self) -> Timestamp;

    /// `Ready` from `deadline` on; before that the task is woken when it comes. Another deadline replaces the one
    /// before, and a dropped timer wakes nobody.
    fn poll_at(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()>;
}
