//! Messages in pieces: received while they arrive, and sent while they are made.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use ws_proto::{Bytes, MessageKind};

use super::WebSocketStream;
use super::pollers::Side;
use crate::error::Error;
use crate::handle::recv_stream::{self, IncomingStream, StreamSource, sealed};
use crate::handle::send_stream::{self, Transfer};
use crate::handle::source::Source;
use crate::handle::{StreamItem, StreamReader, WebSocket};
use crate::transport::{Timer, Transport};

impl<T: Transport, C: Timer> sealed::Sealed for WebSocketStream<T, C> {}

impl<T: Transport, C: Timer> StreamSource for WebSocketStream<T, C> {
    fn poll_source<R>(
        &mut self,
        cx: &mut Context<'_>,
        find: impl FnMut(&mut WebSocket, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.poll_until(cx, Side::Receiving, find)
    }

    fn handle(&mut self) -> &mut WebSocket {
        &mut self.socket
    }
}

impl<T: Transport, C: Timer> WebSocketStream<T, C> {
    /// Waits until the next message begins, and returns it to be received in chunks while it arrives. See
    /// [`WebSocket::recv_streaming`].
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// The same as [`recv`](Self::recv).
    pub fn recv_streaming(&mut self) -> impl Future<Output = Result<Option<IncomingStream<'_, Self>>, Error>> + '_ {
        recv_stream::receive(self)
    }

    /// Sends the items of a stream as one message, in fragments. It reads meanwhile. See [`Sender::send_stream`](crate::Sender::send_stream).
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_stream`](crate::Sender::send_stream).
    pub fn send_stream<'a, S, K: 'a>(
        &'a mut self,
        kind: MessageKind,
        stream: S,
    ) -> impl Future<Output = Result<(), Error>> + use<'a, T, C, S, K>
    where
        S: Stream<Item: StreamItem<K>> + 'a,
    {
        self.transfer(kind, send_stream::of_stream(stream))
    }

    /// Sends the items of an iterator as one message, in fragments. It reads meanwhile. See [`Sender::send_iter`](crate::Sender::send_iter).
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_stream`](crate::Sender::send_stream).
    pub fn send_iter<'a, I>(
        &'a mut self,
        kind: MessageKind,
        items: I,
    ) -> impl Future<Output = Result<(), Error>> + use<'a, T, C, I>
    where
        I: IntoIterator<Item: Into<Bytes>> + 'a,
    {
        self.transfer(kind, send_stream::of_iter(items))
    }

    /// Sends the bytes of a reader as one message, in fragments. It reads meanwhile. See [`Sender::send_reader`](crate::Sender::send_reader).
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_reader`](crate::Sender::send_reader).
    pub fn send_reader<'a, R, K: 'a>(
        &'a mut self,
        kind: MessageKind,
        reader: R,
    ) -> impl Future<Output = Result<(), Error>> + use<'a, T, C, R, K>
    where
        R: StreamReader<K> + 'a,
    {
        self.transfer(kind, send_stream::of_reader(reader))
    }

    /// Sends a message from its source, and writes it as far as the transport takes it at once.
    async fn transfer<S: Source>(&mut self, kind: MessageKind, source: S) -> Result<(), Error> {
        let mut transfer = pin!(Transfer::new(self.socket.sender_ref(), kind, source));
        poll_fn(|cx| {
            ready!(self.poll_until(cx, Side::Sending, |_, cx| transfer.as_mut().poll(cx)))?;
            self.turn(cx, Side::Sending);
            Poll::Ready(Ok(()))
        })
        .await
    }
}
