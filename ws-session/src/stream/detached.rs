//! A stream taken apart.

use std::fmt;

use ws_proto::Message;

use super::WebSocketStream;
use crate::transport::{Timer, Transport};

/// The transport of a connection, and what was under way in both directions. See [`WebSocketStream::into_parts`].
#[non_exhaustive]
pub struct StreamParts<T> {
    /// The transport.
    pub transport: T,
    /// Messages that were complete and that nobody has received.
    pub messages: Vec<Message>,
    /// Bytes that were read from the transport and not looked at yet, as they came. They follow the last of `messages`, or
    /// the part of a message that is lost.
    pub unread: Vec<u8>,
    /// Frames that were queued and not written, as they would have gone to the transport. When the transport took only part
    /// of a frame, they begin within it.
    pub unsent: Vec<u8>,
}

impl<T: Transport, C: Timer> WebSocketStream<T, C> {
    /// Gives the transport back, without a Close frame and without another word to the peer: for a program that goes on with
    /// another protocol on it, or hands the connection to somebody else. Senders find the connection aborted.
    ///
    /// Call [`flush`](Self::flush) before, and nothing is left in [`StreamParts::unsent`].
    ///
    /// What is lost: the part that has come of a message whose rest has not, and the beginning of a frame, its header
    /// included. A connection that is made of the transport ([`Parts`](crate::Parts)) then takes the rest of that frame for
    /// the beginning of another. Fragments are part of a message. Nothing is lost when the peer waits for us in between, as
    /// after a message that it knows to be the last, or when the connection has ended.
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
