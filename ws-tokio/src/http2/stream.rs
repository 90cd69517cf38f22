//! One stream of HTTP/2 as the transport of a WebSocket connection (RFC 8441 §5).

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use h2::{Reason, RecvStream, SendStream};
use ws_session::{Bytes, Transport};

/// One stream of HTTP/2 as a transport, after the headers of request and response. For servers and clients on `h2` of your own;
/// see [`Parts::multiplexed`](ws_session::Parts::multiplexed).
///
/// Flow control bounds both directions: bytes are acknowledged when the connection takes them, and written as far as the peer's
/// window and `h2`'s send buffer allow. [`poll_shutdown`](Transport::poll_shutdown) sends `END_STREAM` in a frame of its own, or
/// resets the stream with `CANCEL` if the peer takes no bytes. A stream that is dropped is reset, unless both ends have ended
/// it: a server's with `NO_ERROR` if it has ended its half.
///
/// A reset by the peer is an error of kind [`ConnectionReset`](ErrorKind::ConnectionReset) whose text has the code. The end of
/// the whole connection is one of kind [`UnexpectedEof`](ErrorKind::UnexpectedEof) or
/// [`ConnectionAborted`](ErrorKind::ConnectionAborted).
pub struct Http2Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// Received bytes that have not been read.
    chunk: Bytes,
    /// Whether the last write was not taken, or not as a whole.
    is_blocked: bool,
    /// Counts the streams of a client's connection.
    place: Option<Arc<()>>,
}

impl Http2Stream {
    /// The two halves of a stream, as `h2` returns them.
    pub fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Self { send, receive, chunk: Bytes::new(), is_blocked: false, place: None }
    }

    /// Keeps a place among the streams of a connection.
    pub(super) fn with_place(self, place: Arc<()>) -> Self {
        Self { place: Some(place), ..self }
    }

    /// The error of a half that no longer sends. The peer may have reset the stream.
    fn broken(&mut self, cx: &mut Context<'_>, otherwise: Option<h2::Error>) -> io::Error {
        match self.send.poll_reset(cx) {
            Poll::Ready(Ok(reason)) => reset(reason),
            Poll::Ready(Err(error)) => into_io(error),
            Poll::Pending => otherwise.map_or_else(|| ErrorKind::BrokenPipe.into(), into_io),
        }
    }
}

impl Transport for Http2Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.chunk.is_empty() {
                match self.receive.poll_data(cx) {
                    Poll::Ready(Some(Ok(chunk))) => self.chunk = chunk,
                    // An end or an error is reported again by the next read.
                    _ if filled > 0 => break,
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(into_io(error))),
                    Poll::Ready(None) => return Poll::Ready(Ok(0)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            let n = self.chunk.len().min(buffer.len() - filled);
            if let Some(room) = buffer.get_mut(filled..filled + n) {
                room.copy_from_slice(&self.chunk.split_to(n));
            }
            filled += n;
        }
        // It fails only on a stream that has ended.
        let _ = self.receive.flow_control().release_capacity(filled);
        Poll::Ready(Ok(filled))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let wanted: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        self.is_blocked = true;
        let taken = loop {
            self.send.reserve_capacity(wanted);
            let capacity = self.send.capacity();
            if capacity > 0 {
                break capacity.min(wanted);
            }
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(self.broken(cx, Some(error)))),
                None => return Poll::Ready(Err(self.broken(cx, None))),
            }
        };
        if let Err(error) = self.send.send_data(first(taken, buffers), false) {
            return Poll::Ready(Err(self.broken(cx, Some(error))));
        }
        self.is_blocked = taken < wanted;
        Poll::Ready(Ok(taken))
    }

    /// The task of the connection writes what `h2` has taken.
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_blocked {
            // The end would wait behind bytes that the peer does not take.
            self.send.send_reset(Reason::CANCEL);
        } else {
            // It fails only on a stream that has ended.
            let _ = self.send.send_data(Bytes::new(), true);
        }
        Poll::Ready(Ok(()))
    }
}

/// A copy of the first `n` bytes.
fn first(n: usize, buffers: &[IoSlice<'_>]) -> Bytes {
    let mut copy = Vec::with_capacity(n);
    for buffer in buffers {
        let left = n - copy.len();
        copy.extend_from_slice(buffer.get(..left).unwrap_or(buffer));
    }
    copy.into()
}

fn reset(reason: Reason) -> io::Error {
    io::Error::new(ErrorKind::ConnectionReset, format!("the peer reset the HTTP/2 stream with {reason:?}"))
}

/// The error of a stream, or of the connection that carries it.
pub(super) fn into_io(error: h2::Error) -> io::Error {
    let text = match (error.reason(), error.is_remote()) {
        (Some(reason), true) if error.is_reset() => return reset(reason),
        (Some(reason), true) if error.is_go_away() => format!("the peer ended the HTTP/2 connection with {reason:?}"),
        (Some(reason), _) => format!("the peer broke the rules of HTTP/2: {reason:?}"),
        (None, _) => match error.into_io() {
            // TCP has ended below the streams.
            Some(error) if error.kind() == ErrorKind::BrokenPipe => return ErrorKind::UnexpectedEof.into(),
            Some(error) => return error,
            None => "the HTTP/2 stream has ended".to_owned(),
        },
    };
    io::Error::new(ErrorKind::ConnectionAborted, text)
}

impl fmt::Debug for Http2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Stream")
            .field("id", &self.send.stream_id().as_u32())
            .field("is_shared", &self.place.is_some())
            .finish_non_exhaustive()
    }
}
