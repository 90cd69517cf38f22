//! [`WebSocket`]: the handle of an application.

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
use ws_proto::{CloseCode, ConnectionStats, Message, Outcome, Prepared, Role, SendError};

use super::Sender;
use crate::error::Error;
use crate::shared::{RoundTrip, Shared, State, Waiting, wake};
#[cfg(feature = "tls")]
use crate::tls::TlsInfo;

/// An open WebSocket: receives messages, and sends like a [`Sender`].
///
/// It is independent of the runtime: its [`Driver`](crate::Driver) moves the bytes. It is also a
/// [`Stream`](futures_core::Stream) and a [`Sink`]. Every method is cancel-safe, because messages are held by the
/// connection, not by the futures, except those that send a message in pieces: see [`Sender::send_stream`].
///
/// **Receive, or call [`send_only`](Self::send_only).** When the inbound queue is full, reading stops until the application
/// receives. This slows the peer down, but its pings are not answered either, and its Close is not seen. An application
/// that only sends, such as a clock, must call `send_only`.
///
/// Dropping it never waits. For a client, the driver then closes the connection with 1001, unless a [`Sender`] is left. A
/// server's connection is closed when its handler returns.
pub struct WebSocket {
    pub(super) sender: Sender,
    /// Messages taken out of the inbound queue together, so that not each one takes the lock.
    pub(super) taken: VecDeque<Message>,
    /// When this many of them are left, the driver is told that it may read on.
    pub(super) tell_at: usize,
    /// The condition that the sink waits for.
    pub(super) sink: Waiting,
    /// Whether the stream has returned its last item.
    pub(super) stream_ended: bool,
}

impl WebSocket {
    pub(crate) fn new(sender: Sender) -> Self {
        Self { sender, taken: VecDeque::new(), tell_at: 0, sink: Waiting::default(), stream_ended: false }
    }

    /// Returns a handle that only sends. It can be cloned and moved to other tasks.
    ///
    /// There is no `split`. [`send`](Self::send) takes `&self`, and a `Sender` sends while this handle receives, in another
    /// task or in the same one.
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
    /// The same as [`Sender::send`].
    #[doc(alias = "write", alias = "emit", alias = "send_text", alias = "send_binary")]
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.sender.send(message)
    }

    /// Queues a message without waiting, even above the high-water mark. See [`Sender::try_send`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::try_send`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError<Message>> {
        self.sender.try_send(message)
    }

    /// Queues a message, with a choice of compression. See [`Sender::send_with`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_with`].
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
    /// The same as [`Sender::send_prepared`].
    pub fn send_prepared<'a>(&'a self, prepared: &'a Prepared) -> impl Future<Output = Result<(), Error>> + Send + 'a {
        self.sender.send_prepared(prepared)
    }

    /// Queues an encoded message without waiting, even above the high-water mark. See [`Sender::try_send_prepared`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::try_send_prepared`].
    pub fn try_send_prepared(&self, prepared: &Prepared) -> Result<(), SendError<()>> {
        self.sender.try_send_prepared(prepared)
    }

    /// Queues the first or next fragment of a message. See [`Sender::send_fragment`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_fragment`].
    pub fn send_fragment(
        &self,
        fragment: impl Into<Message>,
        last: bool,
    ) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.sender.send_fragment(fragment, last)
    }

    /// Waits until the transport has taken everything that is queued now. See [`Sender::flush`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::flush`].
    pub fn flush(&self) -> impl Future<Output = Result<(), Error>> + Send + '_ {
        self.sender.flush()
    }

    /// Sends a ping, waits for its pong, and returns the round-trip time. See [`Sender::ping`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::ping`].
    pub fn ping(&self) -> impl Future<Output = Result<RoundTrip, Error>> + Send + '_ {
        self.sender.ping()
    }

    /// Closes the connection with this code and reason, and waits for the peer's Close frame. See [`Sender::close`].
    ///
    /// Messages that arrive meanwhile can be received afterwards, as many as the inbound queue holds. Further ones are
    /// discarded, and then receiving fails with [`Error::Skipped`]. To receive while closing, close with a [`Sender`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::close`].
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

    /// Waits until the connection has ended, including its transport. Either end may end it.
    ///
    /// Messages that arrive meanwhile can be received afterwards, as many as the inbound queue holds. Further ones are
    /// discarded, and then receiving fails with [`Error::Skipped`]. To receive while waiting, wait with a [`Sender`].
    pub async fn closed(&self) -> Outcome {
        let _waiting = AwaitsEnd::new(&self.sender.shared);
        self.sender.closed().await
    }

    /// The round-trip time of the last answered ping, keepalive pings included.
    pub fn latency(&self) -> Option<Duration> {
        self.sender.latency()
    }

    /// The counters of the connection. See [`Sender::stats`].
    pub fn stats(&self) -> ConnectionStats {
        self.sender.stats()
    }

    /// A connection ID, unique within this process. Logs carry it.
    pub fn id(&self) -> u64 {
        self.sender.id()
    }

    /// The request that opened the connection. It is empty (`GET /`) if the connection was made without
    /// [`Parts::heads`](crate::Parts::heads).
    pub fn request(&self) -> &Request<()> {
        self.sender.shared.info.opening.heads.request()
    }

    /// The response that accepted it. It is a 101 without headers if there are no heads.
    pub fn response(&self) -> &Response<()> {
        self.sender.shared.info.opening.heads.response()
    }

    /// The subprotocol that both sides agreed on, if any (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.sender.shared.info.opening.subprotocol.as_deref()
    }

    /// The peer's address, if the transport has one. Behind a reverse proxy it is the proxy's.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.sender.shared.lock().caller.addresses.peer
    }

    /// Our own address, if the transport has one.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.sender.shared.lock().caller.addresses.local
    }

    /// The client's address, on a server. It is the peer's address, unless the peer is one of
    /// [`Server::trusted_proxies`](crate::Server::trusted_proxies). Then it is the address that the proxy names. An IPv4
    /// client is reported as IPv4 even if an IPv6 socket has accepted it.
    ///
    /// `None` if the address is unknown, as over a Unix socket, and on a client.
    pub fn client_ip(&self) -> Option<IpAddr> {
        let state = self.sender.shared.lock();
        match state.connection.role() {
            Role::Server => state.caller.client_ip(),
            Role::Client => None,
        }
    }

    /// The result of the TLS handshake: the host name that was asked for, version, cipher suite, and the peer's certificates.
    ///
    /// `None` without TLS, and where the TLS is not ours: behind a proxy that ends it, and over an HTTP library that hides the
    /// socket. On a stream of HTTP/2, it is that of the connection which carries the stream.
    #[cfg(feature = "tls")]
    pub fn tls(&self) -> Option<TlsInfo> {
        self.sender.shared.lock().caller.tls().cloned()
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

/// While this guard is held, the application waits for the end only. Reading continues even when the inbound queue is full,
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
