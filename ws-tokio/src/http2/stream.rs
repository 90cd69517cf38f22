//! One stream of HTTP/2 as the transport of a WebSocket connection (RFC 8441 §5).

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use h2::{Reason, RecvStream, SendStream};
use ws_session::{Bytes, InFlight, Transport};

use super::below::Below;

/// The most bytes in one DATA frame: every peer takes frames of this size (RFC 9113 §4.2).
const FRAME: usize = 16 << 10;

/// The most bytes of a stream's window that are asked for. `h2` tells no more than its send buffer has room for.
const VISIBLE_WINDOW: usize = 64 << 10;

/// One stream of HTTP/2 as a transport, after the headers of request and response. For servers and clients on `h2` of your own;
/// see [`Parts::multiplexed`](ws_session::Parts::multiplexed).
///
/// Flow control bounds both directions: bytes are acknowledged when the connection takes them, and written as far as the peer's
/// window and `h2`'s send buffer allow. [`poll_shutdown`](Transport::poll_shutdown) sends `END_STREAM` in a frame of its own, or
/// resets the stream with `CANCEL` if the peer takes no bytes. A stream that is dropped is reset, unless both ends have ended
/// it: a server's with `NO_ERROR` if it has ended its half.
///
/// [`in_flight`](Transport::in_flight) knows the bytes that `h2` holds, and the stream's window, which opens when the peer's
/// application reads: up to 64 KiB of it, or `h2`'s send buffer if that is smaller. On the connections of this crate it includes
/// what the TCP socket knows, of all streams together.
///
/// A reset by the peer is an error of kind [`ConnectionReset`](ErrorKind::ConnectionReset) whose text has the code. The end of
/// the whole connection is one of kind [`UnexpectedEof`](ErrorKind::UnexpectedEof) or
/// [`ConnectionAborted`](ErrorKind::ConnectionAborted).
pub struct Http2Stream {
    /// Locked only by [`in_flight`](Transport::in_flight), which has no exclusive access.
    send: Mutex<SendStream<Bytes>>,
    receive: RecvStream,
    /// The number of bytes that `h2` holds.
    held: Arc<AtomicUsize>,
    /// The transport of the connection.
    below: Option<Below>,
    /// Received bytes that have not been read.
    chunk: Bytes,
    /// The bytes of the last write that were not taken. The next one waits for room.
    refused: usize,
    /// Counts the streams of a client's connection.
    place: Option<Arc<()>>,
}

impl Http2Stream {
    /// The two halves of a stream, as `h2` returns them.
    pub fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        let (send, held) = (Mutex::new(send), Arc::default());
        Self { send, receive, held, below: None, chunk: Bytes::new(), refused: 0, place: None }
    }

    /// Adds the transport that carries the stream.
    pub(super) fn with_below(self, below: Below) -> Self {
        Self { below: Some(below), ..self }
    }

    /// Keeps a place among the streams of a connection.
    pub(super) fn with_place(self, place: Arc<()>) -> Self {
        Self { place: Some(place), ..self }
    }

    fn send(&mut self) -> &mut SendStream<Bytes> {
        self.send.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error of a half that no longer sends. The peer may have reset the stream.
    fn broken(&mut self, cx: &mut Context<'_>, otherwise: Option<h2::Error>) -> io::Error {
        match self.send().poll_reset(cx) {
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
        self.refused = wanted;
        let taken = loop {
            let send = self.send();
            send.reserve_capacity(wanted);
            let capacity = send.capacity();
            if capacity > 0 {
                break capacity.min(wanted);
            }
            match ready!(send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(self.broken(cx, Some(error)))),
                None => return Poll::Ready(Err(self.broken(cx, None))),
            }
        };
        let mut sent = 0;
        while sent < taken {
            // A frame each, so that `h2` lets go of each when it has sent it.
            let n = FRAME.min(taken - sent);
            let part = Held::new(part(sent, n, buffers), &self.held);
            if let Err(error) = self.send().send_data(Bytes::from_owner(part), false) {
                return Poll::Ready(Err(self.broken(cx, Some(error))));
            }
            sent += n;
        }
        self.refused = wanted - taken;
        Poll::Ready(Ok(taken))
    }

    /// The task of the connection writes what `h2` has taken.
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.refused > 0 {
            // The end would wait behind bytes that the peer does not take.
            self.send().send_reset(Reason::CANCEL);
        } else {
            // It fails only on a stream that has ended.
            let _ = self.send().send_data(Bytes::new(), true);
        }
        Poll::Ready(Ok(()))
    }

    fn in_flight(&self) -> Option<InFlight> {
        let held = {
            let mut send = self.send.lock().unwrap_or_else(PoisonError::into_inner);
            // `h2` tells the window only as far as it is reserved.
            send.reserve_capacity(VISIBLE_WINDOW);
            let (room, held) = (send.capacity(), self.held.load(Ordering::Relaxed));
            send.reserve_capacity(self.refused);
            // What `h2` holds is within the window.
            InFlight::new(held as u64, Some((room + held).min(VISIBLE_WINDOW) as u64))
        };
        // `h2` writes to the transport under its own lock, so it must not be asked while the transport is locked.
        let below = self.below.as_ref().and_then(Below::in_flight).unwrap_or_default();
        let window = held.window.unwrap_or(0) + below.window.unwrap_or(0);
        Some(InFlight::new(held.unacknowledged + below.unacknowledged, Some(window)))
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        if let Some(below) = &self.below {
            below.set_notsent_lowat(bytes);
        }
    }
}

/// Bytes that `h2` holds until it has written them to the transport.
struct Held {
    bytes: Vec<u8>,
    count: Arc<AtomicUsize>,
}

impl Held {
    fn new(bytes: Vec<u8>, count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(bytes.len(), Ordering::Relaxed);
        Self { bytes, count: Arc::clone(count) }
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.count.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// A copy of `n` bytes behind the first `skipped`.
fn part(mut skipped: usize, n: usize, buffers: &[IoSlice<'_>]) -> Vec<u8> {
    let mut copy = Vec::with_capacity(n);
    for buffer in buffers {
        let rest = buffer.get(skipped..).unwrap_or_default();
        skipped = skipped.saturating_sub(buffer.len());
        copy.extend_from_slice(rest.get(..n - copy.len()).unwrap_or(rest));
    }
    copy
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
            .field("id", &self.receive.stream_id().as_u32())
            .field("is_shared", &self.place.is_some())
            .finish_non_exhaustive()
    }
}
