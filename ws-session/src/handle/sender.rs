//! The sending half of a handle: cheap to clone, usable from anywhere.

use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::Compress;
use ws_proto::{CloseCode, CloseError, CloseFrame, Message, Outcome, Prepared, SendError};

use super::guard::WaitGuard;
#[cfg(feature = "deflate")]
use super::outbound::WithCompression;
use super::outbound::{self, Fragment, Outbound};
use crate::error::Error;
use crate::shared::{Key, RoundTrip, Shared, State, wake};

/// Sends to one connection. Clones share it.
///
/// A client's connection stays open while there is a [`WebSocket`](crate::WebSocket) or a `Sender` of it, and is closed with
/// 1001 when the last of them is dropped; a server's is closed when its handler returns.
///
/// Two are equal when they send to the same connection, so a `HashSet<Sender>` or a `HashMap<Sender, _>` holds each
/// connection once. (Clippy's `mutable_key_type` warns of that for no reason: only the connection's ID is compared and
/// hashed, and it never changes. A map by [`id`](Self::id) does the same without the warning.) To send to many, clone a [`Message`] (clones share its payload) or encode it once as a [`Prepared`].
///
/// Every method is cancel-safe: a future that is dropped has either done its work or nothing at all.
#[doc(alias = "broadcast")]
pub struct Sender {
    pub(crate) shared: Arc<Shared>,
}

impl Sender {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.handles.add();
        Self { shared }
    }

    /// Queues a message, after waiting until the queue is below its high-water mark
    /// ([`Limits::high_water`](ws_proto::Limits::high_water)).
    ///
    /// `Ok` means queued: the driver writes it, together with what else is queued by then. When the program ends first, in
    /// the ordinary way (`main` returns), it is still written, as far as the socket takes it at once. To be sure that the
    /// system has it, wait for [`flush`](Self::flush); that the peer has it, for [`close`](Self::close). What is queued is
    /// lost when the process crashes or calls [`std::process::exit`], when a runtime is stopped without its tasks being
    /// dropped (tokio's `shutdown_background`), and when the socket takes no more. On a runtime that does not drop its
    /// tasks (async-std's, smol's), the handle that is dropped last on the way out writes it; a server's handler, whose
    /// thread ends with the process, does not.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// When the connection is closing or has ended, or between the fragments of another message.
    #[doc(alias = "write", alias = "emit", alias = "send_text", alias = "send_binary")]
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.send_when_room(message.into())
    }

    /// Queues the first or next fragment of a message (RFC 6455 §5.4), as [`send`](Self::send) does; `last` ends the
    /// message. All its fragments are of one kind, and until the last no other message can be sent.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_fragment(
        &self,
        fragment: impl Into<Message>,
        last: bool,
    ) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.send_when_room(Fragment { part: fragment.into(), last })
    }

    /// Queues a message at once, whatever the high-water mark.
    ///
    /// # Errors
    ///
    /// Hands the message back when the queue is at its cap ([`Limits::hard_cap`](ws_proto::Limits::hard_cap)), when the
    /// connection is closing or has ended, or between the fragments of another message.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError<Message>> {
        let mut unsent = Some(message.into());
        match (outbound::queue(&self.shared, &mut unsent, true), unsent) {
            (Err(refused), Some(message)) => Err(refused.map(|()| message)),
            _ => Ok(()),
        }
    }

    /// Queues a message as [`send`](Self::send) does, and says whether it is compressed (RFC 7692 §6). Where compression
    /// was not agreed on it never is.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[cfg(feature = "deflate")]
    pub fn send_with(
        &self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.send_when_room(WithCompression { message: message.into(), compress })
    }

    /// Queues a message that was encoded once for many connections, otherwise as [`send`](Self::send) does.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_prepared<'a>(&'a self, prepared: &'a Prepared) -> impl Future<Output = Result<(), Error>> + Send + 'a {
        self.send_when_room(prepared)
    }

    /// Queues a message that was encoded once for many connections at once, whatever the high-water mark.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_prepared(&self, prepared: &Prepared) -> Result<(), SendError<()>> {
        outbound::queue(&self.shared, &mut Some(prepared), true)
    }

    /// Waits until all that is queued now has been taken by the transport (for TCP: by the kernel). From then on it
    /// leaves even if the process ends, but whether it arrives only [`close`](Self::close) tells.
    ///
    /// # Errors
    ///
    /// When the connection ends before.
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

    /// Sends a ping and waits for its pong; how long that took. A pong with another payload, which some peers send, answers
    /// the oldest ping, and the result says so ([`RoundTrip::payload_differed`]). The pong comes behind the messages the peer sent before
    /// it: while the inbound queue is full and nobody receives, it is not read.
    ///
    /// Between the fragments of a message ([`send_fragment`](Self::send_fragment)) the ping waits for the last one, for peers
    /// that break otherwise; [`Config::ping_between_fragments`](ws_proto::Config::ping_between_fragments) names them and lets
    /// it go at once. Where no fragment follows within the ping interval, or 20 s if that is longer, or a second without
    /// keepalive pings, it goes out inside the message. The time counts from when it goes out.
    ///
    /// Cancel-safe: when the future is dropped, the pong is awaited no longer.
    ///
    /// # Errors
    ///
    /// When the connection closes before.
    pub fn ping(&self) -> impl Future<Output = Result<RoundTrip, Error>> + Send + '_ {
        let mut ping = None;
        let mut waiting = WaitGuard::new(&self.shared);
        poll_fn(move |cx| {
            let ping = ping.get_or_insert_with(|| PingGuard::new(&self.shared));
            waiting.poll(cx, |state| ping.result(state))
        })
    }

    /// Closes the connection (RFC 6455 §7.1.2) and waits for the peer's Close frame. The code is a number or a [`CloseCode`]:
    /// `close(1000, "")` and `close(CloseCode::NORMAL, "")` do the same. What was sent before is written first, then our
    /// Close frame, then the peer's is awaited, [`Deadlines::close`](ws_proto::Deadlines::close) at the longest. The driver
    /// sees to the end of the transport then; who wants to wait for that as well calls [`closed`](Self::closed). A reason
    /// over 123 bytes is cut at a character boundary. [`CloseCode::NO_STATUS`] sends a Close without a body. Some clients
    /// reconnect after 1000: see [`CloseCode`].
    ///
    /// Some peers let go of the connection instead of answering: that is no error, but the outcome is not clean, its cause
    /// [`Cause::Unanswered`](ws_proto::Cause::Unanswered), and nobody knows whether they have read all that was sent. A
    /// client ends its side of the transport after [`Deadlines::half_close`](ws_proto::Deadlines::half_close) without an
    /// answer, which some servers wait for.
    ///
    /// Idempotent: the first close counts, others wait with it. Cancel-safe: the closing handshake begins with the
    /// call, and goes on when the future is dropped.
    ///
    /// # Errors
    ///
    /// When the code must not be sent; when the connection ended otherwise than by the peer's Close frame or its letting go
    /// after ours, or before all messages were written.
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

    /// Waits for the end of the connection, whoever ends it: the transport is gone then.
    pub fn closed(&self) -> impl Future<Output = Outcome> + Send + '_ {
        let mut waiting = WaitGuard::new(&self.shared);
        poll_fn(move |cx| waiting.poll(cx, |state| state.outcome()))
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        !self.shared.lock().is_closing()
    }

    /// The round-trip time of the last ping that was answered, keepalive's included.
    pub fn latency(&self) -> Option<Duration> {
        self.shared.lock().connection.latency()
    }

    /// Names the connection within this process; the log uses it too.
    pub fn id(&self) -> u64 {
        self.shared.info.id
    }

    /// Asks for the closing handshake, unless it has begun.
    pub(crate) fn begin_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        if !code.may_be_sent() && code != CloseCode::NO_STATUS {
            return Err(CloseError(code).into());
        }
        self.shared.close(CloseFrame::new(code, reason));
        Ok(())
    }

    /// Asks for the closing handshake, where nothing else ends the connection already.
    pub(crate) fn close_unless_closing(&self, code: CloseCode) {
        if !self.shared.lock().is_closing() {
            self.shared.close(CloseFrame::new(code, ""));
        }
    }

    /// Queues what is to be sent, unless it has to wait for room. What is refused stays `unsent`.
    pub(crate) fn queue<O: Outbound>(&self, unsent: &mut Option<O>) -> Poll<Result<(), Error>> {
        match outbound::queue(&self.shared, unsent, false) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(SendError::Full(())) => Poll::Pending,
            Err(refused) => Poll::Ready(Err(self.error_of(refused))),
        }
    }

    /// A send that is refused by the engine's own rules.
    pub(crate) fn error_of<M>(&self, error: SendError<M>) -> Error {
        match error {
            SendError::Closed(_) => self.shared.lock().lifecycle.error(),
            other => other.into(),
        }
    }

    /// Written out: an `async fn` would have room for what it sends twice.
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
                // Nothing has been queued. When another sender takes the room, the wait goes on.
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

/// A ping that is waited for; dropped, it no longer is.
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

    /// The round trip, or that there will be none, once that is known.
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
