//! [`IncomingStream`]: a message that is received in chunks while it arrives.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use ws_proto::{Bytes, MessageKind};

use super::WebSocket;
use crate::error::Error;
use crate::shared::{Shared, Waiting, wake};

/// A message that is received in chunks while it arrives. [`WebSocket::recv_streaming`] returns it.
///
/// It is a [`Stream`] of [`Bytes`]. With the feature `tokio` or `futures-io` it is also an `AsyncRead` and an `AsyncBufRead`
/// of that library. The adapters enable theirs.
///
/// About 128 KiB of the message wait at most, and one read more. Beyond that, reading stops until chunks are taken, so the
/// peer is slowed down. Messages behind this one are received after it.
///
/// **Dropping it midway discards the rest of the message** as it arrives. The rest takes no memory, but it is still received,
/// within the limit of streamed messages, before the next message. Close the connection instead if the rest is long.
#[must_use = "dropping it discards the message"]
pub struct IncomingStream<'a, S: StreamSource = WebSocket> {
    source: &'a mut S,
    kind: MessageKind,
    /// The chunk that is returned next.
    current: Bytes,
    state: Progress,
    waiting: Waiting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// More chunks may arrive.
    Arriving,
    /// All of it is in `current`, or was returned.
    Complete,
    /// The connection has ended within the message.
    Failed,
}

/// A message that begins: its kind and, if it has arrived whole, its payload.
#[derive(Debug)]
pub(crate) struct Begun {
    kind: MessageKind,
    whole: Option<Bytes>,
}

/// A connection that receives messages in chunks: [`WebSocket`] and [`WebSocketStream`](crate::WebSocketStream).
pub trait StreamSource: sealed::Sealed {
    /// Moves bytes, if the connection has no task of its own, until `find` is ready.
    #[doc(hidden)]
    fn poll_source<R>(
        &mut self,
        cx: &mut Context<'_>,
        find: impl FnMut(&mut WebSocket, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R>;

    /// The handle.
    #[doc(hidden)]
    fn handle(&mut self) -> &mut WebSocket;
}

pub(crate) mod sealed {
    /// Closes a trait for other crates.
    pub trait Sealed {}
}

impl sealed::Sealed for WebSocket {}

impl StreamSource for WebSocket {
    fn poll_source<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut find: impl FnMut(&mut WebSocket, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        find(self, cx)
    }

    fn handle(&mut self) -> &mut WebSocket {
        self
    }
}

impl WebSocket {
    /// Waits until the next message begins, and returns it to be received in chunks while it arrives. `None` after a normal
    /// end, as with [`recv`](Self::recv).
    ///
    /// A message may be longer than memory: [`Server::max_streamed`](crate::Server::max_streamed) sets its limit, for clients
    /// too. A message that has arrived whole before this call is returned as one chunk.
    ///
    /// ```
    /// # use ws_session::{Error, WebSocket};
    /// /// Counts the bytes of each message.
    /// async fn count(ws: &mut WebSocket) -> Result<(), Error> {
    ///     while let Some(mut message) = ws.recv_streaming().await? {
    ///         let mut bytes = 0;
    ///         while let Some(chunk) = message.chunk().await? {
    ///             bytes += chunk.len();
    ///         }
    ///         println!("{:?}: {bytes} bytes", message.kind());
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// The same as [`recv`](Self::recv).
    #[doc(alias = "recv_stream", alias = "recv_chunks")]
    pub fn recv_streaming(&mut self) -> impl Future<Output = Result<Option<IncomingStream<'_>>, Error>> + Send + '_ {
        receive(self)
    }

    /// Finds the next message, complete or not.
    fn poll_begun(&mut self, wait: &mut BegunGuard, cx: &mut Context<'_>) -> Poll<Result<Option<Begun>, Error>> {
        if let Some(begun) = self.claim(wait) {
            return Poll::Ready(Ok(Some(begun)));
        }
        if let Poll::Ready(received) = self.poll_recv(cx) {
            return Poll::Ready(received.map(|message| {
                message.map(|message| Begun { kind: message.kind(), whole: Some(message.into_bytes()) })
            }));
        }
        // A message may have begun meanwhile.
        match self.claim(wait) {
            Some(begun) => Poll::Ready(Ok(Some(begun))),
            None => {
                let mut state = self.shared().lock();
                wait.waiting.wait(state.wakers.waiters(), cx.waker());
                // It may have begun between the two locks, but behind a complete one, which `poll_recv` waits for.
                let claimed = if state.mailbox.is_empty() { state.claim_message() } else { None };
                drop(state);
                claimed.map_or(Poll::Pending, |kind| Poll::Ready(Ok(Some(self.begun(kind)))))
            }
        }
    }

    /// Takes the message that is arriving, if no complete one is before it.
    fn claim(&mut self, wait: &mut BegunGuard) -> Option<Begun> {
        if self.has_taken() {
            return None;
        }
        let mut state = self.shared().lock();
        if !wait.is_set {
            wait.is_set = true;
            state.mailbox.set_wants_stream(true);
            state.connection.hooks().set_announce(true);
        }
        if !state.mailbox.is_empty() {
            return None;
        }
        let kind = state.claim_message()?;
        drop(state);
        Some(self.begun(kind))
    }

    /// A message that was claimed. Reading may have stopped for it.
    fn begun(&self, kind: MessageKind) -> Begun {
        let driver = self.shared().lock().driver_to_resume();
        wake(driver);
        Begun { kind, whole: None }
    }

    /// Takes the next chunk. `None` after the last.
    fn poll_chunk(&mut self, waiting: &mut Waiting, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let mut state = self.shared().lock();
        if let Some(chunk) = state.mailbox.next_chunk() {
            let driver = state.driver_to_resume();
            drop(state);
            wake(driver);
            return Poll::Ready(Ok(Some(chunk)));
        }
        if state.mailbox.end_stream() {
            waiting.leave(state.wakers.waiters());
            return Poll::Ready(Ok(None));
        }
        if state.lifecycle.closed().is_some() {
            waiting.leave(state.wakers.waiters());
            return Poll::Ready(Err(state.lifecycle.error()));
        }
        waiting.wait(state.wakers.waiters(), cx.waker());
        // An application that waits for a chunk has answered what came before, so a Close that was held can be answered.
        let replaced = state.wakers.receive(cx);
        let mut driver = state.driver_to_resume();
        if state.connection.hooks().is_close_held() {
            driver = driver.or_else(|| state.wakers.driver());
        }
        drop(state);
        drop(replaced);
        wake(driver);
        Poll::Pending
    }
}

/// Waits for the next message of `source`.
pub(crate) async fn receive<S: StreamSource>(source: &mut S) -> Result<Option<IncomingStream<'_, S>>, Error> {
    let mut wait = BegunGuard::new(Arc::clone(source.handle().shared()));
    let begun = poll_fn(|cx| source.poll_source(cx, |socket, cx| socket.poll_begun(&mut wait, cx))).await?;
    drop(wait);
    Ok(begun.map(|begun| IncomingStream::new(source, begun)))
}

/// A task that waits for the next message in chunks. It is removed when the future is dropped.
struct BegunGuard {
    shared: Arc<Shared>,
    waiting: Waiting,
    is_set: bool,
}

impl BegunGuard {
    fn new(shared: Arc<Shared>) -> Self {
        Self { shared, waiting: Waiting::default(), is_set: false }
    }
}

impl Drop for BegunGuard {
    fn drop(&mut self) {
        if self.is_set {
            let mut state = self.shared.lock();
            state.mailbox.set_wants_stream(false);
            state.connection.hooks().set_announce(false);
            state.wakers.stop_receiving();
            self.waiting.leave(state.wakers.waiters());
        }
    }
}

impl<'a, S: StreamSource> IncomingStream<'a, S> {
    fn new(source: &'a mut S, Begun { kind, whole }: Begun) -> Self {
        let state = if whole.is_some() { Progress::Complete } else { Progress::Arriving };
        Self { source, kind, current: whole.unwrap_or_default(), state, waiting: Waiting::default() }
    }

    /// Whether the message is text or binary. Text is checked as it arrives: all chunks up to now form the beginning of valid
    /// UTF-8. A chunk may end inside a character.
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Waits for the next chunk: the bytes that have arrived, independent of frames, and never empty. `None` after the last.
    ///
    /// Cancel-safe: no chunk is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// If the connection ends within the message, even by a Close frame. Further calls return the error again.
    pub fn chunk(&mut self) -> impl Future<Output = Result<Option<Bytes>, Error>> + '_ {
        poll_fn(|cx| self.poll_chunk(cx))
    }

    /// Receives as [`chunk`](Self::chunk) does, as a poll function.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        ready!(self.poll_current(cx))?;
        let chunk = std::mem::take(&mut self.current);
        Poll::Ready(Ok((!chunk.is_empty()).then_some(chunk)))
    }

    /// Waits until there are bytes that were not returned. They are empty after the last.
    fn poll_current(&mut self, cx: &mut Context<'_>) -> Poll<Result<&Bytes, Error>> {
        if self.current.is_empty() && self.state != Progress::Complete {
            let Self { source, waiting, .. } = self;
            match ready!(source.poll_source(cx, |socket, cx| socket.poll_chunk(waiting, cx))) {
                Ok(Some(chunk)) => self.current = chunk,
                Ok(None) => self.state = Progress::Complete,
                Err(error) => {
                    self.state = Progress::Failed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(&self.current))
    }
}

impl<S: StreamSource> Stream for IncomingStream<'_, S> {
    type Item = Result<Bytes, Error>;

    /// Receives as [`IncomingStream::chunk`] does. An error is the last item.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.state == Progress::Failed { Poll::Ready(None) } else { this.poll_chunk(cx).map(Result::transpose) }
    }
}

impl<S: StreamSource> FusedStream for IncomingStream<'_, S> {
    fn is_terminated(&self) -> bool {
        self.current.is_empty() && self.state != Progress::Arriving
    }
}

impl<S: StreamSource> Drop for IncomingStream<'_, S> {
    fn drop(&mut self) {
        if self.state == Progress::Complete {
            return;
        }
        let shared = Arc::clone(self.source.handle().shared());
        let mut state = shared.lock();
        self.waiting.leave(state.wakers.waiters());
        let discarded = state.mailbox.discard_stream();
        let driver = state.driver_to_resume();
        drop(state);
        drop(discarded);
        wake(driver);
    }
}

impl<S: StreamSource> fmt::Debug for IncomingStream<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingStream").field("kind", &self.kind).field("state", &self.state).finish_non_exhaustive()
    }
}

/// `AsyncRead` and `AsyncBufRead` of futures.
#[cfg(feature = "futures-io")]
mod on_futures_io {
    use std::io;

    use futures_io::{AsyncBufRead, AsyncRead};

    use super::*;

    impl<S: StreamSource> AsyncRead for IncomingStream<'_, S> {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            let this = self.get_mut();
            let n = ready!(this.poll_current(cx))?.len().min(buf.len());
            let piece = this.current.split_to(n);
            buf.iter_mut().zip(&piece).for_each(|(to, from)| *to = *from);
            Poll::Ready(Ok(n))
        }
    }

    impl<S: StreamSource> AsyncBufRead for IncomingStream<'_, S> {
        fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
            self.get_mut().poll_current(cx).map(|current| Ok(current?.as_ref()))
        }

        fn consume(self: Pin<&mut Self>, n: usize) {
            let this = self.get_mut();
            drop(this.current.split_to(n.min(this.current.len())));
        }
    }
}

/// `AsyncRead` and `AsyncBufRead` of tokio.
#[cfg(feature = "tokio")]
mod on_tokio {
    use std::io;

    use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

    use super::*;

    impl<S: StreamSource> AsyncRead for IncomingStream<'_, S> {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let this = self.get_mut();
            let n = ready!(this.poll_current(cx))?.len().min(buf.remaining());
            buf.put_slice(&this.current.split_to(n));
            Poll::Ready(Ok(()))
        }
    }

    impl<S: StreamSource> AsyncBufRead for IncomingStream<'_, S> {
        fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
            self.get_mut().poll_current(cx).map(|current| Ok(current?.as_ref()))
        }

        fn consume(self: Pin<&mut Self>, n: usize) {
            let this = self.get_mut();
            drop(this.current.split_to(n.min(this.current.len())));
        }
    }
}
