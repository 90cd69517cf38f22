//! [`Workers`]: a server on several threads, each with a runtime of its own.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

#[cfg(unix)]
use super::UnixSocket;
use super::bind::{self, ServeError, TcpOptions};
use super::listen::serve_until;
#[cfg(feature = "routes")]
use super::settings::ServerSettings;
use super::sockets::ListeningSocket;
use super::{Server, ServerHandle};
use crate::error::HandlerResult;
use crate::handle::WebSocket;
use crate::runtime::Runtime;
use crate::sync::{Mutex, PoisonError};

/// Whether the system distributes connections among sockets that share a port.
const BALANCES: bool = cfg!(any(target_os = "linux", target_os = "android", target_os = "freebsd"));

/// The sockets of a server that runs on several threads, each with a single-threaded runtime of its own.
/// [`Server::workers`] makes it, and [`bind`](Self::bind) adds a socket.
///
/// Connections, limits and the [handle](Self::handle) are those of one server. A connection stays on its thread.
pub struct Workers<R: Runtime> {
    server: Server<R>,
    /// Those of each worker.
    sockets: Vec<Vec<ListeningSocket>>,
    addresses: Vec<SocketAddr>,
}

impl<R: Runtime> Server<R> {
    /// Runs this server on `workers` threads, each with a single-threaded runtime of its own. `None` stands for as many as
    /// the machine has cores for this process ([`available_parallelism`](thread::available_parallelism)).
    ///
    /// Tasks do not move between these threads, which saves time if messages are small and many. But a connection that
    /// computes for long holds up the others of its thread. So this is not the default, and `docs/cores.md` in the repository
    /// says when it pays.
    ///
    /// A runtime needs [`Runtime::block_on`] for it. tokio has it. async-io has one reactor for a whole process, and the
    /// executors on it are global, so `ws-async-std` does not.
    pub fn workers(self, workers: impl Into<Option<usize>>) -> Workers<R> {
        let cores = || thread::available_parallelism().map_or(1, Into::into);
        let workers = workers.into().unwrap_or_else(cores).max(1);
        Workers { server: self, sockets: (0..workers).map(|_| Vec::new()).collect(), addresses: Vec::new() }
    }
}

impl<R: Runtime> Workers<R> {
    /// Listens on TCP addresses, as [`Server::bind`] does.
    ///
    /// On Linux, Android and FreeBSD each worker has a socket of its own, and the system distributes new connections by a hash
    /// of the addresses of both ends (`SO_REUSEPORT`). If another server listens there already, this fails, unless
    /// [`Server::reuse_port`] is set in both. On other systems the workers share one socket: a worker that has nothing else
    /// to do accepts the next connection.
    ///
    /// # Errors
    ///
    /// If an address cannot be bound.
    pub fn bind(mut self, address: impl ToSocketAddrs) -> Result<Self, ServeError> {
        let options = self.server.settings.tcp;
        let first = bind::bind(address, options)?;
        if !BALANCES {
            return self.share_each(first);
        }
        let addresses = first.iter().map(|listener| listener.local_addr()).collect::<io::Result<Vec<_>>>()?;
        // It has shown that the addresses are free. Their sockets must all be made to share.
        drop(first);
        let options = TcpOptions { reuse_port: true, ..options };
        for sockets in &mut self.sockets {
            sockets.extend(bind::bind(&addresses[..], options)?.into_iter().map(ListeningSocket::from));
        }
        self.addresses.extend(addresses);
        Ok(self)
    }

    /// Listens on a Unix socket, as [`Server::bind_unix`] does. The workers share it.
    ///
    /// # Errors
    ///
    /// [`ServeError::BindUnix`] if the socket cannot be made.
    #[cfg(unix)]
    pub fn bind_unix(self, socket: impl Into<UnixSocket>) -> Result<Self, ServeError> {
        let socket = socket.into().bind()?;
        self.listen_on(socket)
    }

    /// Uses a socket that listens already, as [`Server::listen_on`] does. The workers share it: a worker that has nothing
    /// else to do accepts the next connection.
    ///
    /// # Errors
    ///
    /// If the system cannot duplicate the socket.
    pub fn listen_on(mut self, socket: impl Into<ListeningSocket>) -> Result<Self, ServeError> {
        let socket = socket.into();
        self.addresses.extend(socket.local_addr()?);
        for sockets in &mut self.sockets {
            sockets.push(socket.try_clone()?);
        }
        Ok(self)
    }

    fn share_each(mut self, given: impl IntoIterator<Item: Into<ListeningSocket>>) -> Result<Self, ServeError> {
        for socket in given {
            self = self.listen_on(socket)?;
        }
        Ok(self)
    }

    #[cfg(feature = "routes")]
    pub(super) fn settings(&self) -> &ServerSettings {
        &self.server.settings
    }

    /// All TCP addresses at which the server listens.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A handle that observes the server, all workers together, and shuts it down.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Starts the threads, accepts connections and runs `handler` for each, as [`Listening::serve`](crate::Listening::serve) does, until
    /// [`ServerHandle::shutdown`]. The calling thread only waits, on any runtime.
    ///
    /// When this future is dropped, the server shuts down: connections are closed with 1001, and the threads end within
    /// [`Server::drain_timeout`].
    ///
    /// # Errors
    ///
    /// If a setting is invalid, if there is no socket, if a thread cannot be started, or if its runtime cannot be made. The
    /// server is shut down then.
    pub async fn serve<H, F>(self, handler: H) -> io::Result<()>
    where
        H: Fn(WebSocket) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static, // wrap others: handler(…)
    {
        let server = self.server.ready().map_err(ServeError::from)?;
        if self.sockets.iter().all(Vec::is_empty) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no socket to listen on"));
        }
        let team = Team { state: Arc::default(), handle: server.handle() };
        let handler = Arc::new(handler);
        for (n, sockets) in self.sockets.into_iter().enumerate() {
            let (server, handler, member) = (server.clone(), Arc::clone(&handler), team.member());
            let serving = async move {
                let mut listening = server.listening();
                for socket in sockets {
                    listening = listening.listen_on(socket)?;
                }
                listening.serve(move |socket| handler(socket)).await
            };
            let work = move || member.end(R::block_on(serving).and_then(|served| served));
            thread::Builder::new().name(format!("ws-worker-{n}")).spawn(work)?;
        }
        poll_fn(|cx| team.poll_ended(cx)).await
    }

    /// Serves as [`serve`](Self::serve) does until the future `shutdown` is ready, then shuts down, as
    /// [`Listening::serve_until`](crate::Listening::serve_until) does.
    ///
    /// # Errors
    ///
    /// The same as [`serve`](Self::serve).
    pub async fn serve_until<H, F>(self, handler: H, shutdown: impl Future) -> io::Result<()>
    where
        H: Fn(WebSocket) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static, // wrap others: handler(…)
    {
        let handle = self.handle();
        serve_until(self.serve(handler), shutdown, &handle).await
    }
}

/// The threads of a server. When it is dropped, they end.
struct Team {
    state: Arc<Mutex<TeamState>>,
    handle: ServerHandle,
}

#[derive(Default)]
struct TeamState {
    working: usize,
    failure: Option<io::Error>,
    waker: Option<Waker>,
}

impl Team {
    fn member(&self) -> Member {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).working += 1;
        Member { state: Arc::clone(&self.state), handle: self.handle.clone(), outcome: None }
    }

    /// Ready when all threads have ended, with the first failure.
    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.working == 0 {
            return Poll::Ready(state.failure.take().map_or(Ok(()), Err));
        }
        let replaced = state.waker.replace(cx.waker().clone());
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

/// One of the threads, until it ends.
struct Member {
    state: Arc<Mutex<TeamState>>,
    handle: ServerHandle,
    /// `None` while it works, and if it panicked.
    outcome: Option<io::Result<()>>,
}

impl Member {
    fn end(mut self, outcome: io::Result<()>) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| Err(io::Error::other("a worker panicked")));
        if outcome.is_err() {
            // The others would go on with fewer threads, and nobody would know.
            self.handle.shutdown();
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.working -= 1;
        if let Err(error) = outcome {
            state.failure.get_or_insert(error);
        }
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<R: Runtime> fmt::Debug for Workers<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("workers", &self.sockets.len())
            .field("local_addrs", &self.addresses)
            .finish_non_exhaustive()
    }
}
