//! [`ByteChannel`]: a connection as a stream of bytes.

mod collector;
mod error;

use std::fmt;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use ws_proto::{Bytes, CloseCode, Message};

use self::collector::Collector;
use self::error::{after_shutdown, read_error, text_refused, write_error};
use crate::socket::MessageSocket;

/// The most messages without content that are passed over in one poll, so that other tasks get their turn.
const EMPTY_PER_POLL: usize = 32;

/// The default of [`ByteChannel::message_size`].
const MESSAGE_SIZE: usize = 16 << 10;

/// A connection as a stream of bytes, in binary messages: for yamux, SSH, databases, VNC, and other protocols made for TCP.
///
/// [`WebSocket::into_bytes`](crate::WebSocket::into_bytes) and
/// [`WebSocketStream::into_bytes`](crate::WebSocketStream::into_bytes) make one. Its poll functions are independent of the
/// runtime. The adapters' `ByteStream` gives it the traits of their runtimes: tokio's `AsyncRead` and `AsyncWrite` in
/// `ws-tokio`, those of `futures-io` in `ws-async-std`.
///
/// # Reading
///
/// A read returns bytes of one message. Where one message ends and the next begins has no meaning, and empty messages are
/// passed over. A text message is an error, unless [`accept_text`](Self::accept_text) is set.
///
/// A read returns 0 bytes after a normal end: the peer closed with 1000, 1001 or without a code. Like the end of a TCP
/// stream, this does not show whether the peer has sent all it had to. A protocol that must know has lengths of its own.
/// Every other end is an error:
///
/// | end | kind of the error |
/// | --- | --- |
/// | the transport ended without a Close frame | `UnexpectedEof` |
/// | the transport failed | that of the transport's error |
/// | a deadline has passed | `TimedOut` |
/// | the peer broke the protocol, went over a limit, or sent text | `InvalidData` |
/// | a Close frame with another code, or we aborted the connection | `ConnectionAborted` |
///
/// [`io::Error::get_ref`] returns the connection's [`Error`](crate::Error), with its outcome, except for a text message.
///
/// # Writing
///
/// A write queues one binary message of at most [`message_size`](Self::message_size) bytes. It waits while the outgoing queue
/// is above its high-water mark ([`Limits::high_water`](crate::Limits::high_water)). A vectored write makes one message of all
/// its buffers. Writes that follow each other go to the transport together.
///
/// A write is sent without a flush, unless [`write_buffer`](Self::write_buffer) is set. A flush waits until the transport has
/// taken everything.
///
/// Writing after the connection has ended normally, or after [`poll_shutdown`](Self::poll_shutdown), fails with `BrokenPipe`.
///
/// # Half-close
///
/// TCP ends each direction on its own. A WebSocket does not: the side that receives a Close frame answers with its own, and sends
/// nothing after it (RFC 6455 §5.5.1). So [`poll_shutdown`](Self::poll_shutdown) sends a Close frame with 1000, and then:
///
/// - Data that the peer sent before it learned of our Close frame can still be read, until the peer's own Close frame.
///   [`Deadlines::close`](crate::Deadlines::close), 10 s by default, limits that time.
/// - The peer cannot answer the *end* of our data. A protocol in which it must, such as `nc -N host port < file` to a service
///   that sorts its input, loses that answer. If both ends know the convention of [`half_close`](Self::half_close), each
///   direction ends on its own.
///
/// Keep receiving until the end, or the peer's data stays unread.
///
/// # Compression
///
/// Encrypted or compressed data does not become smaller. Turn compression off for such connections:
/// `Client::compression(None)`, `Server::compression(None)`.
///
/// # Cancel safety
///
/// A write that is not ready has queued nothing of its bytes, and a read that is not ready has taken nothing. A shutdown that
/// has begun goes on, and a further call waits for it.
pub struct ByteChannel<S: MessageSocket> {
    socket: Collector<S>,
    /// The rest of the last message.
    unread: Bytes,
    message_size: usize,
    write_buffer: usize,
    accepts_text: bool,
    half_closes: bool,
    reading: Reading,
    writing: Writing,
}

/// The state of the reading direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Open,
    /// Both directions have ended without a Close frame, and ours is being sent.
    Closing,
    Ended,
    /// A text message has arrived.
    RefusedText,
}

/// The state of the writing direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Open,
    /// The end is queued, and a task may wait for its being written.
    Ending,
    Ended,
}

impl<S: MessageSocket> ByteChannel<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self {
            socket: Collector::new(socket),
            unread: Bytes::new(),
            message_size: MESSAGE_SIZE,
            write_buffer: 0,
            accepts_text: false,
            half_closes: false,
            reading: Reading::Open,
            writing: Writing::Open,
        }
    }

    /// Sets the most bytes in one message that is written. A longer write is done in parts. Default 16 KiB, and at least 1.
    ///
    /// The peer's limit of messages must allow it. Larger messages cost less per byte, and delay the bytes behind them.
    #[must_use]
    pub fn message_size(mut self, bytes: usize) -> Self {
        self.message_size = bytes.max(1);
        self
    }

    /// Collects small writes in a buffer of so many bytes, up to [`message_size`](Self::message_size), and sends them as one
    /// message. Default 0: each write is a message of its own.
    ///
    /// The buffer is sent by a flush, by a shutdown, by a read that finds nothing left of the last message, and before a write
    /// that does not fit. **Until then the peer does not have it**, so set this only for protocols that flush. When this value is
    /// dropped, the buffer is sent like a message that was queued before.
    ///
    /// A message costs 2 to 14 bytes, and about as much work as copying 1 KiB. Small messages that are written one after the
    /// other go to the transport together even without a buffer.
    #[must_use]
    pub fn write_buffer(mut self, bytes: usize) -> Self {
        self.write_buffer = bytes;
        self
    }

    /// Takes the bytes of text messages (UTF-8) like those of binary ones. By default a text message is an error: reading
    /// fails with `InvalidData`, and the connection is closed with 1003 (RFC 6455 §7.4.1).
    #[must_use]
    pub fn accept_text(mut self, accept: bool) -> Self {
        self.accepts_text = accept;
        self
    }

    /// Ends each direction on its own, by an empty binary message. Off by default.
    ///
    /// **Both ends must do so.** No standard says it, and other peers ignore an empty message. Then
    /// [`poll_shutdown`](Self::poll_shutdown) sends an empty message instead of a Close frame, and reading goes on. An empty
    /// message that arrives is the end of reading, and writing goes on. Once both directions have ended, the connection is
    /// closed with 1000. A Close frame ends both directions as usual.
    #[must_use]
    pub fn half_close(mut self, separately: bool) -> Self {
        self.half_closes = separately;
        self
    }

    /// The connection: for its addresses, its heads, its round-trip time.
    pub fn get_ref(&self) -> &S {
        self.socket.get()
    }

    /// Returns the connection, and the rest of the last message that was not read. The write buffer is queued first.
    ///
    /// To know that the peer has received everything, close the connection and await that. To wait for the end after a
    /// shutdown, await `closed()`.
    pub fn into_inner(self) -> (S, Bytes) {
        (self.socket.into_socket(), self.unread)
    }

    /// Reads into `buffer`. Returns the number of bytes, and 0 at the end or if `buffer` is empty.
    ///
    /// # Errors
    ///
    /// If the connection has not ended normally, or if a text message has arrived. See [Reading](Self#reading).
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let bytes = ready!(self.poll_fill_buf(cx))?;
        let n = bytes.len().min(buffer.len());
        buffer[..n].copy_from_slice(&bytes[..n]);
        self.consume(n);
        Poll::Ready(Ok(n))
    }

    /// Returns the bytes that can be read, without taking them. They are empty at the end. [`consume`](Self::consume) takes
    /// them.
    ///
    /// # Errors
    ///
    /// The same as [`poll_read`](Self::poll_read).
    pub fn poll_fill_buf(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if self.unread.is_empty() {
            ready!(self.poll_next_message(cx))?;
        }
        Poll::Ready(Ok(&self.unread))
    }

    /// Takes the first `n` of the bytes that [`poll_fill_buf`](Self::poll_fill_buf) has returned, or all if there are fewer.
    pub fn consume(&mut self, n: usize) {
        drop(self.unread.split_to(n.min(self.unread.len())));
        if self.unread.is_empty() {
            // The message's memory is not kept until the next one arrives.
            self.unread = Bytes::new();
        }
    }

    /// Writes `bytes`, or a part of them. Returns the number of bytes that were queued. Empty writes send nothing.
    ///
    /// # Errors
    ///
    /// If the connection has ended, is closing, or was shut down. See [Writing](Self#writing).
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    /// Writes several buffers as one message, or a part of them, as [`poll_write`](Self::poll_write) does.
    ///
    /// # Errors
    ///
    /// The same as [`poll_write`](Self::poll_write).
    pub fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let len = buffers.iter().fold(0, |len: usize, buffer| len.saturating_add(buffer.len()));
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        if self.writing != Writing::Open {
            return Poll::Ready(Err(after_shutdown()));
        }
        let collected = self.write_buffer.min(self.message_size);
        if len < collected {
            if self.socket.unsent.len() + len > collected {
                ready!(self.socket.poll_send(cx))?;
            }
            if self.socket.unsent.is_empty() {
                // A read sends it without waiting, so the room is waited for before.
                ready!(self.socket.pin().poll_ready(cx)).map_err(write_error)?;
            }
            append(&mut self.socket.unsent, buffers, len);
            return Poll::Ready(Ok(len));
        }
        ready!(self.socket.poll_send(cx))?;
        ready!(self.socket.pin().poll_ready(cx)).map_err(write_error)?;
        let len = len.min(self.message_size);
        let mut message = Vec::with_capacity(len);
        append(&mut message, buffers, len);
        self.socket.pin().start_send(message.into()).map_err(write_error)?;
        self.socket.get_mut().write_queued(cx);
        Poll::Ready(Ok(len))
    }

    /// Sends the write buffer, and waits until the transport has taken everything that was written.
    ///
    /// # Errors
    ///
    /// If the connection ends first.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.socket.poll_send(cx))?;
        self.socket.pin().poll_flush(cx).map_err(write_error)
    }

    /// Ends writing: sends the write buffer and a Close frame with 1000, and waits until the transport has taken them. It does
    /// not wait for the peer's Close frame, so that the rest of its data can be read. See [Half-close](Self#half-close).
    ///
    /// # Errors
    ///
    /// If the connection failed before everything was written. After a normal end there is no error.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.writing == Writing::Open {
            ready!(self.socket.poll_send(cx))?;
            if self.ends_alone() {
                ready!(self.socket.pin().poll_ready(cx)).map_err(write_error)?;
                self.socket.pin().start_send(Message::Binary(Bytes::new())).map_err(write_error)?;
            } else {
                self.socket.get_mut().begin_close(CloseCode::NORMAL, "");
            }
            self.writing = Writing::Ending;
        }
        let result = match self.ends_alone() {
            true => ready!(self.socket.pin().poll_flush(cx)),
            false => ready!(self.socket.get_mut().poll_close_sent(cx)),
        };
        self.writing = Writing::Ended;
        Poll::Ready(result.map_err(write_error))
    }

    /// Whether the end of writing leaves the other direction open.
    fn ends_alone(&self) -> bool {
        self.half_closes && self.reading == Reading::Open
    }

    /// Waits for the next message that is not empty, or for the end. `unread` is empty then.
    fn poll_next_message(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A reader has written everything that the peer's answer depends on.
        self.socket.send();
        for _ in 0..EMPTY_PER_POLL {
            match self.reading {
                Reading::Open => {}
                Reading::Closing => {
                    // The end has been received, whatever becomes of our Close frame.
                    let _ = ready!(self.socket.get_mut().poll_close_sent(cx));
                    self.reading = Reading::Ended;
                    return Poll::Ready(Ok(()));
                }
                Reading::Ended => return Poll::Ready(Ok(())),
                Reading::RefusedText => return Poll::Ready(Err(text_refused())),
            }
            match ready!(self.socket.get_mut().poll_message(cx)).map_err(read_error)? {
                None => self.reading = Reading::Ended,
                Some(Message::Text(_)) if !self.accepts_text => {
                    self.socket.get_mut().begin_close(CloseCode::UNSUPPORTED_DATA, "only binary messages");
                    self.reading = Reading::RefusedText;
                }
                Some(Message::Binary(bytes)) if bytes.is_empty() && self.half_closes => self.end_reading(),
                Some(message) if message.is_empty() => {}
                Some(message) => {
                    self.unread = message.into_bytes();
                    return Poll::Ready(Ok(()));
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Handles the end of the peer's data where each direction ends on its own.
    fn end_reading(&mut self) {
        if self.writing != Writing::Open {
            self.socket.get_mut().begin_close(CloseCode::NORMAL, "");
        }
        // Only one task at a time can wait for output. While that is the writing side's, it waits for the Close frame.
        self.reading = if self.writing == Writing::Ended { Reading::Closing } else { Reading::Ended };
    }
}

/// Appends the first `len` bytes of the buffers.
fn append(to: &mut Vec<u8>, buffers: &[IoSlice<'_>], len: usize) {
    let mut left = len;
    for buffer in buffers {
        let n = buffer.len().min(left);
        to.extend_from_slice(&buffer[..n]);
        left -= n;
    }
}

impl<S: MessageSocket + fmt::Debug> fmt::Debug for ByteChannel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteChannel")
            .field("socket", self.socket.get())
            .field("unread", &self.unread.len())
            .field("unsent", &self.socket.unsent.len())
            .field("reading", &self.reading)
            .field("writing", &self.writing)
            .finish()
    }
}
