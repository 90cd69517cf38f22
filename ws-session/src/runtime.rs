//! [`Runtime`]: the trait that a runtime's adapter implements.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::Path;
#[cfg(any(feature = "http2", feature = "tls"))]
use std::sync::Arc;
use std::task::{Context, Poll};

#[cfg(feature = "tls")]
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};

#[cfg(feature = "http2")]
use crate::http2::{Http2Policy, Http2Session};
#[cfg(any(feature = "http2", feature = "tls"))]
use crate::transport::MaybeTls;
#[cfg(unix)]
use crate::transport::TransportListener;
use crate::transport::{Addresses, Timer, Transport};

/// An async runtime: sockets, timers and tasks for [`Server`](crate::Server) and [`Client`](crate::Client).
pub trait Runtime: Send + Sync + 'static {
    /// The default `User-Agent` header of its clients: a name and a version (RFC 9110 §10.1.5).
    const USER_AGENT: &'static str = concat!("ws-session/", env!("CARGO_PKG_VERSION"));

    /// A TCP connection.
    type Stream: Transport + Unpin + Send + 'static;
    /// A listening TCP socket.
    type Listener: Send + Sync + 'static;
    /// A clock and an alarm.
    type Timer: Timer + Unpin + Send + 'static;

    /// Whether the runtime drops its tasks when `main` returns, as tokio's does when it is dropped. If it does not, because
    /// tasks run on threads that are not joined, a handle that is dropped writes the outgoing queue.
    const DROPS_TASKS: bool = false;

    /// A timer whose origin is now.
    fn timer() -> Self::Timer;

    /// Spawns a task.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);

    /// Runs a future to its end on the calling thread, with a single-threaded runtime that is made for it. The tasks that it
    /// [spawns](Self::spawn) run on this thread, and are dropped with the runtime.
    ///
    /// It is called on threads without a runtime, by [`Workers`](crate::Workers). A runtime without such a mode keeps the
    /// default.
    ///
    /// # Errors
    ///
    /// If the runtime cannot be made.
    fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
        drop(future);
        Err(io::Error::new(io::ErrorKind::Unsupported, "this runtime cannot run a thread's tasks on that thread"))
    }

    /// Resolves a host to addresses with this port, in the system's order of preference. `host` is a name, or an IPv6 address
    /// with a zone (`fe80::1%eth0`), which is resolved for its scope ID.
    fn resolve(host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Opens a TCP connection to one address with `TCP_NODELAY`, so that small writes are sent at once. Dropping the future
    /// cancels the attempt: a client tries several addresses at the same time, and keeps the first to succeed.
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<(Self::Stream, Addresses)>> + Send;

    /// Connects to a Unix socket. A runtime without Unix sockets keeps the default.
    #[cfg(unix)]
    fn connect_unix(path: &Path) -> impl Future<Output = io::Result<Box<dyn Transport + Send>>> + Send {
        let _ = path;
        async { Err(io::Error::new(io::ErrorKind::Unsupported, "this runtime has no Unix sockets")) }
    }

    /// Takes over a listening socket, which is non-blocking.
    ///
    /// # Errors
    ///
    /// If the runtime cannot watch it.
    fn listen(listener: TcpListener) -> io::Result<Self::Listener>;

    /// Takes over a listening Unix socket, which is non-blocking. A runtime without Unix sockets keeps the default.
    ///
    /// # Errors
    ///
    /// If the runtime cannot watch it.
    #[cfg(unix)]
    fn listen_unix(listener: UnixListener) -> io::Result<Box<dyn TransportListener>> {
        let _ = listener;
        Err(io::Error::new(io::ErrorKind::Unsupported, "this runtime has no Unix sockets"))
    }

    /// The address at which the socket listens.
    ///
    /// # Errors
    ///
    /// The same as [`TcpListener::local_addr`].
    fn local_addr(listener: &Self::Listener) -> io::Result<SocketAddr>;

    /// Accepts a connection with `TCP_NODELAY`, so that small writes are sent at once.
    fn poll_accept(listener: &Self::Listener, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Addresses)>>;

    /// Whether [`serve_http2`](Self::serve_http2) and [`connect_http2`](Self::connect_http2) are implemented.
    #[cfg(feature = "http2")]
    const HTTP2: bool = false;

    /// Serves a connection of HTTP/2 until it ends (RFC 8441). `received` are the bytes that were read from it: they begin with
    /// the client's preface. `policy` decides on requests, and says when to end. A runtime without HTTP/2 keeps the
    /// default.
    #[cfg(feature = "http2")]
    fn serve_http2(
        transport: MaybeTls<Self::Stream>,
        received: Vec<u8>,
        policy: Box<dyn Http2Policy>,
    ) -> impl Future<Output = ()> + Send {
        let _ = (transport, received, policy);
        async {}
    }

    /// Begins a client's connection of HTTP/2, and waits for the server's SETTINGS. `None` if they lack
    /// `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441 §3). A runtime without HTTP/2 keeps the default.
    #[cfg(feature = "http2")]
    fn connect_http2(
        transport: MaybeTls<Self::Stream>,
    ) -> impl Future<Output = io::Result<Option<Arc<dyn Http2Session>>>> + Send {
        let _ = transport;
        async { Ok(None) }
    }

    /// Does a client's TLS handshake with the server of that name. A runtime without TLS keeps the default. The transport is
    /// a [`Stream`](Self::Stream), or any other: a Unix socket, TLS to a proxy.
    ///
    /// An I/O error of the transport carries a [`rustls::Error`] within [`io::Error`] if TLS failed.
    #[cfg(feature = "tls")]
    fn tls_connect(
        transport: MaybeTls<Self::Stream>,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> impl Future<Output = io::Result<Box<dyn Transport + Send>>> + Send {
        let _ = (transport, name, config);
        async { Err(io::ErrorKind::Unsupported.into()) }
    }

    /// Reads the bytes that have arrived and leaves them there, so that the next read returns them again. A server with TLS
    /// looks at the first byte, to answer clients that speak plain HTTP. The default cannot: then the byte is
    /// read, and put before the others in a transport around the stream.
    #[cfg(feature = "tls")]
    fn poll_peek(stream: &mut Self::Stream, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let _ = (stream, cx, buffer);
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    /// Does a server's TLS handshake. A runtime without TLS keeps the default. The transport is a [`Stream`](Self::Stream), or
    /// any other, such as a Unix socket.
    ///
    /// If it fails, the transport is returned, after the alert for the client was written to it.
    #[cfg(feature = "tls")]
    #[expect(clippy::type_complexity, reason = "an alias would hide that the transport is returned")]
    fn tls_accept(
        transport: MaybeTls<Self::Stream>,
        config: Arc<ServerConfig>,
    ) -> impl Future<Output = Result<Box<dyn Transport + Send>, (io::Error, MaybeTls<Self::Stream>)>> + Send {
        let _ = config;
        async { Err((io::Error::new(io::ErrorKind::Unsupported, "this runtime has no TLS"), transport)) }
    }
}
