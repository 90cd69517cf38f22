//! The runtime, but for what runs the tasks.

use std::future::Future;
use std::io::{ErrorKind, Result};
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpListener};
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_io::Async;
use async_net::TcpStream;
use ws_endpoint::{Addresses, Runtime};
#[cfg(feature = "tls")]
use ws_endpoint::{
    Transport,
    rustls::{ClientConfig, ServerConfig, pki_types::ServerName},
};

#[cfg(feature = "tls")]
use crate::tls;
use crate::{AsyncIo, AsyncTimer};

/// What runs tasks beside [`Reactor`]'s sockets and timers: async-std's executor, smol's, one of your own.
///
/// ```
/// use ws_async_std::{Executor, Reactor, endpoint};
///
/// struct Smol;
///
/// impl Executor for Smol {
///     fn spawn(task: impl Future<Output = ()> + Send + 'static) {
///         smol::spawn(task).detach();
///     }
/// }
///
/// type Server = endpoint::Server<Reactor<Smol>>;
/// type Client = endpoint::Client<Reactor<Smol>>;
/// ```
pub trait Executor: Send + Sync + 'static {
    /// Runs a task beside the current one, to its end, though nobody waits for it.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);
}

/// A [`Runtime`] whose sockets and timers are [`async_io`]'s, which smol and async-std have in common, and whose tasks
/// are run by `E`.
///
/// async-io does its work on whatever thread waits in one of its own `block_on`, or on a thread that it starts: nothing
/// has to be set up. Names are resolved on a thread beside, as smol does.
#[derive(Debug)]
pub struct Reactor<E> {
    executor: PhantomData<fn() -> E>,
}

impl<E: Executor> Runtime for Reactor<E> {
    type Stream = AsyncIo<TcpStream>;
    type Listener = Async<TcpListener>;
    type Timer = AsyncTimer;

    fn timer() -> AsyncTimer {
        AsyncTimer::new()
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        E::spawn(task);
    }

    async fn dial(host: &str, port: u16) -> Result<(Self::Stream, Addresses)> {
        Ok(connected(TcpStream::connect((host, port)).await?))
    }

    fn listen(listener: TcpListener) -> Result<Async<TcpListener>> {
        Async::new_nonblocking(listener)
    }

    fn local_addr(listener: &Async<TcpListener>) -> Result<SocketAddr> {
        listener.get_ref().local_addr()
    }

    fn poll_accept(listener: &Async<TcpListener>, cx: &mut Context<'_>) -> Poll<Result<(Self::Stream, Addresses)>> {
        loop {
            match listener.get_ref().accept() {
                Ok((stream, _)) => return Poll::Ready(Ok(connected(Async::new(stream)?.into()))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(listener.poll_readable(cx))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    #[cfg(feature = "tls")]
    async fn tls_connect(
        stream: Self::Stream,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> Result<Box<dyn Transport + Send>> {
        tls::connect(stream, name, config).await
    }

    #[cfg(feature = "tls")]
    async fn tls_accept(
        stream: Self::Stream,
        config: Arc<ServerConfig>,
    ) -> std::result::Result<Box<dyn Transport + Send>, (std::io::Error, Self::Stream)> {
        tls::accept(stream, config).await
    }
}

fn connected(stream: TcpStream) -> (AsyncIo<TcpStream>, Addresses) {
    // Small messages go out at once: what belongs together is written together. This fails only on a connection that
    // is gone already, which the first read will tell.
    let _ = stream.set_nodelay(true);
    let addresses = Addresses { local: stream.local_addr().ok(), peer: stream.peer_addr().ok() };
    (AsyncIo::new(stream), addresses)
}
