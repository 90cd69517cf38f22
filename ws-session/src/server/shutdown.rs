//! [`ServerHandle`]: the connections of a server, and their end.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::warn;
use ws_proto::CloseCode;

use super::Server;
use crate::error::Error;
use crate::handle::{OpenConnection, check_code};
use crate::logging::TARGET;
use crate::registry::{Awaited, Registry, ServerStats};
use crate::runtime::Runtime;
use crate::transport::Timer;

/// The time for tasks to end after they were told to.
const ABORT_TIME: Duration = Duration::from_secs(1);

/// Observes the connections of a server, lists, counts and closes them, and shuts the server down, from any task. Cheap to clone.
///
/// [`Listening::handle`](crate::Listening::handle) returns one for a server that listens. [`Server::handle`] returns one for
/// a server that does not: its connections come from an HTTP server ([`Server::upgrade`]).
///
/// ```
/// # use std::time::Duration;
/// # use ws_session::{Runtime, Server};
/// # async fn example<R: Runtime>(http_server_ended: impl Future) {
/// let server = Server::<R>::new().drain_timeout(Duration::from_secs(5));
/// let handle = server.handle();
/// // … an HTTP server passes requests to `server.upgrade` …
/// # http_server_ended.await;
/// handle.shutdown(); // closes all connections with 1001
/// handle.closed().await; // at most 5 s later, and 1 s for their tasks to end
/// # }
/// ```
#[derive(Clone)]
pub struct ServerHandle {
    pub(super) registry: Arc<Registry>,
    drain_timeout: Duration,
    pub(super) timer: fn() -> Box<dyn Timer + Send>,
}

impl ServerHandle {
    pub(super) fn new<R: Runtime>(registry: Arc<Registry>, drain_timeout: Duration) -> Self {
        Self { registry, drain_timeout, timer: || Box::new(R::timer()) }
    }

    /// Shuts the server down. It accepts no more connections, answers handshakes in progress with 503, and closes open
    /// connections with 1001. [`Listening::serve`](crate::Listening::serve) and [`closed`](Self::closed) return when all
    /// handlers have returned, or after [`Server::drain_timeout`].
    pub fn shutdown(&self) {
        self.registry.shut_down();
    }

    /// Waits for a shutdown to begin, and then until all connections have ended and all handlers have returned. What is left
    /// after [`Server::drain_timeout`] is dropped; the timeout begins with this call, or with the shutdown if that is later.
    ///
    /// A connection has ended when its driver, or its [`WebSocketStream`](crate::WebSocketStream), was dropped. A stream that
    /// is not polled is not waited for any longer than that, but cannot be dropped from here.
    ///
    /// Cancel-safe, and may be called from several tasks.
    pub async fn closed(&self) {
        let observer = self.registry.observe();
        poll_fn(|cx| observer.poll(Awaited::Shutdown, cx)).await;
        let mut timer = (self.timer)();
        drain(&self.registry, &mut *timer, self.drain_timeout, |cx| observer.poll(Awaited::Idle, cx)).await;
    }

    /// The connections that are open now, in the order of their IDs. Some may end before they are looked at:
    /// [`OpenConnection::is_open`].
    ///
    /// The list is made in pieces, so a server with many connections accepts others meanwhile.
    ///
    /// ```
    /// # fn example(handle: &ws_session::ServerHandle) {
    /// for connection in handle.list() {
    ///     println!("{} {:?} {}", connection.id(), connection.client_ip(), connection.path());
    /// }
    /// # }
    /// ```
    pub fn list(&self) -> Vec<OpenConnection> {
        self.registry.list().into_iter().map(OpenConnection::new).collect()
    }

    /// The open connection with this ID.
    pub fn get(&self, id: u64) -> Option<OpenConnection> {
        self.registry.get(id).map(OpenConnection::new)
    }

    /// Closes the open connections for which `which` returns true, with this code and reason. Returns how many closing
    /// handshakes it began, and does not wait for them. See [`OpenConnection::close`].
    ///
    /// # Errors
    ///
    /// If the code must not be sent. Then no connection is closed.
    ///
    /// ```
    /// # fn example(handle: &ws_session::ServerHandle) -> Result<(), ws_session::Error> {
    /// let closed = handle.close_where(4001, "signed out", |connection| connection.user() == Some("ann"))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn close_where(
        &self,
        code: impl Into<CloseCode>,
        reason: impl AsRef<str>,
        which: impl FnMut(&OpenConnection) -> bool,
    ) -> Result<usize, Error> {
        Ok(self.begin_to_close(code.into(), reason.as_ref(), which)?.len())
    }

    /// Closes connections as [`close_where`](Self::close_where) does, and waits until each of them has ended. Returns how many
    /// there were.
    ///
    /// A connection ends at the latest when its close deadline has passed
    /// ([`Server::close_timeout`](crate::Server::close_timeout)). Its handler may still run. Cancel-safe: the closing handshakes
    /// begin with the call, and continue when the future is dropped.
    ///
    /// # Errors
    ///
    /// If the code must not be sent. Then no connection is closed.
    pub fn close_where_and_wait<C, S, P>(
        &self,
        code: C,
        reason: S,
        which: P,
    ) -> impl Future<Output = Result<usize, Error>> + Send + use<C, S, P>
    where
        C: Into<CloseCode>,
        S: AsRef<str>,
        P: FnMut(&OpenConnection) -> bool,
    {
        let closing = self.begin_to_close(code.into(), reason.as_ref(), which);
        async move {
            let closing = closing?;
            for connection in &closing {
                connection.closed().await;
            }
            Ok(closing.len())
        }
    }

    fn begin_to_close(
        &self,
        code: CloseCode,
        reason: &str,
        mut which: impl FnMut(&OpenConnection) -> bool,
    ) -> Result<Vec<OpenConnection>, Error> {
        check_code(code)?;
        let mut chosen = self.list();
        chosen.retain(|connection| which(connection) && connection.close(code, reason).unwrap_or(false));
        Ok(chosen)
    }

    /// The counters of the server and of all its connections, open or ended.
    ///
    /// They include the connections of [`Listening::serve`](crate::Listening::serve), those over HTTP/2, those that are handed
    /// over ([`Server::upgrade`]), and those of [`Server::accept`]. None is counted twice or left out, and no number
    /// but [`open`](ServerStats::open) and [`handshakes`](ServerStats::handshakes) ever shrinks. With many connections this takes
    /// a while (each one is locked for a moment), but does not keep the server from accepting others.
    pub fn stats(&self) -> ServerStats {
        self.registry.stats()
    }

    /// The number of open connections.
    pub fn connections(&self) -> usize {
        self.registry.open_connections()
    }
}

impl<R: Runtime> Server<R> {
    /// A handle that observes this server's connections and shuts them down: those that are accepted by
    /// [`upgrade`](Self::upgrade) and [`accept`](Self::accept), and those of [`bind`](Self::bind). Call it after the other settings.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new::<R>(Arc::clone(&self.registry), self.settings.drain_timeout)
    }

    /// Shares the connections and the shutdown of the server to which `handle` belongs. So several servers with different
    /// settings are shut down together. [`max_connections`](Self::max_connections) then limits their sum.
    #[must_use]
    pub fn shutdown_with(mut self, handle: &ServerHandle) -> Self {
        self.registry = Arc::clone(&handle.registry);
        self
    }
}

/// Waits until all connections have ended, at most for this time. Then drops them.
pub(super) async fn drain<C: Timer + ?Sized>(
    registry: &Registry,
    timer: &mut C,
    timeout: Duration,
    mut poll_idle: impl FnMut(&mut Context<'_>) -> Poll<()>,
) {
    if is_idle_within(timer, timeout, &mut poll_idle).await {
        return;
    }
    let left = registry.open_connections();
    warn!(target: TARGET, "{left} connections were still open when the drain deadline passed; dropping them");
    registry.abort();
    // Their tasks still have to be polled to end.
    is_idle_within(timer, ABORT_TIME, &mut poll_idle).await;
}

async fn is_idle_within<C: Timer + ?Sized>(
    timer: &mut C,
    timeout: Duration,
    poll_idle: &mut impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> bool {
    let deadline = timer.now() + timeout;
    poll_fn(|cx| match poll_idle(cx) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => timer.poll_at(cx, deadline).map(|()| false),
    })
    .await
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").field("connections", &self.connections()).finish()
    }
}
