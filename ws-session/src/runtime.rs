//! What a runtime's adapter supplies, all of it.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::task::{Context, Poll};

#[cfg(feature = "tls")]
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};

use crate::transport::{Addresses, Timer, Transport};

/// An async runtime: sockets, timers, tasks. With it, [`Server`](crate::Server) and [`Client`](crate::Client) work.
pub trait Runtime: Send + Sync + 'static {
    /// The `User-Agent` header of clients on it, unless they set another: a name and a version (RFC 9110 §10.1.5).
    const USER_AGENT: &'static str = concat!("ws-session/", env!("CARGO_PKG_VERSION"));

    /// A TCP connection.
    type Stream: Transport + Unpin + Send + 'static;
    /// A listening TCP socket.
    type Listener: Send + Sync + 'static;
    /// A clock and an alarm.
    type Timer: Timer + Unpin + Send + 'static;

    /// Whether the runtime drops its tasks when a program ends in the ordinary way, as tokio's does when it is dropped. Where
    /// it does not, as where tasks run on threads that nobody waits for, a handle that is dropped writes what is queued.
    const DROPS_TASKS: bool = false;

    /// A timer whose origin is now.
    fn timer() -> Self::Timer;

    /// Runs a task beside the current one.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);

    /// Looks up the addresses of a host, in the order in which the system would try them, each with this port. `host` is a
    /// name; or an IPv6 address with a zone (`fe80::1%eth0`), whose scope ID is asked for.
    fn resolve(host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Opens a TCP connection to one address, and sets it up to send small writes at once (`TCP_NODELAY`). Dropping the
    /// future gives up: a client tries several addresses at the same time, and keeps the first to answer.
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<(Self::Stream, Addresses)>> + Send;

    /// Takes over a listening socket, which does not block.
    ///
    /// # Errors
    ///
    /// When the runtime cannot watch it.
    fn listen(listener: TcpListener) -> io::Result<Self::Listener>;

    /// Where the socket listens.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::local_addr`].
    fn local_addr(listener: &Self::Listener) -> io::Result<SocketAddr>;

    /// Accepts a connection, and sets it up to send small writes at once (`TCP_NODELAY`).
    fn poll_accept(listener: &Self::Listener, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Addresses)>>;

    /// Does a client's TLS handshake, with the server of that name. A runtime that has no TLS leaves this as it is.
    ///
    /// What the transport returns carries [`rustls::Error`] within [`io::Error`] where that is what went wrong.
    #[cfg(feature = "tls")]
    fn tls_connect(
        stream: Self::Stream,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> impl Future<Output = io::Result<Box<dyn Transport + Send>>> + Send {
        let _ = (stream, name, config);
        async { Err(io::ErrorKind::Unsupported.into()) }
    }

    /// Does a server's TLS handshake. A runtime that has no TLS leaves this as it is.
    ///
    /// When it fails the stream comes back, with what the client is to be told written to it.
    #[cfg(feature = "tls")]
    fn tls_accept(
        stream: Self::Stream,
        config: Arc<ServerConfig>,
    ) -> impl Future<Output = Result<Box<dyn Transport + Send>, (io::Error, Self::Stream)>> + Send {
        let _ = config;
        async { Err((io::Error::new(io::ErrorKind::Unsupported, "this runtime has no TLS"), stream)) }
    }
}
