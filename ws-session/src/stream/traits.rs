//! The traits `Stream` and `Sink` of `futures` for [`WebSocketStream`].

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use ws_proto::{CloseCode, Message};

use super::WebSocketStream;
use super::pollers::Side;
use crate::error::Error;
use crate::shared::State;
use crate::transport::{Timer, Transport};

impl<T: Transport + Unpin, C: Timer + Unpin> Stream for WebSocketStream<T, C> {
    type Item = Result<Message, Error>;

    /// Receives as [`WebSocketStream::recv`] does. An error is the last item.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.socket.is_terminated() {
            return Poll::Ready(None);
        }
        let received = ready!(this.poll_recv(cx));
        this.socket.note_end(&received);
        Poll::Ready(received.transpose())
    }
}

impl<T: Transport + Unpin, C: Timer + Unpin> FusedStream for WebSocketStream<T, C> {
    fn is_terminated(&self) -> bool {
        self.socket.is_terminated()
    }
}

/// `feed` only queues the message. `send` waits until the transport has taken it.
impl<T: Transport + Unpin, C: Timer + Unpin> Sink<Message> for WebSocketStream<T, C> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_until(cx, Side::Sending, |socket, cx| {
            socket.poll_sink(cx, |state| state.has_room().then_some(Ok(())))
        })
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        Pin::new(&mut self.get_mut().socket).start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_until(cx, Side::Sending, |socket, cx| Pin::new(socket).poll_flush(cx))
    }

    /// Closes with 1000 and drives the connection to its end, as [`WebSocketStream::close`] does.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        this.socket.sender_ref().close_unless_closing(CloseCode::NORMAL);
        this.poll_until(cx, Side::Sending, |socket, cx| {
            socket
                .poll_sink(cx, |state: &mut State| if state.lifecycle.is_gone() { state.close_result() } else { None })
        })
        .map_ok(drop)
    }
}
