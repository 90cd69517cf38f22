//! The parts of a stream after [`WebSocketStream::into_parts`].

use std::fmt;

use ws_proto::Message;

use super::WebSocketStream;
use crate::transport::{Timer, Transport};

/// The transport of a connection, and its unfinished input and output. See [`WebSocketStream::into_parts`].
#[non_exhaustive]
pub struct StreamParts<T> {
    /// The transport.
    pub transport: T,
    /// Complete messages that the application has not received.
    pub messages: Vec<Message>,
    /// Bytes that were read from the transport and not handled yet. They follow the last of `messages`, or the part of a
    /// message that is lost.
    pub unread: Vec<u8>,
    /// Encoded frames that were queued and not written. If the transport has taken a part of a frame, they begin within it.
    pub unsent: Vec<u8>,
}

impl<T: Transport, C: Timer> WebSocketStream<T, C> {
    /// Returns the transport, without a Close frame or any other output. Use it to continue with another protocol on the
    /// transport, or to pass the connection on. For its senders the connection is aborted.
    ///
    /// Call [`flush`](Self::flush) first, so that nothing is left in [`StreamParts::unsent`].
    ///
    /// The received part of an incomplete message is lost, and so is the received part of an incomplete frame, with its
    /// header. A new connection over the transport ([`Parts`](crate::Parts)) then takes the rest of that frame for the
    /// beginning of another. Nothing is lost if the peer is not sending: if it waits for our answer, has sent its last
    /// message, or the connection has ended.
    pub fn into_parts(self) -> StreamParts<T> {
        let Self { driver, mut socket, pollers: _ } = self;
        let messages = socket.take_messages();
        let (transport, unread, unsent) = driver.take_apart();
        StreamParts { transport, messages, unread, unsent }
    }
}

impl<T> fmt::Debug for StreamParts<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamParts")
            .field("messages", &self.messages.len())
            .field("unread", &self.unread.len())
            .field("unsent", &self.unsent.len())
            .finish_non_exhaustive()
    }
}
