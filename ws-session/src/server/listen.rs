//! A server that listens: one task for each connection, and a way to end it all.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::warn;

use super::ServerSettings;
use super::admission::Admission;
use super::registry::{Awaited, Registry};
use super::task::{ConnectionTask, Serving, open};
use crate::error::HandlerResult;
use crate::handle::WebSocket;
use crate::logging::TARGET;
use crate::runtime::Runtime;
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
    pub(super) fn new(listeners: Vec<R::Listener>, settings: ServerSettings) -> Self {
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
                    R::spawn(ConnectionTask::Opening { handshake: Box::pin(opening) });
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
