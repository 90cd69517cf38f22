//! Messages encoded once, to be sent on many connections.

use alloc::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

#[cfg(feature = "deflate")]
use crate::extensions::permessage_deflate::Variants;
use crate::frame::{FrameHeader, codec};
use crate::message::Message;

/// A message with its encoded frame, to send the same message to many peers. Cloning shares both.
///
/// A server's frames are not masked (RFC 6455 §5.1), so all its connections send the same bytes. Each connection's queue copies
/// frames of less than 64 bytes and refers to longer ones. A client masks each frame with a key of its own (RFC 6455 §5.3).
///
/// The first connection that sends it compressed stores the compressed form for all connections with the same settings. With
/// context takeover, this form does not refer to earlier messages, and later messages refer to it. Without the feature `std`,
/// each connection compresses the message again.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// One count for all, since each connection of a publication clones it.
    encoded: Arc<Encoded>,
}

#[derive(Debug)]
struct Encoded {
    /// Shares the frame's memory.
    message: Message,
    frame: Bytes,
    #[cfg(feature = "deflate")]
    compressed: Variants,
}

impl Prepared {
    /// Encodes `message`, copying its payload once.
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let payload = message.as_bytes();
        let header = FrameHeader::new(message.kind().opcode(), payload.len() as u64);
        let frame = codec::frame(&header, payload);
        let payload = frame.slice(frame.len() - payload.len()..);
        let message = match message {
            Message::Binary(_) => Message::Binary(payload),
            // What was text still is.
            Message::Text(text) => Message::Text(ByteString::try_from(payload).unwrap_or(text)),
        };
        let encoded = Encoded {
            message,
            frame,
            #[cfg(feature = "deflate")]
            compressed: Variants::default(),
        };
        Self { encoded: Arc::new(encoded) }
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.encoded.message
    }

    /// Header and payload as a server sends them.
    pub(crate) fn frame(&self) -> &Bytes {
        &self.encoded.frame
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn compressed(&self) -> &Variants {
        &self.encoded.compressed
    }
}

impl PartialEq for Prepared {
    fn eq(&self, other: &Self) -> bool {
        self.encoded.message == other.encoded.message
    }
}

impl Eq for Prepared {}

impl<M: Into<Message>> From<M> for Prepared {
    fn from(message: M) -> Self {
        Self::new(message)
    }
}
