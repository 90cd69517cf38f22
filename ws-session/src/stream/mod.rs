//! [`WebSocketStream`]: handle, driver and transport in one value, without a task.

mod adapted;
mod detached;
mod facts;
#[cfg(feature = "json")]
mod json;
mod pollers;
mod polling;
mod streaming;
mod traits;

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::Compress;
use ws_proto::{CloseCode, Message, Outcome, Prepared};

pub use self::detached::StreamParts;
use self::pollers::{Pollers, Side};
use crate::driver::Driver;
use crate::error::Error;
use crate::handle::outbound::{Fragment, Outbound};
use crate::handle::{AwaitsEnd, PingGuard, Sender, WebSocket};
use crate::shared::RoundTrip;
use crate::transport::{Timer, Transport};

/// An open WebSocket that owns its transport, without a task of its own. It moves bytes while it is polled.
///
/// It does the work of [`WebSocket`] and [`Driver`] together. Choose it for a program without a runtime's tasks, for a
/// `select!` of your own, or to get the transport back. Choose a `WebSocket` with a driver in a task if the connection must
/// stay alive while the application does something else.
///
/// ```
/// use ws_session::{Error, Timer, Transport, WebSocketStream};
///
/// async fn echo<T: Transport, C: Timer>(mut ws: WebSocketStream<T, C>) -> Result<(), Error> {
///     while let Some(message) = ws.recv().await? {
///         ws.send(message).await?;
///     }
///     ws.flush().await
/// }
/// ```
///
/// # Polling
///
/// Every polled method moves bytes in both directions and keeps deadlines. It writes queued messages, reads input up to the
/// [limits of the inbound queue](crate::Parts::inbound_queue), answers pings, and sends keepalive pings.
///
/// **While nothing is polled, nothing happens.** Queued messages stay queued. The peer's pings and its Close are not answered,
/// and in the end a peer that sends keepalive pings ends the connection. So keep a [`recv`](Self::recv) pending while the
/// application waits for something else. A deadline that passes meanwhile is noticed late, but does no harm: the transport
/// is read before the deadline is judged. So a peer that has answered in the meantime is not taken for dead.
///
/// Futures of a [`Sender`] made by [`sender`](Self::sender) also become ready only while the stream is polled. In another
/// task they wake the task that polls the stream.
///
/// # Sending a lot in both directions
///
/// While [`send`](Self::send) waits for room, it reads. So two peers that both send do not wait for each other, as long as
/// the input fits the inbound queue: [`inbound_bytes`](crate::Parts::inbound_bytes), 4 MiB by default. An application that
/// sends more than that before it receives must send with a [`Sender`] while it receives:
///
/// ```
/// # use ws_session::{Error, Timer, Transport, WebSocketStream};
/// async fn both_ways<T: Transport, C: Timer>(ws: &mut WebSocketStream<T, C>) -> Result<usize, Error> {
///     let sender = ws.sender();
///     let sending = async {
///         for n in 0..100_000 {
///             sender.send(format!("message {n}")).await?;
///         }
///         sender.close(1000, "").await
///     };
///     let receiving = async {
///         let mut answers = 0;
///         while ws.recv().await?.is_some() {
///             answers += 1;
///         }
///         Ok::<_, Error>((answers, ws.closed().await))
///     };
///     let (sent, received) = futures_util::future::join(sending, receiving).await;
///     sent?;
///     Ok(received?.0)
/// }
/// ```
///
/// Otherwise [`Deadlines::write_stall`](crate::Deadlines::write_stall) ends the connection.
///
/// # Cancel safety
///
/// Every method is cancel-safe, as with [`WebSocket`]: messages are held by the connection, not by the futures. A dropped
/// `recv` loses nothing. A `send` that is dropped before it is ready has not queued its message.
///
/// # Dropping it
///
/// Dropping it never waits. It writes the outgoing queue and a Close frame with 1001, as far as the transport takes them at
/// once.
pub struct WebSocketStream<T: Transport, C: Timer> {
    // Dropped in this order: the driver writes its Close before the handle is dropped.
    driver: Driver<T, C>,
    socket: WebSocket,
    /// Set when two tasks poll: one the stream, the other the sink.
    pollers: Option<Arc<Pollers>>,
}

impl<T: Transport, C: Timer> WebSocketStream<T, C> {
    /// A handle and its driver in one value.
    pub(crate) fn new(socket: WebSocket, mut driver: Driver<T, C>) -> Self {
        driver.keep_transport(true);
        socket.shared().lock().mailbox.set_polled(true);
        Self { driver, socket, pollers: None }
    }

    /// Waits for the next message. `None` after a normal end. See [`WebSocket::recv`].
    ///
    /// Messages that were read already are returned before anything is written. Messages queued by [`feed`](Self::feed) are
    /// written when none is left.
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// The same as [`WebSocket::recv`].
    #[doc(alias = "next", alias = "read", alias = "receive")]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> + '_ {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// Receives as [`recv`](Self::recv) does, as a poll function.
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        match self.socket.has_taken() {
            true => self.socket.poll_recv(cx),
            false => self.poll_until(cx, Side::Receiving, WebSocket::poll_recv),
        }
    }

    /// Queues a message and writes the queue as far as the transport takes it at once. The rest is written while other
    /// methods are polled. [`flush`](Self::flush) waits for it.
    ///
    /// Above the high-water mark ([`Limits::high_water`](crate::Limits::high_water)) it writes and reads until there is room.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send`].
    #[doc(alias = "write", alias = "send_text", alias = "send_binary")]
    pub fn send(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> + '_ {
        self.send_outbound(message.into())
    }

    /// Queues a message as [`send`](Self::send) does, without writing it. The next method that waits writes it, together with
    /// other queued messages. For many short messages this is much faster.
    ///
    /// ```
    /// # use ws_session::{Error, Timer, Transport, WebSocketStream};
    /// /// Answers all messages that arrived together with one write.
    /// async fn echo<T: Transport, C: Timer>(mut ws: WebSocketStream<T, C>) -> Result<(), Error> {
    ///     while let Some(message) = ws.recv().await? {
    ///         ws.feed(message).await?;
    ///     }
    ///     ws.flush().await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send`].
    pub fn feed(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> + '_ {
        let mut unsent = Some(message.into());
        poll_fn(move |cx| self.poll_feed(cx, &mut unsent))
    }

    /// Sends a message as [`send`](Self::send) does, with a choice of compression. See [`Sender::send_with`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send`].
    #[cfg(feature = "deflate")]
    pub fn send_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> impl Future<Output = Result<(), Error>> + '_ {
        self.send_outbound(crate::handle::outbound::WithCompression { message: message.into(), compress })
    }

    /// Sends a message that was encoded once for many connections, as [`send`](Self::send) does.
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send`].
    pub fn send_prepared<'a>(&'a mut self, prepared: &'a Prepared) -> impl Future<Output = Result<(), Error>> + 'a {
        self.send_outbound(prepared)
    }

    /// Sends the first or next fragment of a message, as [`send`](Self::send) does. See [`Sender::send_fragment`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_fragment`].
    pub fn send_fragment(
        &mut self,
        fragment: impl Into<Message>,
        last: bool,
    ) -> impl Future<Output = Result<(), Error>> + '_ {
        self.send_outbound(Fragment { part: fragment.into(), last })
    }

    /// Writes until the transport has taken everything that is queued now. It reads meanwhile.
    ///
    /// Cancel-safe: queued messages stay queued when the future is dropped.
    ///
    /// # Errors
    ///
    /// If the connection ends first.
    pub fn flush(&mut self) -> impl Future<Output = Result<(), Error>> + '_ {
        let mut target = None;
        poll_fn(move |cx| {
            self.poll_state(cx, |state| {
                let target = *target.get_or_insert_with(|| state.connection.outgoing().queued());
                state.flush_result(target)
            })
        })
    }

    /// Sends a ping, waits for its pong, and returns the round-trip time. See [`Sender::ping`].
    ///
    /// The pong arrives after the messages that the peer sent before it. These wait in the inbound queue. If that is full,
    /// the pong is not read, and this method waits until the pong deadline.
    ///
    /// Cancel-safe: when the future is dropped, the pong is no longer awaited.
    ///
    /// # Errors
    ///
    /// If the connection closes first.
    pub async fn ping(&mut self) -> Result<RoundTrip, Error> {
        let shared = Arc::clone(self.socket.shared());
        let ping = PingGuard::new(&shared);
        poll_fn(|cx| self.poll_state(cx, |state| ping.result(state))).await
    }

    /// Closes the connection with this code and reason, and drives the closing handshake to its end (RFC 6455 §7.1.2).
    ///
    /// Queued messages are written first, then our Close frame. Then the peer's Close frame is awaited, and then the end of
    /// the transport, each for at most [`Deadlines::close`](crate::Deadlines::close).
    ///
    /// Messages that arrive meanwhile can be received afterwards, as many as the inbound queue holds. Further ones are
    /// discarded, and then receiving fails with [`Error::Skipped`].
    ///
    /// Idempotent: the first call decides the code and the reason. Cancel-safe: the closing handshake begins with the call,
    /// and continues while any method is polled.
    ///
    /// # Errors
    ///
    /// The same as [`Sender::close`].
    #[doc(alias = "shutdown")]
    pub fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: impl AsRef<str>,
    ) -> impl Future<Output = Result<Outcome, Error>> + '_ {
        let begun = self.socket.sender_ref().begin_close(code.into(), reason.as_ref());
        async move {
            begun?;
            let shared = Arc::clone(self.socket.shared());
            let _waiting = AwaitsEnd::new(&shared);
            poll_fn(|cx| {
                self.poll_state(cx, |state| if state.lifecycle.is_gone() { state.close_result() } else { None })
            })
            .await
        }
    }

    /// Drives the connection to its end. Either end may end it. Messages that arrive meanwhile are treated as by
    /// [`close`](Self::close).
    ///
    /// Cancel-safe.
    pub async fn closed(&mut self) -> Outcome {
        let shared = Arc::clone(self.socket.shared());
        let _waiting = AwaitsEnd::new(&shared);
        poll_fn(|cx| self.poll_state(cx, |state| state.outcome())).await
    }

    /// Returns a handle that only sends. It can be cloned and moved to other tasks. A message that it queues wakes the task
    /// that polls this stream, which writes it.
    ///
    /// Its futures are not ready while no task polls the stream. In the task of the stream itself, await them together with
    /// [`recv`](Self::recv), as in the example above. A `Sender` does not keep the connection open when the stream is
    /// dropped.
    #[doc(alias = "split", alias = "clone")]
    pub fn sender(&self) -> Sender {
        self.socket.sender()
    }

    /// A connection ID, unique within this process. Logs carry it.
    pub fn id(&self) -> u64 {
        self.socket.id()
    }

    /// The request that opened the connection. See [`WebSocket::request`].
    pub fn request(&self) -> &Request<()> {
        self.socket.request()
    }

    /// The response that accepted it. See [`WebSocket::response`].
    pub fn response(&self) -> &Response<()> {
        self.socket.response()
    }

    /// The subprotocol that both sides agreed on, if any (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.socket.subprotocol()
    }

    /// The peer's address, when the transport has one. Behind a reverse proxy that is the proxy's.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.socket.peer_addr()
    }

    /// Our own address, when the transport has one.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr()
    }

    /// The address of the client. See [`WebSocket::client_ip`].
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.socket.client_ip()
    }

    /// The transport.
    pub fn get_ref(&self) -> &T {
        self.driver.transport()
    }

    /// The transport, for changing its settings. Reading from it or writing to it breaks the connection.
    pub fn get_mut(&mut self) -> &mut T {
        self.driver.transport_mut()
    }

    /// Turns the connection into a handle and a driver, to be spawned ([`Driver::spawn`]) or run beside a handler
    /// ([`Driver::run`]). Nothing is lost.
    pub fn into_driven(self) -> (WebSocket, Driver<T, C>) {
        let Self { mut driver, socket, pollers: _ } = self;
        driver.keep_transport(false);
        let mut state = socket.shared().lock();
        state.mailbox.set_polled(false);
        // The driver registers its task with the first poll. Before that, senders have no task to wake.
        state.wakers.set_driver_awake(false);
        drop(state);
        (socket, driver)
    }

    fn send_outbound<'a, O: Outbound + 'a>(
        &'a mut self,
        outbound: O,
    ) -> impl Future<Output = Result<(), Error>> + use<'a, T, C, O> {
        let mut unsent = Some(outbound);
        poll_fn(move |cx| {
            ready!(self.poll_feed(cx, &mut unsent))?;
            self.turn(cx, Side::Sending);
            Poll::Ready(Ok(()))
        })
    }

    fn poll_feed<O: Outbound>(&mut self, cx: &mut Context<'_>, unsent: &mut Option<O>) -> Poll<Result<(), Error>> {
        self.poll_until(cx, Side::Sending, |socket, _| socket.sender_ref().queue(unsent))
    }
}

impl<T: Transport, C: Timer> fmt::Debug for WebSocketStream<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketStream")
            .field("id", &self.id())
            .field("peer", &self.peer_addr())
            .field("subprotocol", &self.subprotocol())
            .finish()
    }
}
