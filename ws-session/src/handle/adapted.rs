//! The handle as a stream of bytes, or of values.

use std::task::{Context, Poll};

use ws_proto::{CloseCode, CloseFrame, Message};

use super::WebSocket;
use crate::bytes::ByteChannel;
use crate::error::Error;
use crate::shared::State;
use crate::socket::{MessageSocket, Polled};
#[cfg(any(feature = "json", feature = "messagepack"))]
use crate::typed::Typed;

impl WebSocket {
    /// Turns the connection into a stream of bytes in binary messages, for protocols that were made for TCP.
    ///
    /// The result has poll functions. The adapters' `ByteStream` gives it `AsyncRead` and `AsyncWrite`:
    /// `ws_tokio::ByteStream::from(ws.into_bytes())`.
    #[doc(alias = "AsyncRead", alias = "AsyncWrite", alias = "into_stream")]
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

impl MessageSocket for WebSocket {}

impl Polled for WebSocket {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.poll_recv(cx)
    }

    /// The driver was woken when the message was queued.
    fn write_queued(&mut self, _cx: &mut Context<'_>) {}

    fn begin_close(&mut self, code: CloseCode, reason: &str) {
        self.sender.shared.close(CloseFrame::new(code, reason));
    }

    fn poll_close_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_sink(cx, State::close_sent)
    }
}
