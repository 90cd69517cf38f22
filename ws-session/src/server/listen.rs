//! A listening server: one task for each connection, and a shutdown that ends them all.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::ServerSettings;
use super::acceptor::Acceptor;
use super::admission::Admission;
use super::shutdown::{ServerHandle, drain};
use super::sockets::Listener;
use super::task::{ConnectionTask, Serving, open};
use crate::error::HandlerResult;
use crate::handle::WebSocket;
use crate::registry::{Awaited, Registry};
use crate::runtime::Runtime;

/// A server with its listening sockets. [`serve`](Self::serve) accepts connections.
pub struct Listening<R: Runtime> {
    pub(super) listeners: Vec<Listener<R>>,
    shared: Arc<Serving>,
}

impl<R: Runtime> Listening<R> {
    /// A server without a socket yet.
    pub(super) fn new(settings: ServerSettings, registry: Arc<Registry>) -> Self {
        Self { listeners: Vec::new(), shared: Arc::new(Serving { settings, registry }) }
    }

    pub(super) fn settings(&self) -> &ServerSettings {
        &self.shared.settings
    }

    /// The TCP address at which the server listens; the first if there are several.
    ///
    /// # Errors
    ///
    /// If the system returns none, or the server listens on Unix sockets only.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let none = || Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "the server listens on no TCP address"));
        self.listeners.iter().find_map(Listener::local_addr).unwrap_or_else(none)
    }

    /// All TCP addresses at which the server listens. A host name may have several.
    ///
    /// # Errors
    ///
    /// If the system does not return one of them.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().filter_map(Listener::local_addr).collect()
    }

    /// A handle that observes the server and shuts it down.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new::<R>(Arc::clone(&self.shared.registry), self.shared.settings.drain_timeout)
    }

    /// Serves as [`serve`](Self::serve) does until the future `shutdown` is ready, then shuts down. The output of `shutdown`
    /// is ignored. On tokio, for example: `serve_until(handler, tokio::signal::ctrl_c())`.
    ///
    /// The shutdown is that of [`ServerHandle::shutdown`]: connections are closed with 1001. This future is ready when the
    /// last handler has returned, or after [`Server::drain_timeout`](super::Server::drain_timeout).
    ///
    /// When this future is dropped, no more connections are accepted. Open connections continue.
    ///
    /// # Errors
    ///
    /// The same as [`serve`](Self::serve).
    #[doc(alias = "serve_with_shutdown", alias = "with_graceful_shutdown", alias = "ctrl_c")]
    pub async fn serve_until<H, F>(self, handler: H, shutdown: impl Future) -> io::Result<()>
    where
        H: Fn(WebSocket) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static, // wrap others: handler(…)
    {
        let handle = self.handle();
        serve_until(self.serve(handler), shutdown, &handle).await
    }

    /// Accepts connections and runs `handler` for each, in a task of its own, until [`ServerHandle::shutdown`].
    ///
    /// When a handler returns `Ok`, its connection is closed with 1000. When it fails or panics, the connection is closed
    /// with 1011, and the failure is logged. Errors of a single connection, or of accepting one, do not end the server. While
    /// the system has no descriptor or memory for a new connection, the server tries again, at first after 10 ms and then
    /// once a second. It logs the beginning of that time and its end.
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
    /// When the future is dropped, no more connections are accepted. Open connections continue.
    ///
    /// # Errors
    ///
    /// None today. The type leaves room for I/O errors that end a server.
    pub async fn serve<H, F>(self, handler: H) -> io::Result<()>
    where
        H: Fn(WebSocket) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static, // wrap others: handler(…)
    {
        let Self { listeners, shared } = self;
        let registry = &shared.registry;
        let observer = registry.observe();
        let handler = Arc::new(handler);
        let mut acceptor = Acceptor::new(&listeners);
        let mut admission = Admission::new(&shared.settings, registry, &observer, R::timer());
        loop {
            let accepted = poll_fn(|cx| match observer.poll(Awaited::Shutdown, cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => acceptor.poll(admission.timer(), cx).map(Some),
            });
            let Some((stream, addresses)) = accepted.await else { break };
            let Some(handshake) = admission.admit(&addresses).await else { continue };
            let (shared, handler) = (Arc::clone(&shared), Arc::clone(&handler));
            let opening = open::<R, H, F>(shared, handler, handshake, stream, addresses);
            R::spawn(ConnectionTask::Opening { handshake: Box::pin(opening) });
        }
        drop(listeners);
        let timeout = shared.settings.drain_timeout;
        drain(registry, admission.timer(), timeout, |cx| observer.poll(Awaited::Idle, cx)).await;
        Ok(())
    }
}

/// Serves, and shuts the server down when the second future is ready.
pub(super) async fn serve_until(
    serving: impl Future<Output = io::Result<()>>,
    shutdown: impl Future,
    handle: &ServerHandle,
) -> io::Result<()> {
    let mut serving = pin!(serving);
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

impl<R: Runtime> fmt::Debug for Listening<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").field("sockets", &self.listeners).finish_non_exhaustive()
    }
}
