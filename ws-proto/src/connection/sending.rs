//! Messages in, bytes out.

use bytes::Bytes;

use crate::connection::Connection;
use crate::error::SendError;
#[cfg(feature = "deflate")]
use crate::extensions::permessage_deflate::Compress;
use crate::frame::FrameHeader;
use crate::keepalive::PingId;
use crate::message::{Message, MessageKind};
use crate::outgoing::Outgoing;
use crate::prepared::Prepared;
use crate::time::Timestamp;

impl Connection {
    /// Queues a message. A server keeps a large payload by reference; a client copies it once, masking it.
    ///
    /// # Errors
    ///
    /// When the connection is closing, when the queue is full, or between the fragments of another message. Nothing is queued,
    /// and the error holds the message.
    #[inline]
    pub fn send(&mut self, message: Message) -> Result<(), SendError<Message>> {
        match self.state.sends() {
            true => self.encoder.message(message, &self.config.limits),
            false => Err(SendError::Closed(message)),
        }
    }

    /// Queues a copy of a text message. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError<()>> {
        self.send_slice(MessageKind::Text, text.as_bytes())
    }

    /// Queues a copy of a binary message. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<(), SendError<()>> {
        self.send_slice(MessageKind::Binary, bytes)
    }

    #[inline]
    fn send_slice(&mut self, kind: MessageKind, payload: &[u8]) -> Result<(), SendError<()>> {
        match self.state.sends() {
            true => self.encoder.slice(kind, payload, &self.config.limits),
            false => Err(SendError::Closed(())),
        }
    }

    /// Queues a message that was encoded once for many connections. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), SendError<()>> {
        match self.state.sends() {
            true => self.encoder.prepared(prepared, &self.config.limits),
            false => Err(SendError::Closed(())),
        }
    }

    /// Queues the first or next fragment of a message (RFC 6455 §5.4). `last` ends the message. All fragments of a message
    /// have the same kind. No other message can be sent before the last fragment; control frames can.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::Unfinished`] for a fragment of the other kind.
    pub fn send_fragment(&mut self, fragment: Message, last: bool) -> Result<(), SendError<Message>> {
        match self.state.sends() {
            true => self.encoder.fragment(fragment, last, &self.config.limits),
            false => Err(SendError::Closed(fragment)),
        }
    }

    /// Queues a message as [`send`](Self::send) does. `compress` decides whether it is compressed, if compression was
    /// negotiated.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[cfg(feature = "deflate")]
    pub fn send_with(&mut self, message: Message, compress: Compress) -> Result<(), SendError<Message>> {
        match self.state.sends() {
            true => self.encoder.message_with(message, compress, &self.config.limits),
            false => Err(SendError::Closed(message)),
        }
    }

    /// Queues a fragment as [`send_fragment`](Self::send_fragment) does. `compress` of the first fragment decides whether the
    /// message is compressed, and is ignored in the others. With [`Compress::Default`] a message of several fragments is
    /// compressed. The peer can inflate each fragment when it arrives.
    ///
    /// # Errors
    ///
    /// As [`send_fragment`](Self::send_fragment).
    #[cfg(feature = "deflate")]
    pub fn send_fragment_with(
        &mut self,
        fragment: Message,
        last: bool,
        compress: Compress,
    ) -> Result<(), SendError<Message>> {
        match self.state.sends() {
            true => self.encoder.fragment_with(fragment, last, compress, &self.config.limits),
            false => Err(SendError::Closed(fragment)),
        }
    }

    /// Queues a ping. The [`Event::Pong`](crate::Event::Pong) that answers it has the ID and the round-trip time.
    ///
    /// Between the fragments of a message it is refused as long as fragments are queued, because some peers fail at it
    /// ([`Config::ping_between_fragments`](crate::Config::ping_between_fragments) names them, and switches this off). Try again after the last fragment or after
    /// [`handle_timeout`](Self::handle_timeout): a message that has stood still for
    /// [`Deadlines::ping_interval`](crate::Deadlines::ping_interval), but at most 20 s, or for a second where no pings are
    /// sent, holds it back no longer.
    ///
    /// # Errors
    ///
    /// When the connection is closing, the queue is at its cap, or 1,024 pings are unanswered;
    /// [`SendError::Unfinished`] between fragments.
    pub fn ping(&mut self, now: Timestamp) -> Result<PingId, SendError<()>> {
        match self.state.sends() {
            true if self.keepalive.is_full() => Err(SendError::Full(())),
            true if self.is_held_by_fragments(now) => Err(SendError::Unfinished(())),
            true => self.queue_ping(now, false).ok_or(SendError::Full(())),
            false => Err(SendError::Closed(())),
        }
    }

    /// See [`Hooks::send_frame`](super::Hooks::send_frame).
    pub(super) fn send_frame(&mut self, header: &FrameHeader, payload: Bytes) -> Result<(), SendError<()>> {
        match self.state.sends() {
            true => self.encoder.frame(header, payload, &self.config.limits).ok_or(SendError::Full(())),
            false => Err(SendError::Closed(())),
        }
    }

    /// The bytes to be written. Remove the bytes that the transport took with [`Buf::advance`](bytes::Buf::advance).
    #[inline]
    pub fn outgoing(&mut self) -> &mut Outgoing {
        if self.state.sends() {
            self.encoder.queue_pongs(&self.config.limits);
        }
        self.encoder.outgoing_mut()
    }
}
