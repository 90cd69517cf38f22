//! [`Sender`]: the handle that only sends. Cheap to clone, usable from any task.

use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::Compress;
use ws_proto::{CloseCode, CloseFrame, ConnectionStats, Message, Outcome, Prepared, SendError};

use super::check_code;
use super::guard::WaitGuard;
#[cfg(feature = "deflate")]
use super::outbound::WithCompression;
use super::outbound::{self, Fragment, Outbound};
use crate::error::Error;
use crate::shared::{Key, RoundTrip, Shared, State, wake};

/// A handle that sends to one connection. Clones send to the same connection.
///
/// A client's connection stays open while a [`WebSocket`](crate::WebSocket) or a `Sender` of it exists. When the last one is
/// dropped, the connection is closed with 1001. A server's connection is closed when its handler returns.
///
/// Two senders are equal if they send to the same connection. So a `HashSet<Sender>` or a `HashMap<Sender, _>` holds each
/// connection once. Clippy's `mutable_key_type` warns about that without need: only the connection's ID is compared and
/// hashed, and it never changes. A map by [`id`](Self::id) avoids the warning.
///
/// To send to many connections, encode the message once as a [`Prepared`] and call [`broadcast`](crate::broadcast()), or clone
/// a [`Message`] (clones share the payload).
///
/// Every method is cancel-safe: a dropped future has either done all of its work or nothing. Only a message that is sent in
/// pieces ([`send_stream`](Self::send_stream), `send_iter`, `send_reader`) can be left unfinished, which closes the
/// connection.
#[doc(alias = "broadcast")]
pub struct Sender {
    pub(crate) shared: Arc<Shared>,
}

impl Sender {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.handles.add();
        Self { shared }
    }

    /// Queues a message, after waiting until the outgoing queue is below its high-water mark
    /// ([`Limits::high_water`](ws_proto::Limits::high_water)).
    ///
    /// `Ok` means that the message is queued. The driver writes it, together with other queued messages.
    /// [`flush`](Self::flush) waits until the system has it, [`close`](Self::close) until the peer has it.
    ///
    /// If `main` returns first, the queue is still written as far as the socket takes it at once. On a runtime that does
    /// not drop its tasks (async-std's, smol's), the last handle writes it when it is dropped. A server's handler does not
    /// do so there, because its thread ends with the process.
    ///
    /// Queued messages are lost when the process crashes or calls [`std::process::exit`], when the socket takes no more, and
    /// when a runtime stops without dropping its tasks (tokio's `shutdown_background`).
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// If the connection is closing or has ended, or between the calls of [`send_fragment`](Self::send_fragment) for another
    /// message. While a message is sent as a stream, its end is waited for.
    #[doc(alias = "write", alias = "emit", alias = "send_text", alias = "send_binary")]
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.send_when_room(message.into())
    }

    /// Queues the first or next fragment of a message (RFC 6455 §5.4), as [`send`](Self::send) does. `last` ends the
    /// message. All fragments must be of one kind. No other message can be sent before the last fragment.
    ///
    /// # Errors
    ///
    /// The same as [`send`](Self::send).
    pub fn send_fragment(
        &self,
        fragment: impl Into<Message>,
        last: bool,
    ) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.send_when_room(Fragment { part: fragment.into(), last })
    }

    /// Queues a message without waiting, even above the high-water mark.
    ///
    /// # Errors
    ///
    /// Returns the message if the outgoing queue is at its cap ([`Limits::hard_cap`](ws_proto::Limits::hard_cap)), if the
    /// connection is closing or has ended, or between the fragments of another message.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError<Message>> {
        let mut unsent = Some(message.into());
        match (outbound::queue(&self.shared, &mut unsent, true), unsent) {
            (Err(refused), Some(message)) => Err(refused.map(|()| message)),
            _ => Ok(()),
        }
    }

    /// Queues a message as [`send`](Self::send) does, with a choice of compression (RFC 7692 §6). Without negotiated
    /// compression, no message is compressed.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// The same as [`send`](Self::send).
    #[cfg(feature = "deflate")]
    pub fn send_with(
        &self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.send_when_room(WithCompression { message: message.into(), compress })
    }

    /// Queues a message that was encoded once for many connections, as [`send`](Self::send) does.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// The same as [`send`](Self::send).
    pub fn send_prepared<'a>(&'a self, prepared: &'a Prepared) -> impl Future<Output = Result<(), Error>> + Send + 'a {
        self.send_when_room(prepared)
    }

    /// Queues a message that was encoded once for many connections, without waiting, even above the high-water mark.
    ///
    /// # Errors
    ///
    /// The same as [`try_send`](Self::try_send).
    pub fn try_send_prepared(&self, prepared: &Prepared) -> Result<(), SendError<()>> {
        outbound::queue(&self.shared, &mut Some(prepared), true)
    }

    /// Waits until the transport (for TCP, the kernel) has taken everything that is queued now. From then on it is sent even
    /// if the process ends. Only [`close`](Self::close) confirms that it has arrived.
    ///
    /// # Errors
    ///
    /// If the connection ends first.
    pub fn flush(&self) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        let mut target = None;
        let mut waiting = WaitGuard::new(&self.shared);
        poll_fn(move |cx| {
            waiting.poll(cx, |state| {
                let target = *target.get_or_insert_with(|| state.connection.outgoing().queued());
                state.flush_result(target)
            })
        })
    }

    /// Sends a ping, waits for its pong, and returns the round-trip time.
    ///
    /// The pong arrives after the messages that the peer sent before it. While the inbound queue is full and the application
    /// does not receive, the pong is not read. Some peers answer with another payload. Such a pong answers the oldest ping,
    /// and the result reports it ([`RoundTrip::payload_differed`]).
    ///
    /// Between the fragments of a message ([`send_fragment`](Self::send_fragment)) the ping waits for the last one, because
    /// some peers mishandle it otherwise. [`Config::ping_between_fragments`](ws_proto::Config::ping_between_fragments) names
    /// them, and sends it at once. If no fragment follows within the ping interval (at most 20 s; 1 s without keepalive
    /// pings), the ping is sent inside the message. The round trip is measured from the time of sending.
    ///
    /// Cancel-safe: when the future is dropped, the pong is no longer awaited.
    ///
    /// # Errors
    ///
    /// If the connection closes first.
    pub fn ping(&self) -> impl Future<Output = Result<RoundTrip, Error>> + Send + '_ {
        let mut ping = None;
        let mut waiting = WaitGuard::new(&self.shared);
        poll_fn(move |cx| {
            let ping = ping.get_or_insert_with(|| PingGuard::new(&self.shared));
            waiting.poll(cx, |state| ping.result(state))
        })
    }

    /// Closes the connection with this code and reason, and waits for the peer's Close frame (RFC 6455 §7.1.2).
    ///
    /// Queued messages are written first, then our Close frame. The peer's Close frame is awaited for at most
    /// [`Deadlines::close`](ws_proto::Deadlines::close). Then the driver ends the transport; [`closed`](Self::closed) waits
    /// for that too.
    ///
    /// The code is a number or a [`CloseCode`]: `close(1000, "")` and `close(CloseCode::NORMAL, "")` do the same.
    /// [`CloseCode::NO_STATUS`] sends a Close without a body. A reason over 123 bytes is cut at a character boundary. Some
    /// clients reconnect after 1000: see [`CloseCode`].
    ///
    /// Some peers end the connection instead of answering. That is not an error, but the outcome is not clean, with the
    /// cause [`Cause::Unanswered`](ws_proto::Cause::Unanswered). It is unknown then whether the peer has read everything.
    /// Some servers answer only after the client has ended its side of the transport. A client does so after
    /// [`Deadlines::half_close`](ws_proto::Deadlines::half_close) without an answer.
    ///
    /// Idempotent: the first call decides the code and the reason, and later calls wait with it. Cancel-safe: the closing
    /// handshake begins with the call, and continues when the future is dropped.
    ///
    /// # Errors
    ///
    /// If the code must not be sent, or if the connection ended before all messages were written. Also if it ended neither
    /// by the peer's Close frame nor by the peer ending it after ours.
    #[doc(alias = "shutdown")]
    pub fn close(
        &self,
        code: impl Into<CloseCode>,
        reason: impl AsRef<str>,
    ) -> impl Future<Output = Result<Outcome, Error>> + Send + '_ {
        let begun = self.begin_close(code.into(), reason.as_ref());
        let mut waiting = WaitGuard::new(&self.shared);
        poll_fn(move |cx| match &begun {
            Err(error) => Poll::Ready(Err(error.clone())),
            Ok(()) => waiting.poll(cx, State::close_result),
        })
    }

    /// Waits until the connection has ended, including its transport. Either end may end it.
    pub fn closed(&self) -> impl Future<Output = Outcome> + Send + '_ {
        let mut waiting = WaitGuard::new(&self.shared);
        poll_fn(move |cx| waiting.poll(cx, |state| state.outcome()))
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        !self.shared.lock().is_closing()
    }

    /// The round-trip time of the last answered ping, keepalive pings included.
    pub fn latency(&self) -> Option<Duration> {
        self.shared.lock().connection.latency()
    }

    /// The counters of the connection: messages, frames, bytes, and the compression ratio. They stay after its end.
    pub fn stats(&self) -> ConnectionStats {
        self.shared.lock().connection.stats()
    }

    /// A connection ID, unique within this process. Logs carry it.
    pub fn id(&self) -> u64 {
        self.shared.info.id
    }

    /// Asks for the closing handshake, unless it has begun.
    pub(crate) fn begin_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        check_code(code)?;
        self.shared.close(CloseFrame::new(code, reason));
        Ok(())
    }

    /// Asks for the closing handshake, unless the connection is ending already.
    pub(crate) fn close_unless_closing(&self, code: CloseCode) {
        if !self.shared.lock().is_closing() {
            self.shared.close(CloseFrame::new(code, ""));
        }
    }

    /// Queues a message, unless it has to wait for room. A refused message stays in `unsent`.
    #[inline]
    pub(crate) fn queue<O: Outbound>(&self, unsent: &mut Option<O>) -> Poll<Result<(), Error>> {
        match outbound::queue(&self.shared, unsent, false) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(SendError::Full(())) => Poll::Pending,
            Err(refused) => Poll::Ready(Err(self.error_of(refused))),
        }
    }

    /// Reports a send that the core refused.
    pub(crate) fn error_of<M>(&self, error: SendError<M>) -> Error {
        match error {
            SendError::Closed(_) => self.shared.lock().lifecycle.error(),
            other => other.into(),
        }
    }

    /// The future is written by hand, because that of an `async fn` would hold the message twice.
    fn send_when_room<'a, O: Outbound + Send + 'a>(
        &'a self,
        outbound: O,
    ) -> impl Future<Output = Result<(), Error>> + Send + 'a {
        let mut unsent = Some(outbound);
        let mut waiting = None;
        poll_fn(move |cx| {
            loop {
                if let Poll::Ready(result) = self.queue(&mut unsent) {
                    return Poll::Ready(result);
                }
                // Nothing has been queued. If another sender takes the room, the wait continues.
                let waiting = waiting.get_or_insert_with(|| WaitGuard::new(&self.shared));
                ready!(waiting.poll(cx, |state| state.has_room().then_some(())));
            }
        })
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.drop_handle();
    }
}

/// A ping whose pong is awaited. Dropping it stops waiting.
pub(crate) struct PingGuard<'a> {
    shared: &'a Shared,
    key: Key,
}

impl<'a> PingGuard<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        let mut state = shared.lock();
        let key = state.pings.request();
        let waker = state.wakers.driver();
        drop(state);
        wake(waker);
        Self { shared, key }
    }

    /// The round trip, or an error if there will be none, once known.
    pub(crate) fn result(&self, state: &State) -> Option<Result<RoundTrip, Error>> {
        match state.pings.answer(self.key) {
            Some(took) => Some(Ok(took)),
            None => state.is_closing().then(|| Err(state.lifecycle.error())),
        }
    }
}

impl Drop for PingGuard<'_> {
    fn drop(&mut self) {
        self.shared.lock().pings.forget(self.key);
    }
}

impl PartialEq for Sender {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Sender {}

impl Hash for Sender {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("id", &self.id()).field("is_open", &self.is_open()).finish()
    }
}
