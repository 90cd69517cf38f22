//! A transport that can be taken out of the driver.

use std::io::{ErrorKind, IoSlice, Result};
use std::task::{Context, Poll};

use ws_proto::InFlight;

use crate::transport::Transport;

/// A driver's transport, until [`take`](Self::take) removes it. A driver has a destructor, so no field can be moved out of
/// it. After that its methods as a [`Transport`] fail.
pub(super) struct Slot<T>(Option<T>);

impl<T> Slot<T> {
    pub(super) fn new(transport: T) -> Self {
        Self(Some(transport))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn get(&self) -> &T {
        self.0.as_ref().unwrap_or_else(|| taken())
    }

    pub(super) fn get_mut(&mut self) -> &mut T {
        self.0.as_mut().unwrap_or_else(|| taken())
    }

    pub(super) fn take(&mut self) -> T {
        self.0.take().unwrap_or_else(|| taken())
    }
}

/// The error after the transport was taken. The driver is dropped then.
fn taken() -> ! {
    unreachable!("a transport was given away, and its driver is still used")
}

fn gone<R>() -> Poll<Result<R>> {
    Poll::Ready(Err(ErrorKind::NotConnected.into()))
}

impl<T: Transport> Transport for Slot<T> {
    #[inline]
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        self.0.as_mut().map_or_else(gone, |transport| transport.poll_read(cx, buffer))
    }

    #[inline]
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        self.0.as_mut().map_or_else(gone, |transport| transport.poll_write_vectored(cx, buffers))
    }

    #[inline]
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.as_mut().map_or_else(gone, |transport| transport.poll_flush(cx))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.as_mut().map_or_else(gone, |transport| transport.poll_shutdown(cx))
    }

    fn ends_when_dropped(&self) -> bool {
        self.0.as_ref().is_some_and(T::ends_when_dropped)
    }

    fn in_flight(&self) -> Option<InFlight> {
        self.0.as_ref()?.in_flight()
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        if let Some(transport) = &self.0 {
            transport.set_notsent_lowat(bytes);
        }
    }
}
