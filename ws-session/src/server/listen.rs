//! A server that listens: one task for each connection, and a way to end it all.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tracing::{Instrument, debug, error, info, info_span, warn};
use ws_proto::Escaped;

use super::Settings;
use super::accept::accept;
use super::admission::Admission;
use super::registry::{Awaited, HandshakeGuard, OpenGuard, Registry};
#[cfg(feature = "tls")]
use super::secure::secure;
use crate::error::{AcceptError, Error, HandlerError, HandlerResult};
use crate::handle::WebSocket;
use crate::info::Caller;
use crate::logging::{Chain, TARGET, causes, unless_heard};
use crate::opening::Parts;
use crate::runtime::Runtime;
use crate::transport::MaybeTls;
use crate::transport::{Addresses, Timer};

/// How long accepting rests after an error such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the tasks that were told to end may take to do so.
const ABORT_TIME: Duration = Duration::from_secs(1);

/// A server with its listening sockets. [`serve`](Self::serve) runs it.
pub struct Listening<R: Runtime> {
    /// At least one.
    listeners: Vec<R::Listener>,
    shared: Arc<Serving>,
}

/// What the tasks of a server share.
struct Serving {
    settings: Settings,
    registry: Arc<Registry>,
}

/// Watches and ends a server from elsewhere. Cheap to clone.
#[derive(Clone)]
pub struct ServerHandle {
    shared: Arc<Serving>,
}

impl ServerHandle {
    /// Ends the server: no more connections are accepted, those whose handshake is under way get 503, those that are
    /// open are closed with 1001. [`Listening::serve`] returns when all handlers have, or after
    /// [`Server::drain_timeout`](super::Server::drain_timeout).
    pub fn shutdown(&self) {
        self.shared.registry.shut_down();
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.shared.registry.open_connections()
    }
}

impl<R: Runtime> Listening<R> {
    pub(super) fn new(listeners: Vec<R::Listener>, settings: Settings) -> Self {
        Self { listeners, shared: Arc::new(Serving { settings, registry: Arc::default() }) }
    }

    /// Where it listens; the first address, when there are several.
    ///
    /// # Errors
    ///
    /// When the system cannot tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listeners.first().map_or_else(|| Err(io::ErrorKind::NotConnected.into()), R::local_addr)
    }

    /// All addresses at which it listens: a name may have several.
    ///
    /// # Errors
    ///
    /// When the system cannot tell.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(R::local_addr).collect()
    }

    /// A way to watch it and to end it.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { shared: Arc::clone(&self.shared) }
    }

    /// [`serve`](Self::serve) until `shutdown` is ready, whatever its output; then as [`ServerHandle::shutdown`] does:
    /// everyone is told with 1001, and the future is ready when the last handler has returned, or after
    /// [`Server::drain_timeout`](super::Server::drain_timeout). On tokio, for one:
    /// `serve_until(handler, tokio::signal::ctrl_c())`.
    ///
    /// When the future is dropped, nothing more is accepted, and open connections go on.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    #[doc(alias = "serve_with_shutdown", alias = "with_graceful_shutdown", alias = "ctrl_c")]
    pub async fn serve_until<H, F>(self, handler: H, shutdown: impl Future) -> io::Result<()>
    where
        H: Fn(WebSocket) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static, // wrap others: handler(…)
    {
        let handle = self.handle();
        let mut serving = pin!(self.serve(handler));
        let mut shutdown = pin!(Some(shutdown));
        poll_fn(|cx| {
            if let Some(waiting) = shutdown.as_mut().as_pin_mut()
                && waiting.poll(cx).is_ready()
            {
                shutdown.set(None);
                handle.shutdown();
            }
            serving.as_mut().poll(cx)
        })
        .await
    }

    /// Accepts connections and runs `handler` for each, in a task of its own, until [`ServerHandle::shutdown`].
    ///
    /// A handler that returns `Ok` closes its connection with 1000, one that fails or panics with 1011; failures are
    /// logged. Errors of a single connection, or of accepting one, do not end the server.
    ///
    /// A handler that returns nothing, or another error than [`BoxError`](crate::BoxError), is wrapped in
    /// [`handler`](crate::handler()):
    ///
    /// ```
    /// use ws_session::{Listening, Runtime, handler};
    ///
    /// async fn greet<R: Runtime>(listening: Listening<R>) -> std::io::Result<()> {
    ///     listening
    ///         .serve(handler(|ws| async move {
    ///             let _ = ws.send("Hello").await;
    ///         }))
    ///         .await
    /// }
    /// ```
    ///
    /// When the future is dropped, nothing more is accepted, and open connections go on.
    ///
    /// # Errors
    ///
    /// None today; I/O errors that end a server would be here.
    pub async fn serve<H, F>(self, handler: H) -> io::Result<()>
    where
        H: Fn(WebSocket) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static, // wrap others: handler(…)
    {
        let Self { listeners, shared } = self;
        let mut last = 0;
        let registry = &shared.registry;
        let _serving = registry.serving();
        let handler = Arc::new(handler);
        let mut admission = Admission::new(&shared.settings, registry, R::timer());
        loop {
            let accepted = poll_fn(|cx| match registry.poll(Awaited::Shutdown, cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => poll_accept::<R>(&listeners, &mut last, cx).map(Some),
            });
            match accepted.await {
                None => break,
                Some(Ok((stream, addresses))) => {
                    let Some(handshake) = admission.admit(&addresses).await else { continue };
                    let (shared, handler) = (Arc::clone(&shared), Arc::clone(&handler));
                    let opening = open::<R, H, F>(shared, handler, handshake, stream, addresses);
                    R::spawn(Connection::Opening { handshake: Box::pin(opening) });
                }
                Some(Err(error)) => {
                    warn!(target: TARGET, "accepting a connection failed: {error}");
                    pause(admission.timer(), ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listeners);
        drain(registry, admission.timer(), shared.settings.drain_timeout).await;
        Ok(())
    }
}

/// Accepts from each socket in its turn: a busy one does not keep the others waiting.
fn poll_accept<R: Runtime>(
    listeners: &[R::Listener],
    last: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<(R::Stream, Addresses)>> {
    let (before, after) = listeners.split_at_checked(*last + 1).unwrap_or((listeners, &[]));
    let behind = after.iter().enumerate().map(|(n, listener)| (n + before.len(), listener));
    for (n, listener) in behind.chain(before.iter().enumerate()) {
        if let Poll::Ready(accepted) = R::poll_accept(listener, cx) {
            *last = n;
            return Poll::Ready(accepted);
        }
    }
    Poll::Pending
}

pin_project! {
    /// A connection's whole life. Written out, as what it is made of is: an `async fn` would have room for what it runs
    /// twice. The handshake is on the heap: an open connection does not carry the room it took.
    #[project = ConnectionProjection]
    enum Connection<H, F> {
        Opening { handshake: Pin<Box<H>> },
        Open { #[pin] open: F },
    }
}

impl<H: Future<Output = Option<F>>, F: Future<Output = ()>> Future for Connection<H, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let opened = match self.as_mut().project() {
                ConnectionProjection::Open { open } => return open.poll(cx),
                ConnectionProjection::Opening { handshake } => ready!(handshake.as_mut().poll(cx)),
            };
            match opened {
                Some(open) => self.set(Self::Open { open }),
                None => return Poll::Ready(()),
            }
        }
    }
}

/// Does the handshake; what is to be run when it went well.
async fn open<R, H, F>(
    shared: Arc<Serving>,
    handler: Arc<H>,
    handshake: HandshakeGuard,
    stream: R::Stream,
    addresses: Addresses,
) -> Option<Opened<impl Future<Output = Result<(), HandlerError>>>>
where
    R: Runtime,
    H: Fn(WebSocket) -> F,
    F: Future<Output = HandlerResult>,
{
    let Serving { settings, registry } = &*shared;
    let mut caller = Caller::new(addresses);
    let accepted = {
        let mut accepting = pin!(accept_stream::<R>(settings, &handshake, stream, &mut caller));
        poll_fn(|cx| match accepting.as_mut().poll(cx) {
            Poll::Ready(accepted) => Poll::Ready(accepted),
            Poll::Pending => handshake.poll_displaced(cx).map(|()| Err(AcceptError::Displaced)),
        })
        .await
    };
    let (socket, driver) = match accepted {
        Ok(parts) => parts.open(),
        Err(error) => {
            log_rejection(&error, &caller);
            return None;
        }
    };
    let guard = registry.enter(socket.sender(), handshake);
    let (id, peer, client) = (socket.id(), caller.peer(), caller.client());
    let span = info_span!(target: TARGET, "websocket", id, peer, client);
    let handler = Handler::Ready { handler, socket: Some(socket) };
    Some(Opened { running: driver.run(handler.instrument(span)), guard })
}

/// Does the opening handshake, after that of TLS where there is TLS, both within one deadline.
async fn accept_stream<R: Runtime>(
    settings: &Settings,
    handshake: &HandshakeGuard,
    stream: R::Stream,
    caller: &mut Caller,
) -> Result<Parts<MaybeTls<R::Stream>, R::Timer>, AcceptError> {
    let timer = R::timer();
    let deadline = timer.now() + settings.handshake_timeout;
    #[cfg(feature = "tls")]
    if let Some(config) = &settings.tls {
        let (stream, timer) = secure::<R>(Arc::clone(config), handshake, stream, timer, deadline).await?;
        return accept(settings, Some(handshake), MaybeTls::tls(stream), timer, deadline, caller).await;
    }
    accept(settings, Some(handshake), MaybeTls::plain(stream), timer, deadline, caller).await
}

pin_project! {
    /// An open connection, its handler, and that the server counts them.
    struct Opened<F> {
        #[pin]
        running: F,
        guard: OpenGuard,
    }
}

impl<F: Future<Output = Result<(), HandlerError>>> Future for Opened<F> {
    type Output = ();

    /// All has been said by the time the server counts it as gone.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let id = this.guard.id();
        match ready!(this.running.poll(cx)) {
            Ok(()) => {}
            Err(HandlerError::Failed(error)) if is_end_of(id, &*error) => {}
            Err(error) => {
                let why = Escaped(Chain(&error));
                error!(target: TARGET, id, "connection handler failed: {why}");
                unless_heard(format_args!("connection {id}: the handler failed: {why}"));
            }
        }
        Poll::Ready(())
    }
}

pin_project! {
    /// A handler, called when it is first polled: within its span, and where its panics are caught.
    #[project = HandlerProjection]
    enum Handler<H, F> {
        Ready { handler: Arc<H>, socket: Option<WebSocket> },
        Running { #[pin] running: F },
    }
}

impl<H: Fn(WebSocket) -> F, F: Future<Output = HandlerResult>> Future for Handler<H, F> {
    type Output = HandlerResult;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<HandlerResult> {
        loop {
            let running = match self.as_mut().project() {
                HandlerProjection::Running { running } => return running.poll(cx),
                HandlerProjection::Ready { handler, socket } => match socket.take() {
                    Some(socket) => handler(socket),
                    // It panicked when it was called.
                    None => return Poll::Ready(Ok(())),
                },
            };
            self.set(Self::Running { running });
        }
    }
}

fn log_rejection(error: &AcceptError, caller: &Caller) {
    let (peer, client) = (caller.peer(), caller.client());
    match error {
        AcceptError::Rejected(rejection) => {
            info!(target: TARGET, peer, client, status = rejection.status().as_u16(), "connection rejected: {rejection}");
        }
        AcceptError::Answered(status) => {
            info!(target: TARGET, peer, client, status = status.as_u16(), "request answered")
        }
        // Counted where it was decided.
        AcceptError::Silent => debug!(target: TARGET, peer, client, "{error}"),
        AcceptError::Displaced => debug!(target: TARGET, peer, client, "opening handshake failed: {error}"),
        error => info!(target: TARGET, peer, client, "opening handshake failed: {error}"),
    }
}

/// A handler that passes on how its own connection ended has not failed, whatever it has wrapped that in: its cause is
/// looked for, and the cause of that.
fn is_end_of(id: u64, error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    causes(error).any(|cause| Error::is_end_of(id, cause))
}

/// Waits for the end of all connections, for so long; then drops them.
async fn drain(registry: &Registry, timer: &mut impl Timer, timeout: Duration) {
    if is_idle_within(registry, timer, timeout).await {
        return;
    }
    let left = registry.open_connections();
    warn!(target: TARGET, "{left} connections were still open when the drain deadline passed; dropping them");
    registry.abort();
    // Their tasks only have to notice.
    is_idle_within(registry, timer, ABORT_TIME).await;
}

async fn is_idle_within(registry: &Registry, timer: &mut impl Timer, timeout: Duration) -> bool {
    let deadline = timer.now() + timeout;
    poll_fn(|cx| match registry.poll(Awaited::Idle, cx) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => timer.poll_at(cx, deadline).map(|()| false),
    })
    .await
}

async fn pause(timer: &mut impl Timer, time: Duration) {
    let deadline = timer.now() + time;
    poll_fn(|cx| timer.poll_at(cx, deadline)).await;
}

impl<R: Runtime> fmt::Debug for Listening<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").field("local_addrs", &self.local_addrs().ok()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").field("connections", &self.connections()).finish()
    }
}
