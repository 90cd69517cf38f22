//! The connection after its opening handshake, over any stream that blocks or does not.

pub mod frame;

mod config;
mod context;
mod message;
mod state;

use std::io::{Read, Write};

pub use ws_proto::permessage_deflate::{Deflate, DeflateParams};

pub use self::config::{Compression, WebSocketConfig};
pub use self::context::{Role, WebSocketContext};
pub use self::frame::CloseFrame;
pub use self::message::Message;

/// A connection over a stream.
///
/// The stream may be one that does not block. A call then fails with [`Error::Io`](crate::Error::Io) of the kind `WouldBlock`,
/// and continues when it is repeated. Nothing is lost.
#[derive(Debug)]
pub struct WebSocket<Stream> {
    socket: Stream,
    context: WebSocketContext,
}

impl<Stream> WebSocket<Stream> {
    /// A connection whose opening handshake is over.
    ///
    /// # Panics
    ///
    /// When `max_write_buffer_size` is not greater than `write_buffer_size`.
    pub fn from_raw_socket(stream: Stream, role: Role, config: Option<WebSocketConfig>) -> Self {
        Self::from_partially_read(stream, Vec::new(), role, config)
    }

    /// A connection whose opening handshake is over. `part` was read from the stream behind it.
    ///
    /// # Panics
    ///
    /// When `max_write_buffer_size` is not greater than `write_buffer_size`.
    pub fn from_partially_read(stream: Stream, part: Vec<u8>, role: Role, config: Option<WebSocketConfig>) -> Self {
        Self { socket: stream, context: WebSocketContext::from_partially_read(part, role, config) }
    }

    #[cfg(feature = "handshake")]
    pub(crate) fn from_context(socket: Stream, context: WebSocketContext) -> Self {
        Self { socket, context }
    }

    /// The stream. Bytes that were read and not received, or queued and not written, are lost.
    pub fn into_inner(self) -> Stream {
        self.socket
    }

    /// The stream.
    pub fn get_ref(&self) -> &Stream {
        &self.socket
    }

    /// The stream, to be changed.
    pub fn get_mut(&mut self) -> &mut Stream {
        &mut self.socket
    }

    /// Changes the configuration. Limits apply to what is received and queued later.
    ///
    /// # Panics
    ///
    /// When `max_write_buffer_size` is not greater than `write_buffer_size`.
    pub fn set_config(&mut self, set_func: impl FnOnce(&mut WebSocketConfig)) {
        self.context.set_config(set_func);
    }

    /// The configuration.
    pub fn get_config(&self) -> &WebSocketConfig {
        self.context.get_config()
    }

    /// Whether messages can come: the peer's Close frame was not received.
    pub fn can_read(&self) -> bool {
        self.context.can_read()
    }

    /// Whether messages can be sent: no Close frame was sent or received.
    pub fn can_write(&self) -> bool {
        self.context.can_write()
    }
}

impl<Stream: Read + Write> WebSocket<Stream> {
    /// The next message, control frame or Close frame.
    ///
    /// A ping is answered by the next call of [`read`](Self::read), [`write`](Self::write) or [`flush`](Self::flush). So is the
    /// peer's Close frame: go on until [`ConnectionClosed`](crate::Error::ConnectionClosed). Then the stream can be dropped.
    ///
    /// # Errors
    ///
    /// - [`ConnectionClosed`](crate::Error::ConnectionClosed): the normal end;
    /// - [`Protocol`](crate::Error::Protocol), [`Capacity`](crate::Error::Capacity), [`Utf8`](crate::Error::Utf8): the peer broke the
    ///   protocol or a limit, or the stream ended without a Close frame. A Close frame with the matching code is written as far
    ///   as the stream takes it at once, and [`flush`](Self::flush) writes the rest;
    /// - [`Io`](crate::Error::Io): the stream failed, or would block;
    /// - [`AlreadyClosed`](crate::Error::AlreadyClosed): after one of the first two.
    pub fn read(&mut self) -> crate::Result<Message> {
        self.context.read(&mut self.socket)
    }

    /// [`write`](Self::write)s a message and [`flush`](Self::flush)es.
    ///
    /// # Errors
    ///
    /// As both.
    pub fn send(&mut self, message: Message) -> crate::Result<()> {
        self.write(message)?;
        self.flush()
    }

    /// Queues a message. It reaches the stream with the next [`flush`](Self::flush), or once
    /// [`write_buffer_size`](WebSocketConfig::write_buffer_size) is exceeded. If the answer to a ping waits, both are flushed.
    /// A [`Message::Close`] is as [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// - [`WriteBufferFull`](crate::Error::WriteBufferFull) with the message, which was not queued;
    /// - [`ConnectionClosed`](crate::Error::ConnectionClosed): the closing handshake is over;
    /// - [`AlreadyClosed`](crate::Error::AlreadyClosed): after that;
    /// - [`Protocol`](crate::Error::Protocol): a Close frame was sent or received before, a ping or pong is longer than 125 bytes, or a
    ///   close code must not be sent;
    /// - [`Io`](crate::Error::Io): the stream failed, or would block. In either case the message was queued.
    pub fn write(&mut self, message: Message) -> crate::Result<()> {
        self.context.write(&mut self.socket, message)
    }

    /// Writes everything that is queued, and flushes the stream.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::Error::Io), and on a server, after the peer's Close frame,
    /// [`ConnectionClosed`](crate::Error::ConnectionClosed).
    pub fn flush(&mut self) -> crate::Result<()> {
        self.context.flush(&mut self.socket)
    }

    /// Queues a Close frame, unless one was before, and [`flush`](Self::flush)es. Go on with [`read`](Self::read) until
    /// [`ConnectionClosed`](crate::Error::ConnectionClosed): a server is told so when it has both Close frames, a client when
    /// the server has closed the stream.
    ///
    /// A reason is cut at 123 bytes. The code 1005 stands for none.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush). [`InvalidCloseSequence`](crate::error::ProtocolError::InvalidCloseSequence) for a code that must
    /// not be sent (RFC 6455 §7.4).
    pub fn close(&mut self, code: Option<CloseFrame>) -> crate::Result<()> {
        self.context.close(&mut self.socket, code)
    }

    /// The old name of [`read`](Self::read).
    #[deprecated(note = "use `read`")]
    pub fn read_message(&mut self) -> crate::Result<Message> {
        self.read()
    }

    /// The old name of [`send`](Self::send).
    #[deprecated(note = "use `send`")]
    pub fn write_message(&mut self, message: Message) -> crate::Result<()> {
        self.send(message)
    }

    /// The old name of [`flush`](Self::flush).
    #[deprecated(note = "use `flush`")]
    pub fn write_pending(&mut self) -> crate::Result<()> {
        self.flush()
    }
}
