//! Messages that are sent while they are made, in fragments (RFC 6455 §5.4).

use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;
use ws_proto::{ByteString, Bytes, CloseCode, CloseFrame, Message, MessageKind, SendError};

use super::gathered::Gathered;
use super::source::{FromIter, FromReader, FromStream, Source, StreamItem, StreamReader};
use super::{Sender, WebSocket};
use crate::error::Error;
use crate::shared::{Shared, Waiting, wake};

/// The number of fragments in one poll, so that other tasks get their turn.
const FRAGMENTS_PER_POLL: usize = 16;

/// The number of items in one poll. They may be empty, or of a byte each.
const PIECES_PER_POLL: usize = 4096;

/// The reason in the Close frame after a message that cannot be finished.
const REASON: &str = "a message could not be finished";

impl Sender {
    /// Sends the items of a stream as one message, in fragments, while the stream produces them (RFC 6455 §5.4). The items are
    /// bytes or text, or `Result`s of them.
    ///
    /// Items that are ready together are put together, up to the size of a fragment
    /// ([`Server::sent_fragment`](crate::Server::sent_fragment), 64 KiB by default). Longer ones are split. When the stream is
    /// not ready, the items so far are sent at once. The stream is only polled when the outgoing queue has room, so about two
    /// fragments are held: short items are copied behind each other. Each fragment is compressed, if compression was negotiated.
    ///
    /// Other tasks that send on this connection wait until the message is complete. [`try_send`](Self::try_send) and
    /// [`send_fragment`](Self::send_fragment) are refused meanwhile. A Close frame goes between the fragments, and ends the
    /// message. Pings wait for its end, unless
    /// [`Server::ping_between_fragments`](crate::Server::ping_between_fragments) is set.
    ///
    /// ```
    /// # use futures_util::stream;
    /// # use ws_session::{Error, MessageKind, Sender};
    /// # async fn count(sender: Sender) -> Result<(), Error> {
    /// let lines = stream::iter(["one\n", "two\n", "three\n"]);
    /// sender.send_stream(MessageKind::Text, lines).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// **Cancel safety.** When the future is dropped before the first fragment is queued, nothing is sent. When it is dropped
    /// later, the message cannot be finished: an early end would pass the beginning for the whole. So the connection is closed
    /// with 1011.
    ///
    /// # Errors
    ///
    /// The same as [`send`](Self::send). Also [`Error::Source`] if an item is an error, and [`Error::NotUtf8`] if a text
    /// message is not UTF-8. If a fragment has been queued by then, the connection is closed with 1011.
    #[doc(alias = "send_chunks", alias = "send_all")]
    pub fn send_stream<'a, S, K: 'a>(
        &'a self,
        kind: MessageKind,
        stream: S,
    ) -> impl Future<Output = Result<(), Error>> + use<'a, S, K>
    where
        S: Stream<Item: StreamItem<K>> + 'a,
    {
        self.transfer(kind, FromStream { stream, kind: PhantomData })
    }

    /// Sends the items of an iterator as one message, in fragments. Otherwise as [`send_stream`](Self::send_stream).
    ///
    /// An iterator of one item sends a long message in fragments, without a copy:
    /// `send_iter(MessageKind::Binary, [payload])`.
    ///
    /// # Errors
    ///
    /// The same as [`send_stream`](Self::send_stream).
    pub fn send_iter<'a, I>(
        &'a self,
        kind: MessageKind,
        items: I,
    ) -> impl Future<Output = Result<(), Error>> + use<'a, I>
    where
        I: IntoIterator<Item: Into<Bytes>> + 'a,
    {
        self.transfer(kind, FromIter(items.into_iter()))
    }

    /// Sends the bytes of a reader, such as a file, as one message, in fragments. Otherwise as
    /// [`send_stream`](Self::send_stream). The reader is an `AsyncRead` of tokio or of futures: see [`StreamReader`].
    ///
    /// # Errors
    ///
    /// The same as [`send_stream`](Self::send_stream). An error of the reader is the [`Error::Source`].
    pub fn send_reader<'a, R, K: 'a>(
        &'a self,
        kind: MessageKind,
        reader: R,
    ) -> impl Future<Output = Result<(), Error>> + use<'a, R, K>
    where
        R: StreamReader<K> + 'a,
    {
        self.transfer(kind, FromReader { reader, kind: PhantomData })
    }

    /// The future is not `Unpin`, because the source may not be.
    async fn transfer<S: Source>(&self, kind: MessageKind, source: S) -> Result<(), Error> {
        let mut transfer = pin!(Transfer::new(self, kind, source));
        poll_fn(|cx| transfer.as_mut().poll(cx)).await
    }
}

impl WebSocket {
    /// Sends the items of a stream as one message, in fragments. See [`Sender::send_stream`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_stream`].
    pub fn send_stream<'a, S, K: 'a>(
        &'a self,
        kind: MessageKind,
        stream: S,
    ) -> impl Future<Output = Result<(), Error>> + use<'a, S, K>
    where
        S: Stream<Item: StreamItem<K>> + 'a,
    {
        self.sender.send_stream(kind, stream)
    }

    /// Sends the items of an iterator as one message, in fragments. See [`Sender::send_iter`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_stream`].
    pub fn send_iter<'a, I>(
        &'a self,
        kind: MessageKind,
        items: I,
    ) -> impl Future<Output = Result<(), Error>> + use<'a, I>
    where
        I: IntoIterator<Item: Into<Bytes>> + 'a,
    {
        self.sender.send_iter(kind, items)
    }

    /// Sends the bytes of a reader as one message, in fragments. See [`Sender::send_reader`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_reader`].
    pub fn send_reader<'a, R, K: 'a>(
        &'a self,
        kind: MessageKind,
        reader: R,
    ) -> impl Future<Output = Result<(), Error>> + use<'a, R, K>
    where
        R: StreamReader<K> + 'a,
    {
        self.sender.send_reader(kind, reader)
    }
}

pin_project! {
    /// A message that is being sent from its source.
    pub(crate) struct Transfer<S> {
        #[pin]
        source: S,
        message: Unfinished,
        // The bytes of the source that are not queued.
        held: Gathered,
        // Whether the source has ended.
        has_ended: bool,
        // The fragment that waits for room, and whether it is the last.
        next: Option<(Message, bool)>,
    }
}

impl<S: Source> Transfer<S> {
    pub(crate) fn new(sender: &Sender, kind: MessageKind, source: S) -> Self {
        // A fragment of text has room for one character at least.
        let least = if kind == MessageKind::Text { 4 } else { 1 };
        let most = sender.shared.lock().connection.config().limits.sent_fragment.max(least);
        let message = Unfinished {
            shared: Arc::clone(&sender.shared),
            waiting: Waiting::default(),
            kind,
            most,
            has_begun: false,
        };
        Self { source, message, held: Gathered::default(), has_ended: false, next: None }
    }

    pub(crate) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut this = self.project();
        let mut pieces = 0;
        for _ in 0..FRAGMENTS_PER_POLL {
            if this.next.is_some() {
                let last = ready!(this.message.poll_queue(cx, this.next))?;
                if last {
                    return Poll::Ready(Ok(()));
                }
            } else {
                // The source is asked for no more before there is room for it.
                ready!(this.message.poll_room(cx))?;
            }
            let most = this.message.most;
            let mut is_waiting = false;
            // One byte more than a fragment shows that this is not the last.
            while this.held.len() <= most && !*this.has_ended && !is_waiting {
                if pieces == PIECES_PER_POLL {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                pieces += 1;
                let room = if this.held.len() < most { most - this.held.len() } else { most };
                match this.source.as_mut().poll_piece(cx, room) {
                    Poll::Ready(Some(piece)) => {
                        this.held.push(piece.map_err(|error| Error::Source(Arc::new(error)))?);
                    }
                    Poll::Ready(None) => *this.has_ended = true,
                    Poll::Pending => is_waiting = true,
                }
            }
            *this.next = this.message.next_fragment(this.held, *this.has_ended)?;
            if this.next.is_none() {
                // Nothing to send before the source has more. The end of the connection is noticed meanwhile.
                return this.message.poll_closing(cx);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The state of a message between its fragments. Dropping it closes the connection if the message has begun.
struct Unfinished {
    shared: Arc<Shared>,
    waiting: Waiting,
    kind: MessageKind,
    /// The longest fragment, in bytes.
    most: usize,
    /// Whether a fragment was queued, and the last was not.
    has_begun: bool,
}

impl Unfinished {
    /// Waits until this message may be continued, or begun, and the queue has room.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let has_begun = self.has_begun;
        self.shared.poll_until(&mut self.waiting, cx, |state| {
            if state.is_closing() {
                return Some(Err(state.lifecycle.error()));
            }
            if !has_begun && !state.wakers.senders_wait && state.connection.hooks().is_sending_fragments() {
                return Some(Err(Error::Unfinished));
            }
            let is_free = has_begun || !state.wakers.senders_wait;
            (is_free && !state.connection.is_above_high_water()).then_some(Ok(()))
        })
    }

    /// Queues the fragment, and returns whether it was the last.
    fn poll_queue(&mut self, cx: &mut Context<'_>, next: &mut Option<(Message, bool)>) -> Poll<Result<bool, Error>> {
        loop {
            ready!(self.poll_room(cx))?;
            let mut state = self.shared.lock();
            if state.wakers.senders_wait != self.has_begun || state.is_closing() {
                // Another task was faster.
                continue;
            }
            let Some((fragment, last)) = next.take() else { return Poll::Ready(Ok(false)) };
            match state.connection.send_fragment(fragment, last) {
                Ok(()) => {}
                Err(SendError::Full(fragment)) => {
                    *next = Some((fragment, last));
                    continue;
                }
                Err(refused) => return Poll::Ready(Err(refused.into())),
            }
            self.has_begun = !last;
            state.wakers.senders_wait = !last;
            if last {
                // Other tasks wait to send.
                state.wakers.announce();
            }
            let due = state.due(None);
            let driver = state.wakers.driver();
            drop(state);
            wake(driver);
            due.wake();
            return Poll::Ready(Ok(last));
        }
    }

    /// Waits for the end of the connection, beside the source.
    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll_until(&mut self.waiting, cx, |state| state.is_closing().then(|| Err(state.lifecycle.error())))
    }

    /// Takes the next fragment off the front of `held`, and whether it is the last. `None` if there is nothing to send yet.
    fn next_fragment(&self, held: &mut Gathered, has_ended: bool) -> Result<Option<(Message, bool)>, Error> {
        let mut front = held.take_front(self.most);
        let is_all = has_ended && held.is_empty();
        let piece = front.split_to(self.length_of_next(&front, is_all)?);
        held.put_back(front);
        let last = has_ended && held.is_empty();
        if piece.is_empty() && !last {
            return Ok(None);
        }
        let fragment = match self.kind {
            MessageKind::Binary => Message::Binary(piece),
            MessageKind::Text => Message::Text(ByteString::try_from(piece).map_err(|_| Error::NotUtf8)?),
        };
        Ok(Some((fragment, last)))
    }

    /// The length of the next fragment of `front`, in bytes. Text is split between characters, so that each fragment is
    /// valid. `is_all` if the message ends with it.
    fn length_of_next(&self, front: &[u8], is_all: bool) -> Result<usize, Error> {
        let most = self.most.min(front.len());
        let (fragment, rest) = front.split_at(most);
        if self.kind == MessageKind::Binary || (rest.is_empty() && is_all) {
            return Ok(most);
        }
        match std::str::from_utf8(fragment) {
            Ok(_) => Ok(most),
            Err(error) if error.error_len().is_some() => Err(Error::NotUtf8),
            Err(error) => Ok(error.valid_up_to()),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        self.waiting.leave(state.wakers.waiters());
        if !self.has_begun {
            return;
        }
        // Other tasks learn of the end.
        state.wakers.senders_wait = false;
        state.lifecycle.close(CloseFrame::new(CloseCode::INTERNAL_ERROR, REASON));
        state.wakers.announce();
        let due = state.due(None);
        let driver = state.wakers.driver();
        drop(state);
        wake(driver);
        due.wake();
    }
}

/// The sources of [`WebSocketStream`](crate::WebSocketStream).
pub(crate) fn of_stream<S, K>(stream: S) -> FromStream<S, K> {
    FromStream { stream, kind: PhantomData }
}

/// See [`of_stream`].
pub(crate) fn of_iter<I: IntoIterator>(items: I) -> FromIter<I::IntoIter> {
    FromIter(items.into_iter())
}

/// See [`of_stream`].
pub(crate) fn of_reader<R, K>(reader: R) -> FromReader<R, K> {
    FromReader { reader, kind: PhantomData }
}
