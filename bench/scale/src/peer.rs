//! The other end of a connection, within its transport: it answers pings at once, and takes whatever else is written.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use ws_session::Transport;

/// The longest payload of a Ping (RFC 6455 §5.5).
const MOST: usize = 125;

/// What all peers have got.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) pings: AtomicU64,
    pub(crate) messages: AtomicU64,
}

/// A transport without a socket. What is written to it are whole frames: it never takes a part of what it is given.
pub(crate) struct Peer {
    counts: Arc<Counts>,
    /// The masked Pong that waits to be read, of which the first bytes may have been.
    pong: Vec<u8>,
    reader: Option<Waker>,
}

impl Peer {
    pub(crate) fn new(counts: Arc<Counts>) -> Self {
        Self { counts, pong: Vec::new(), reader: None }
    }

    /// Takes a frame, and returns its length.
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let [first, length, rest @ ..] = bytes else { return Err(io::Error::other("half a frame")) };
        let length = usize::from(*length);
        // No frame here is longer.
        let payload = rest.get(..length).filter(|_| length <= MOST).ok_or_else(|| io::Error::other("a long frame"))?;
        match first {
            0x89 => {
                self.counts.pings.fetch_add(1, Ordering::Relaxed);
                // A key of zeros masks nothing.
                self.pong.extend_from_slice(&[0x8A, 0x80 | length as u8, 0, 0, 0, 0]);
                self.pong.extend_from_slice(payload);
                if let Some(reader) = self.reader.take() {
                    reader.wake();
                }
            }
            _ => drop(self.counts.messages.fetch_add(1, Ordering::Relaxed)),
        }
        Ok(2 + length)
    }
}

impl Transport for Peer {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.pong.is_empty() {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = self.pong.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.pong[..n]);
        // Memory that waits for the next ping would count as the connection's.
        self.pong = self.pong.split_off(n);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut written = 0;
        for mut buffer in buffers.iter().map(|buffer| &buffer[..]) {
            while !buffer.is_empty() {
                let taken = self.take(buffer)?;
                written += taken;
                buffer = &buffer[taken..];
            }
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn ends_when_dropped(&self) -> bool {
        true
    }
}
