//! The polled connection as a stream of bytes, or of values.

use std::task::{Context, Poll};

use ws_proto::{CloseCode, Message};

use super::WebSocketStream;
use super::pollers::Side;
use crate::bytes::ByteChannel;
use crate::error::Error;
use crate::shared::State;
use crate::socket::{MessageSocket, Polled};
use crate::transport::{Timer, Transport};
#[cfg(any(feature = "json", feature = "messagepack"))]
use crate::typed::Typed;

impl<T: Transport + Unpin, C: Timer + Unpin> WebSocketStream<T, C> {
    /// Turns the connection into a stream of bytes in binary messages, for protocols that were made for TCP. See
    /// [`WebSocket::into_bytes`](crate::WebSocket::into_bytes).
    ///
    /// It moves bytes while it is polled, and dropping it ends the transport. After a shutdown, read to the end before, so
    /// that the peer receives everything.
    pub fn into_bytes(self) -> ByteChannel<Self> {
        ByteChannel::new(self)
    }

    /// Makes the messages values: receives `In` and sends `Out`, in the format `F`.
    ///
    /// `ws.typed::<Json, Request, Answer>()` receives and sends JSON. See [`Typed`].
    #[cfg(any(feature = "json", feature = "messagepack"))]
    #[doc(alias = "json", alias = "messagepack", alias = "serde")]
    pub fn typed<F, In, Out>(self) -> Typed<Self, F, In, Out> {
        Typed::new(self)
    }
}

impl<T: Transport + Unpin, C: Timer + Unpin> MessageSocket for WebSocketStream<T, C> {}

impl<T: Transport + Unpin, C: Timer + Unpin> Polled for WebSocketStream<T, C> {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.poll_recv(cx)
    }

    fn write_queued(&mut self, cx: &mut Context<'_>) {
        self.turn(cx, Side::Sending);
    }

    fn begin_close(&mut self, code: CloseCode, reason: &str) {
        self.socket.begin_close(code, reason);
    }

    fn poll_close_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(cx, Side::Sending, |socket, cx| socket.poll_sink(cx, State::close_sent))
    }
}
