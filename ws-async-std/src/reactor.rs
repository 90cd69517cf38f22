//! The runtime without an executor: sockets, timers and name resolution of smol's crates.

use std::future::Future;
use std::io::{ErrorKind, Result};
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
#[cfg(unix)]
use std::path::Path;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_io::Async;
use async_net::TcpStream;
#[cfg(feature = "tls")]
use futures_rustls::{TlsAcceptor, TlsConnector};
#[cfg(any(feature = "tls", unix))]
use ws_session::Transport;
#[cfg(unix)]
use ws_session::TransportListener;
use ws_session::{Addresses, Runtime};
#[cfg(feature = "tls")]
use ws_session::{
    MaybeTls,
    rustls::{ClientConfig, ServerConfig, pki_types::ServerName},
};

#[cfg(feature = "tls")]
use crate::carrier::Carrier;
use crate::{AsyncIo, AsyncTimer};

/// An executor for the tasks of a [`Reactor`]: async-std's, smol's, or one of your own.
///
/// ```
/// use ws_async_std::{Executor, Reactor, session};
///
/// struct Smol;
///
/// impl Executor for Smol {
///     fn spawn(task: impl Future<Output = ()> + Send + 'static) {
///         smol::spawn(task).detach();
///     }
/// }
///
/// type Server = session::Server<Reactor<Smol>>;
/// type Client = session::Client<Reactor<Smol>>;
/// ```
pub trait Executor: Send + Sync + 'static {
    /// Spawns a task that runs to its end without being awaited.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);
}

/// A [`Runtime`] with the sockets and timers of [`async_io`], which smol and async-std share. The executor `E` runs its
/// tasks.
///
/// It needs no setup: async-io works on a thread that waits in its `block_on`, or on a thread that it starts. Names are
/// resolved on a thread pool, as in smol.
#[derive(Debug)]
pub struct Reactor<E> {
    executor: PhantomData<fn() -> E>,
}

impl<E: Executor> Runtime for Reactor<E> {
    const USER_AGENT: &'static str = concat!("ws-async-std/", env!("CARGO_PKG_VERSION"));

    type Stream = AsyncIo<TcpStream>;
    type Listener = Async<TcpListener>;
    type Timer = AsyncTimer;

    fn timer() -> AsyncTimer {
        AsyncTimer::new()
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        E::spawn(task);
    }

    async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
        async_net::resolve((host, port)).await
    }

    async fn connect(address: SocketAddr) -> Result<(Self::Stream, Addresses)> {
        Ok(connected(TcpStream::connect(address).await?, Some(address)))
    }

    #[cfg(unix)]
    async fn connect_unix(path: &Path) -> Result<Box<dyn Transport + Send>> {
        Ok(Box::new(AsyncIo::new(Async::<UnixStream>::connect(path).await?)))
    }

    fn listen(listener: TcpListener) -> Result<Async<TcpListener>> {
        Async::new_nonblocking(listener)
    }

    #[cfg(unix)]
    fn listen_unix(listener: UnixListener) -> Result<Box<dyn TransportListener>> {
        Ok(Box::new(AsyncUnixListener(Async::new_nonblocking(listener)?)))
    }

    fn local_addr(listener: &Async<TcpListener>) -> Result<SocketAddr> {
        listener.get_ref().local_addr()
    }

    fn poll_accept(listener: &Async<TcpListener>, cx: &mut Context<'_>) -> Poll<Result<(Self::Stream, Addresses)>> {
        loop {
            match listener.get_ref().accept() {
                Ok((stream, peer)) => return Poll::Ready(Ok(connected(Async::new(stream)?.into(), Some(peer)))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(listener.poll_readable(cx))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    #[cfg(feature = "tls")]
    async fn tls_connect(
        transport: MaybeTls<Self::Stream>,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> Result<Box<dyn Transport + Send>> {
        let connector = TlsConnector::from(config);
        Ok(match transport.into_tcp() {
            Ok(tcp) => Box::new(AsyncIo::new(connector.connect(name, tcp.into_inner()).await?)),
            // Boxed, because its future is seldom needed.
            Err(other) => Box::new(AsyncIo::new(Box::pin(connector.connect(name, Carrier::new(other))).await?)),
        })
    }

    #[cfg(feature = "tls")]
    fn poll_peek(stream: &mut Self::Stream, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        let socket: Arc<Async<std::net::TcpStream>> = stream.get_ref().clone().into();
        loop {
            match socket.get_ref().peek(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(socket.poll_readable(cx))?,
                peeked => return Poll::Ready(peeked),
            }
        }
    }

    #[cfg(feature = "tls")]
    async fn tls_accept(
        transport: MaybeTls<Self::Stream>,
        config: Arc<ServerConfig>,
    ) -> std::result::Result<Box<dyn Transport + Send>, (std::io::Error, MaybeTls<Self::Stream>)> {
        let acceptor = TlsAcceptor::from(config);
        match transport.into_tcp() {
            Ok(tcp) => match acceptor.accept(tcp.into_inner()).into_fallible().await {
                Ok(stream) => Ok(Box::new(AsyncIo::new(stream))),
                Err((error, stream)) => Err((error, MaybeTls::from_tcp(AsyncIo::new(stream)))),
            },
            // Boxed, because its future is seldom needed.
            Err(other) => match Box::pin(acceptor.accept(Carrier::new(other)).into_fallible()).await {
                Ok(stream) => Ok(Box::new(AsyncIo::new(stream))),
                Err((error, carrier)) => Err((error, carrier.into_inner())),
            },
        }
    }
}

/// A listening Unix socket of async-io.
#[cfg(unix)]
struct AsyncUnixListener(Async<UnixListener>);

#[cfg(unix)]
impl TransportListener for AsyncUnixListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<(Box<dyn Transport + Send>, Addresses)>> {
        loop {
            match self.0.get_ref().accept() {
                Ok((stream, _)) => {
                    return Poll::Ready(Ok((Box::new(AsyncIo::new(Async::new(stream)?)), Addresses::default())));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.0.poll_readable(cx))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

fn connected(stream: TcpStream, peer: Option<SocketAddr>) -> (AsyncIo<TcpStream>, Addresses) {
    // Each write holds everything that is queued, so it need not wait for more. This fails only on a connection that has
    // ended already, and the first read reports that.
    let _ = stream.set_nodelay(true);
    let addresses = Addresses::new(stream.local_addr().ok(), peer);
    (AsyncIo::new(stream), addresses)
}
