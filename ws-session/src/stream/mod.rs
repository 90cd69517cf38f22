//! A connection that is driven by being polled: handle, driver and transport in one value, without a task.

mod detached;
#[cfg(feature = "json")]
mod json;
mod pollers;
mod polling;
mod traits;

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

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

/// An open WebSocket that owns its transport and is driven by being polled, without a task of its own.
///
/// It does what [`WebSocket`] and [`Driver`] do together. Choose it where a connection has to be one value: in a program
/// without a runtime's tasks, in a `select!` of one's own, or where the transport is wanted back. A `WebSocket` with a driver
/// in a task is better where the connection has to stay alive while the application does something else.
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
/// # What moves, and when
///
/// Every method that is polled moves bytes both ways and keeps deadlines: what is queued is written, what comes in is read
/// (up to the [limits of the inbound queue](crate::Parts::inbound_queue)), pings are answered, keepalive pings are sent.
///
/// **While nothing is polled, nothing happens.** Queued messages stay queued, the peer's pings are not answered, its Close is
/// not answered, and a peer that sends keepalive pings ends the connection in the end. So keep a [`recv`](Self::recv)
/// pending while the application waits for something else. Deadlines are noticed late then, but do no harm: the transport
/// is read before a deadline is judged, so that a peer whose answer came in the meantime is not taken for dead.
///
/// Futures of a [`Sender`] made by [`sender`](Self::sender) are ready only while the stream is polled, too: in another task
/// they wake the task that polls the stream.
///
/// # Sending a lot both ways
///
/// While [`send`](Self::send) waits for room it goes on reading, so that two peers that both send do not wait for each other,
/// as long as what comes in fits the inbound queue: [`inbound_bytes`](crate::Parts::inbound_bytes), 4 MiB by default. An
/// application that sends more than that before it receives sends with a [`Sender`] while it receives:
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
/// Without either, [`Deadlines::write_stall`](crate::Deadlines::write_stall) ends the connection.
///
/// # Cancel safety
///
/// As with [`WebSocket`]: what has come in or is to go out lives in the connection, not in the futures. A dropped `recv`
/// loses nothing; a dropped `send` has queued its message, and then was ready, or has not.
///
/// # Dropping it
///
/// Dropping it never waits. It writes what is queued and a Close frame with 1001 behind that, as far as the transport takes
/// them at once.
pub struct WebSocketStream<T: Transport, C: Timer> {
    // Dropped in this order: the driver says goodbye before the handle is gone.
    driver: Driver<T, C>,
    socket: WebSocket,
    /// Where two tasks poll: one the stream, the other the sink.
    pollers: Option<Arc<Pollers>>,
}

impl<T: Transport, C: Timer> WebSocketStream<T, C> {
    /// A handle and its driver in one value.
    pub(crate) fn new(socket: WebSocket, mut driver: Driver<T, C>) -> Self {
        driver.keep_transport(true);
        socket.shared().lock().mailbox.set_polled(true);
        Self { driver, socket, pollers: None }
    }

    /// The next message; `None` when the connection has ended as it should. See [`WebSocket::recv`].
    ///
    /// Messages that have been read are returned before anything is written: what [`feed`](Self::feed) has queued leaves
    /// when none is left.
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::recv`].
    #[doc(alias = "next", alias = "read", alias = "receive")]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> + '_ {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// [`recv`](Self::recv), as a poll function.
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        match self.socket.has_taken() {
            true => self.socket.poll_recv(cx),
            false => self.poll_until(cx, Side::Receiving, WebSocket::poll_recv),
        }
    }

    /// Queues a message and writes what is queued, as far as the transport takes it at once. The rest is written while
    /// other methods are polled; [`flush`](Self::flush) waits for it.
    ///
    /// When as much is queued as may ([`Limits::high_water`](crate::Limits::high_water)), it writes and reads until there
    /// is room.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    #[doc(alias = "write", alias = "send_text", alias = "send_binary")]
    pub fn send(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> + '_ {
        self.send_outbound(message.into())
    }

    /// Queues a message as [`send`](Self::send) does, and leaves it to the next method that waits to write it, together with
    /// what else is queued by then. For many short messages that is much faster.
    ///
    /// ```
    /// # use ws_session::{Error, Timer, Transport, WebSocketStream};
    /// /// Answers all messages that have come together by one write.
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
    /// As [`Sender::send`].
    pub fn feed(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> + '_ {
        let mut unsent = Some(message.into());
        poll_fn(move |cx| self.poll_feed(cx, &mut unsent))
    }

    /// Sends a message as [`send`](Self::send) does, and says whether it is compressed. See [`Sender::send_with`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
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
    /// As [`Sender::send`].
    pub fn send_prepared<'a>(&'a mut self, prepared: &'a Prepared) -> impl Future<Output = Result<(), Error>> + 'a {
        self.send_outbound(prepared)
    }

    /// Sends the first or next fragment of a message, as [`send`](Self::send) does. See [`Sender::send_fragment`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send_fragment`].
    pub fn send_fragment(
        &mut self,
        fragment: impl Into<Message>,
        last: bool,
    ) -> impl Future<Output = Result<(), Error>> + '_ {
        self.send_outbound(Fragment { part: fragment.into(), last })
    }

    /// Writes until the transport has taken all that is queued now. It reads meanwhile.
    ///
    /// Cancel-safe: what was queued stays queued when the future is dropped.
    ///
    /// # Errors
    ///
    /// When the connection ends before.
    pub fn flush(&mut self) -> impl Future<Output = Result<(), Error>> + '_ {
        let mut target = None;
        poll_fn(move |cx| {
            self.poll_state(cx, |state| {
                let target = *target.get_or_insert_with(|| state.connection.outgoing().queued());
                state.flush_result(target)
            })
        })
    }

    /// Sends a ping and waits for its pong; how long that took. See [`Sender::ping`].
    ///
    /// The pong comes behind the messages that the peer sent before it, and these wait in the inbound queue meanwhile: when
    /// that is full, the pong is not read, and this waits until the pong deadline.
    ///
    /// Cancel-safe: when the future is dropped, the pong is awaited no longer.
    ///
    /// # Errors
    ///
    /// When the connection closes before.
    pub async fn ping(&mut self) -> Result<RoundTrip, Error> {
        let shared = Arc::clone(self.socket.shared());
        let ping = PingGuard::new(&shared);
        poll_fn(|cx| self.poll_state(cx, |state| ping.result(state))).await
    }

    /// Closes the connection and drives the closing handshake to its end (RFC 6455 §7.1.2): what is queued is written, then
    /// our Close frame, the peer's is awaited, then the end of the transport, [`Deadlines::close`](crate::Deadlines::close)
    /// at the longest for each.
    ///
    /// Messages that still come in can be received afterwards, as many as the inbound queue holds; more are thrown away, and
    /// receiving fails with [`Error::Skipped`] then.
    ///
    /// Idempotent: the first close counts. Cancel-safe: the closing handshake begins with the call, and goes on while
    /// anything is polled.
    ///
    /// # Errors
    ///
    /// As [`Sender::close`].
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

    /// Drives the connection to its end, whoever ends it. Messages that come in meanwhile are treated as by
    /// [`close`](Self::close).
    ///
    /// Cancel-safe.
    pub async fn closed(&mut self) -> Outcome {
        let shared = Arc::clone(self.socket.shared());
        let _waiting = AwaitsEnd::new(&shared);
        poll_fn(|cx| self.poll_state(cx, |state| state.outcome())).await
    }

    /// A handle that only sends; it can be cloned and moved to other tasks. What it queues wakes the task that polls this
    /// stream, and is written there.
    ///
    /// While no task polls the stream, its futures are not ready: in the task of the stream itself, wait for them together
    /// with [`recv`](Self::recv), as in the example above. A `Sender` does not keep the connection open when the stream is
    /// dropped.
    #[doc(alias = "split", alias = "clone")]
    pub fn sender(&self) -> Sender {
        self.socket.sender()
    }

    /// The round-trip time of the last ping that was answered, keepalive's included.
    pub fn latency(&self) -> Option<Duration> {
        self.socket.latency()
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

    /// The transport, to change its settings. Reading from it or writing to it breaks the connection.
    pub fn get_mut(&mut self) -> &mut T {
        self.driver.transport_mut()
    }

    /// The same connection as a handle and a driver, to be spawned ([`Driver::spawn`]) or run beside a handler
    /// ([`Driver::run`]). Nothing is lost.
    pub fn into_driven(self) -> (WebSocket, Driver<T, C>) {
        let Self { mut driver, socket, pollers: _ } = self;
        driver.keep_transport(false);
        let mut state = socket.shared().lock();
        state.mailbox.set_polled(false);
        // It registers its task with the first poll; who sends before that has nobody to wake.
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
