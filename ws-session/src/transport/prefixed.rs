//! [`Prefixed`]: a transport from which bytes were read already.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use ws_proto::InFlight;

use super::{MaybeTls, Transport};

/// A transport that gives back bytes that were read from it, and then continues.
pub(crate) struct Prefixed<T> {
    received: Vec<u8>,
    transport: T,
}

impl<S: Transport + Send + 'static> Prefixed<MaybeTls<S>> {
    /// The same transport if no byte was read.
    pub(crate) fn around(received: &[u8], transport: MaybeTls<S>) -> MaybeTls<S> {
        match received.is_empty() {
            true => transport,
            false => MaybeTls::other(Box::new(Self { received: received.to_vec(), transport }), false),
        }
    }
}

impl<T: Transport> Transport for Prefixed<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.received.is_empty() {
            return self.transport.poll_read(cx, buffer);
        }
        let n = buffer.len().min(self.received.len());
        for (to, from) in buffer.iter_mut().zip(self.received.drain(..n)) {
            *to = from;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.transport.poll_write_vectored(cx, buffers)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_shutdown(cx)
    }

    fn ends_when_dropped(&self) -> bool {
        self.transport.ends_when_dropped()
    }

    fn in_flight(&self) -> Option<InFlight> {
        self.transport.in_flight()
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        self.transport.set_notsent_lowat(bytes);
    }
}
