//! The handle an application holds.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_sink::Sink;
use http::{Request, Response};
#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::Compress;
use ws_proto::{CloseCode, Message, Outcome, Prepared, Role, SendError};

use super::Sender;
use crate::error::Error;
use crate::shared::{RoundTrip, Shared, State, Waiting, wake};

/// An open WebSocket: receives, and sends like a [`Sender`].
///
/// It knows no runtime: the bytes are moved by its [`Driver`](crate::Driver). Every method is cancel-safe: what has
/// come in or is to go out lives in the connection, not in the futures. It is also a [`Stream`](futures_core::Stream) and a [`Sink`].
///
/// **Receive, or say that you do not.** When as many messages wait to be received as may, reading stops until the
/// application takes some: the peer is held up, but its pings are not answered either, and its Close is not seen. An
/// application that only sends, a clock for one, gives up receiving with [`send_only`](Self::send_only).
///
/// Dropping it never waits. A client's connection is closed with 1001 then, by its driver, unless a [`Sender`] is left; a
/// server's is closed when its handler returns.
pub struct WebSocket {
    pub(super) sender: Sender,
    /// Messages taken out of the inbound queue together, so that not each takes the lock.
    pub(super) taken: VecDeque<Message>,
    /// With so many of them left, the driver is told, and may go on reading.
    pub(super) tell_at: usize,
    /// What the sink waits for.
    pub(super) sink: Waiting,
    /// Whether the stream has returned its last item.
    pub(super) stream_ended: bool,
}

impl WebSocket {
    pub(crate) fn new(sender: Sender) -> Self {
        Self { sender, taken: VecDeque::new(), tell_at: 0, sink: Waiting::default(), stream_ended: false }
    }

    /// A handle that only sends; it can be cloned and moved anywhere.
    ///
    /// There is no `split`: [`send`](Self::send) needs no `&mut`, and a `Sender` sends while this handle receives, in
    /// another task or in the same one.
    ///
    /// ```
    /// # use ws_session::{Error, WebSocket};
    /// /// Sends a hundred messages and counts the answers meanwhile.
    /// async fn both_ways(ws: &mut WebSocket) -> Result<usize, Error> {
    ///     let sender = ws.sender();
    ///     let sending = async {
    ///         for n in 0..100 {
    ///             sender.send(format!("message {n}")).await?;
    ///         }
    ///         sender.close(1000, "").await
    ///     };
    ///     let receiving = async {
    ///         let mut answers = 0;
    ///         while ws.recv().await?.is_some() {
    ///             answers += 1;
    ///         }
    ///         Ok(answers)
    ///     };
    ///     // Or `tokio::join!`, or `futures::join!`.
    ///     let (sent, answers) = futures_util::future::join(sending, receiving).await;
    ///     sent?;
    ///     answers
    /// }
    /// ```
    #[doc(alias = "split", alias = "into_split", alias = "clone", alias = "broadcast")]
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Queues a message. See [`Sender::send`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    #[doc(alias = "write", alias = "emit", alias = "send_text", alias = "send_binary")]
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.sender.send(message)
    }

    /// Queues a message at once, whatever the high-water mark. See [`Sender::try_send`].
    ///
    /// # Errors
    ///
    /// As [`Sender::try_send`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError<Message>> {
        self.sender.try_send(message)
    }

    /// Queues a message, and says whether it is compressed. See [`Sender::send_with`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send_with`].
    #[cfg(feature = "deflate")]
    pub fn send_with(
        &self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.sender.send_with(message, compress)
    }

    /// Queues a message that was encoded once for many connections. See [`Sender::send_prepared`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send_prepared`].
    pub fn send_prepared<'a>(&'a self, prepared: &'a Prepared) -> impl Future<Output = Result<(), Error>> + Send + 'a {
        self.sender.send_prepared(prepared)
    }

    /// Queues such a message at once, whatever the high-water mark. See [`Sender::try_send_prepared`].
    ///
    /// # Errors
    ///
    /// As [`Sender::try_send_prepared`].
    pub fn try_send_prepared(&self, prepared: &Prepared) -> Result<(), SendError<()>> {
        self.sender.try_send_prepared(prepared)
    }

    /// Queues the first or next fragment of a message. See [`Sender::send_fragment`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send_fragment`].
    pub fn send_fragment(
        &self,
        fragment: impl Into<Message>,
        last: bool,
    ) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.sender.send_fragment(fragment, last)
    }

    /// Waits until all that is queued now has been taken by the transport. See [`Sender::flush`].
    ///
    /// # Errors
    ///
    /// As [`Sender::flush`].
    pub fn flush(&self) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.sender.flush()
    }

    /// Sends a ping and waits for its pong; how long that took. See [`Sender::ping`].
    ///
    /// # Errors
    ///
    /// As [`Sender::ping`].
    pub fn ping(&self) -> impl Future<Output = Result<RoundTrip, Error>> + Send + '_ {
        self.sender.ping()
    }

    /// Closes the connection and waits for the peer's Close frame. See [`Sender::close`].
    ///
    /// Messages that still come in can be received afterwards, as many as the inbound queue holds; more are thrown
    /// away, and receiving fails with [`Error::Skipped`] then. To receive while closing, use a [`Sender`] to close.
    ///
    /// # Errors
    ///
    /// As [`Sender::close`].
    #[doc(alias = "shutdown")]
    pub fn close(
        &self,
        code: impl Into<CloseCode>,
        reason: impl AsRef<str>,
    ) -> impl Future<Output = Result<Outcome, Error>> + Send + '_ {
        let closing = self.sender.close(code, reason);
        async {
            let _waiting = AwaitsEnd::new(&self.sender.shared);
            closing.await
        }
    }

    /// Waits for the end of the connection, whoever ends it: the transport is gone then.
    ///
    /// Messages that come in meanwhile can be received afterwards, as many as the inbound queue holds; more are thrown
    /// away, and receiving fails with [`Error::Skipped`] then. To receive while waiting, wait with a [`Sender`].
    pub async fn closed(&self) -> Outcome {
        let _waiting = AwaitsEnd::new(&self.sender.shared);
        self.sender.closed().await
    }

    /// The round-trip time of the last ping that was answered, keepalive's included.
    pub fn latency(&self) -> Option<Duration> {
        self.sender.latency()
    }

    /// Names the connection within this process; the log uses it too.
    pub fn id(&self) -> u64 {
        self.sender.id()
    }

    /// The request that opened the connection. Empty (`GET /`) where a connection was made without
    /// [`Parts::heads`](crate::Parts::heads).
    pub fn request(&self) -> &Request<()> {
        self.sender.shared.info.opening.heads.request()
    }

    /// The response that accepted it. A 101 without headers where there are no heads.
    pub fn response(&self) -> &Response<()> {
        self.sender.shared.info.opening.heads.response()
    }

    /// The subprotocol that both sides agreed on, if any (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.sender.shared.info.opening.subprotocol.as_deref()
    }

    /// The peer's address, when the transport has one. Behind a reverse proxy that is the proxy's.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.sender.shared.lock().caller.addresses.peer
    }

    /// Our own address, when the transport has one.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.sender.shared.lock().caller.addresses.local
    }

    /// The address of the client that this server's connection is for, as far as it can be believed: the peer's, unless
    /// that is a proxy of [`Server::trusted_proxies`](crate::Server::trusted_proxies); then what it says. An IPv4 address
    /// is one even where a socket for IPv6 has accepted it.
    ///
    /// `None` when nothing is known, as over a Unix socket, and at the client's end.
    pub fn client_ip(&self) -> Option<IpAddr> {
        let state = self.sender.shared.lock();
        match state.connection.role() {
            Role::Server => state.caller.client_ip(),
            Role::Client => None,
        }
    }
}

impl Sink<Message> for WebSocket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_sink(cx, |state| state.has_room().then_some(Ok(())))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.sender.try_send(message).map_err(|error| self.sender.error_of(error))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_sink(cx, |state| {
            let target = state.connection.outgoing().queued();
            state.flush_result(target)
        })
    }

    /// Closes with 1000 and waits for the peer's Close frame, as [`WebSocket::close`] does.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sender.close_unless_closing(CloseCode::NORMAL);
        self.poll_sink(cx, State::close_result).map_ok(drop)
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        let mut state = self.sender.shared.lock();
        self.sink.leave(state.wakers.waiters());
        // Dropped once the lock is released.
        let (unread, receiver) = (state.mailbox.abandon(), state.wakers.drop_receiver());
        state.discard_unwanted(unread.len() + self.taken.len());
        let driver = state.wakers.driver();
        drop(state);
        drop((unread, receiver));
        wake(driver);
    }
}

/// While this is held, the application waits for nothing but the end: reading goes on whatever waits to be received,
/// and the peer's Close is answered at once.
pub(crate) struct AwaitsEnd<'a> {
    shared: &'a Shared,
}

impl<'a> AwaitsEnd<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        let mut state = shared.lock();
        state.mailbox.begin_awaiting_end();
        let is_due = state.mailbox.is_paused() || state.connection.hooks().is_close_held();
        let driver = if is_due { state.wakers.driver() } else { None };
        drop(state);
        wake(driver);
        Self { shared }
    }
}

impl Drop for AwaitsEnd<'_> {
    fn drop(&mut self) {
        self.shared.lock().mailbox.stop_awaiting_end();
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("id", &self.id())
            .field("peer", &self.peer_addr())
            .field("subprotocol", &self.subprotocol())
            .finish()
    }
}
