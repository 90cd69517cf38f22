//! The transport below a connection of HTTP/2, as its streams see it.

use std::io::{IoSlice, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use ws_session::{InFlight, Transport};

/// The transport of a connection. The connection alone uses it, and its streams look at it.
pub(super) struct Watched<T>(Arc<Line<T>>);

struct Line<T: ?Sized> {
    /// Whether the last write was not taken.
    is_full: AtomicBool,
    transport: Mutex<T>,
}

/// A stream's view of the transport. It does not keep the transport open.
#[derive(Clone)]
pub(super) struct Below(Weak<Line<dyn Transport + Send>>);

impl<T: Transport + Send + 'static> Watched<T> {
    pub(super) fn new(transport: T) -> Self {
        Self(Arc::new(Line { is_full: AtomicBool::new(false), transport: Mutex::new(transport) }))
    }

    /// What the streams of the connection get.
    pub(super) fn below(&self) -> Below {
        let line: Weak<Line<T>> = Arc::downgrade(&self.0);
        Below(line)
    }
}

impl<T: ?Sized> Line<T> {
    fn transport(&self) -> MutexGuard<'_, T> {
        self.transport.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Below {
    /// The bytes of all streams that the peer's system has not taken.
    pub(super) fn in_flight(&self) -> Option<InFlight> {
        self.0.upgrade()?.transport().in_flight()
    }

    /// Limits the unsent bytes that the transport holds if it is full now. If not, the peer of one stream is slow, and the
    /// link is not.
    pub(super) fn set_notsent_lowat(&self, bytes: u32) {
        if let Some(line) = self.0.upgrade()
            && line.is_full.load(Ordering::Relaxed)
        {
            line.transport().set_notsent_lowat(bytes);
        }
    }
}

impl<T: Transport> Transport for Watched<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        self.0.transport().poll_read(cx, buffer)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let written = self.0.transport().poll_write_vectored(cx, buffers);
        self.0.is_full.store(written.is_pending(), Ordering::Relaxed);
        written
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.transport().poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.transport().poll_shutdown(cx)
    }
}
