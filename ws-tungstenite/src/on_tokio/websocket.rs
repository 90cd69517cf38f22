//! A connection over a stream of tokio's: a `Stream` and a `Sink` of messages.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures_util::sink::Sink;
use futures_util::stream::{FusedStream, Stream};
use tokio::io::{AsyncRead, AsyncWrite};

use super::polled::{By, Polled, Writers};
use crate::error::{Error, Result};
use crate::protocol::{CloseFrame, Message, Role, WebSocketConfig, WebSocketContext};

/// A connection over a stream.
///
/// Messages are received as from a [`Stream`], which ends with the connection, and sent as to a [`Sink`]. Two tasks may poll
/// the two halves. Pings are answered while the connection is polled in either way.
///
/// # Cancel safety
///
/// A future that waits for the next message may be dropped: no message is lost. So may one that flushes. A future that sends
/// may be dropped after it has handed the message over, or before; it does not tell.
#[derive(Debug)]
pub struct WebSocketStream<S> {
    stream: S,
    context: WebSocketContext,
    writers: Writers,
    /// Whether the last message of the stream was returned.
    ended: bool,
    /// Whether our Close frame is queued by [`Sink::poll_close`].
    closing: bool,
    /// Whether a message may be queued without writing first.
    ready: bool,
}

impl<S> WebSocketStream<S> {
    /// A connection whose opening handshake is over.
    ///
    /// # Panics
    ///
    /// When `max_write_buffer_size` is not greater than `write_buffer_size`.
    pub async fn from_raw_socket(stream: S, role: Role, config: Option<WebSocketConfig>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Self::new(stream, WebSocketContext::new(role, config))
    }

    /// A connection whose opening handshake is over. `part` was read from the stream behind it.
    ///
    /// # Panics
    ///
    /// When `max_write_buffer_size` is not greater than `write_buffer_size`.
    pub async fn from_partially_read(stream: S, part: Vec<u8>, role: Role, config: Option<WebSocketConfig>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Self::new(stream, WebSocketContext::from_partially_read(part, role, config))
    }

    pub(super) fn new(stream: S, context: WebSocketContext) -> Self {
        Self { stream, context, writers: Writers::default(), ended: false, closing: false, ready: true }
    }

    /// The stream. Bytes that were read and not received, or queued and not written, are lost.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// The stream.
    pub fn get_ref(&self) -> &S
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        &self.stream
    }

    /// The stream, to be changed.
    pub fn get_mut(&mut self) -> &mut S
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        &mut self.stream
    }

    /// The configuration.
    pub fn get_config(&self) -> &WebSocketConfig {
        self.context.get_config()
    }

    /// Sends a Close frame, and waits until the stream has taken it. Messages can still be received: go on until there are none.
    ///
    /// # Errors
    ///
    /// As sending a message.
    pub async fn close(&mut self, msg: Option<CloseFrame>) -> Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        poll_fn(|cx| Pin::new(&mut *self).poll_ready(cx)).await?;
        Pin::new(&mut *self).start_send(Message::Close(msg))?;
        poll_fn(|cx| Pin::new(&mut *self).poll_flush(cx)).await
    }

    #[inline]
    fn with<R>(
        &mut self,
        by: By,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut WebSocketContext, &mut Polled<'_, '_, S>) -> Result<R>,
    ) -> Poll<Result<R>> {
        let Self { stream, context, writers, .. } = self;
        match call(context, &mut Polled { stream, cx, writers, by }) {
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
            result => Poll::Ready(result),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocketStream<S> {
    type Item = Result<Message>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.with(By::Reader, cx, |context, stream| context.read(stream))) {
            Ok(message) => Poll::Ready(Some(Ok(message))),
            Err(error) => {
                self.ended = true;
                let is_end = matches!(error, Error::ConnectionClosed | Error::AlreadyClosed);
                Poll::Ready((!is_end).then_some(Err(error)))
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for WebSocketStream<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocketStream<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.ready {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(self.with(By::Writer, cx, |context, stream| context.flush(stream)));
        self.ready = true;
        Poll::Ready(flushed)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Message) -> Result<()> {
        // Nobody is woken when the stream takes more: `poll_ready` and `poll_flush` write again.
        let mut cx = Context::from_waker(Waker::noop());
        let sent = self.with(By::Writer, &mut cx, |context, stream| context.write(stream, item));
        // A message that could not be written at once is queued.
        self.ready = sent.is_ready();
        match sent {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = ready!(self.with(By::Writer, cx, |context, stream| context.flush(stream)));
        self.ready = true;
        Poll::Ready(match flushed {
            Err(Error::ConnectionClosed) => Ok(()),
            flushed => flushed,
        })
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.ready = true;
        let closed = if self.closing {
            self.with(By::Writer, cx, |context, stream| context.flush(stream))
        } else {
            self.with(By::Writer, cx, |context, stream| context.close(stream, None))
        };
        self.closing |= closed.is_pending();
        Poll::Ready(match ready!(closed) {
            Err(Error::ConnectionClosed) => Ok(()),
            closed => closed,
        })
    }
}
