//! Messages encoded once, to be sent on many connections.

use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use crate::frame::{FrameHeader, codec};
use crate::message::Message;
use crate::send::opcode_of;

/// A message and its frame, encoded once: for the same message to many peers. Cloning shares both.
///
/// A server's frames are not masked (RFC 6455 §5.1), so all its connections send the very same bytes: short ones are
/// copied into each connection's queue, long ones are only referred to. A client masks each frame with a key of its
/// own (RFC 6455 §5.3); there a prepared message is worth no more than any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Shares the frame's memory.
    message: Message,
    frame: Bytes,
}

impl Prepared {
    /// Encodes `message`, copying its payload once.
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let payload = message.as_bytes();
        let mut frame = Vec::with_capacity(FrameHeader::MAX_SIZE + payload.len());
        codec::encode(&FrameHeader::new(opcode_of(message.kind()), payload.len() as u64), &mut frame);
        let header = frame.len();
        frame.extend_from_slice(payload);
        let frame = Bytes::from(frame);
        let payload = frame.slice(header..);
        let message = match message {
            Message::Binary(_) => Message::Binary(payload),
            // What was text still is.
            Message::Text(text) => Message::Text(ByteString::try_from(payload).unwrap_or(text)),
        };
        Self { message, frame }
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Header and payload as a server sends them.
    pub(crate) fn frame(&self) -> &Bytes {
        &self.frame
    }
}

impl<M: Into<Message>> From<M> for Prepared {
    fn from(message: M) -> Self {
        Self::new(message)
    }
}
