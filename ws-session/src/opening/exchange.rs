//! The opening handshake's I/O: bytes to and from a transport that no driver has yet, within a deadline.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use ws_proto::Timestamp;

use crate::memory::scratch::with_read_buffer;
use crate::transport::{Timer, Transport};

/// A transport before its connection is open.
pub(crate) struct Exchange<T, C> {
    pub(crate) transport: T,
    pub(crate) timer: C,
    pub(crate) deadline: Timestamp,
    /// Bytes that were read and not used yet.
    pub(crate) received: Vec<u8>,
}

/// The reason why reading or writing stopped.
#[derive(Debug)]
pub(crate) enum Interrupted {
    /// The deadline has passed.
    Timeout,
    /// The transport failed.
    Io(io::Error),
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<T: Transport, C: Timer> Exchange<T, C> {
    /// Reads once, and appends to the received bytes. Returns 0 at the end of the stream.
    pub(crate) async fn read(&mut self) -> Result<usize, Interrupted> {
        self.read_at_most(usize::MAX).await
    }

    /// Reads at most this many bytes, once, and appends them to the received ones. Returns 0 at the end of the stream.
    pub(crate) async fn read_at_most(&mut self, most: usize) -> Result<usize, Interrupted> {
        let Self { transport, timer, deadline, received } = self;
        poll_fn(|cx| {
            let read = with_read_buffer(|buffer| {
                let buffer = buffer.shared();
                let most = most.min(buffer.len());
                let buffer = buffer.get_mut(..most).unwrap_or_default();
                transport.poll_read(cx, buffer).map_ok(|n| {
                    received.extend_from_slice(buffer.get(..n).unwrap_or_default());
                    n
                })
            });
            or_timeout(read, timer, *deadline, cx)
        })
        .await
    }

    /// Writes all of `bytes`, and flushes.
    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Interrupted> {
        let Self { transport, timer, deadline, .. } = self;
        while !bytes.is_empty() {
            let n = poll_fn(|cx| {
                let written = transport.poll_write_vectored(cx, &[IoSlice::new(bytes)]);
                or_timeout(written, timer, *deadline, cx)
            })
            .await?;
            if n == 0 {
                return Err(Interrupted::Io(io::ErrorKind::WriteZero.into()));
            }
            bytes = bytes.get(n..).unwrap_or_default();
        }
        poll_fn(|cx| {
            let flushed = transport.poll_flush(cx);
            or_timeout(flushed, timer, *deadline, cx)
        })
        .await
    }

    /// Ends the write side, then reads and discards until the peer has ended its side, within the deadline. Closing with
    /// unread input would reset the connection, and the written bytes could be lost.
    pub(crate) async fn finish(&mut self, most: usize) {
        let Self { transport, timer, deadline, .. } = self;
        let shut_down = poll_fn(|cx| {
            let shut_down = transport.poll_shutdown(cx);
            or_timeout(shut_down, timer, *deadline, cx)
        });
        if shut_down.await.is_err() {
            return;
        }
        let mut discarded = 0;
        while discarded < most {
            self.received.clear();
            match self.read().await {
                Ok(0) | Err(_) => return,
                Ok(n) => discarded += n,
            }
        }
    }
}

/// The future's result, or an interruption at the deadline.
fn or_timeout<R>(
    result: Poll<io::Result<R>>,
    timer: &mut impl Timer,
    deadline: Timestamp,
    cx: &mut Context<'_>,
) -> Poll<Result<R, Interrupted>> {
    match result {
        Poll::Ready(result) => Poll::Ready(result.map_err(Interrupted::Io)),
        Poll::Pending => timer.poll_at(cx, deadline).map(|()| Err(Interrupted::Timeout)),
    }
}
