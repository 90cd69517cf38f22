//! What connections run over: TCP, or TLS on it.

use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

use ws_proto::InFlight;

use super::Transport;

/// A connection's transport. One without TLS takes no more room, and no more steps than a branch, for the others' sake.
pub(crate) enum Stream<S> {
    Plain(S),
    #[cfg(feature = "tls")]
    Tls(Box<dyn Transport + Send>),
}

impl<S: Transport> Transport for Stream<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_read(cx, buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.poll_read(cx, buffer),
        }
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_write_vectored(cx, buffers),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.poll_write_vectored(cx, buffers),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.poll_flush(cx),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.poll_shutdown(cx),
        }
    }

    /// What a runtime calls its stream is TCP.
    fn ends_when_dropped(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    fn in_flight(&self) -> Option<InFlight> {
        match self {
            Self::Plain(stream) => stream.in_flight(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.in_flight(),
        }
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        match self {
            Self::Plain(stream) => stream.set_notsent_lowat(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.set_notsent_lowat(bytes),
        }
    }
}
