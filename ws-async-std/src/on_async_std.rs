//! All that names async-std's executor, and the short ways for who is on it.

use std::future::Future;
use std::io::Result;
use std::net::ToSocketAddrs;

use futures_io::{AsyncRead, AsyncWrite};
use ws_endpoint::{AcceptError, Addresses, ConnectError, HandlerResult, Runtime, WebSocket};

use crate::{AsyncIo, Executor, Reactor};

/// async-std as a [`Runtime`](ws_endpoint::Runtime): its tasks, beside the sockets and timers it is built on.
pub type AsyncStd = Reactor<AsyncStdTasks>;

/// A server on async-std. See [`ws_endpoint::Server`].
pub type Server = ws_endpoint::Server<AsyncStd>;

/// A server on async-std that listens. See [`ws_endpoint::Listening`].
pub type Listening = ws_endpoint::Listening<AsyncStd>;

/// A client on async-std. See [`ws_endpoint::Client`].
pub type Client = ws_endpoint::Client<AsyncStd>;

/// Connects to a `ws://` URL with the default settings. See [`Client`] for others.
///
/// # Errors
///
/// As [`Client::connect`].
pub async fn connect(url: &str) -> std::result::Result<WebSocket, ConnectError> {
    Client::new(url).connect().await
}

/// Listens on `address` and runs `handler` for each connection, with the default settings and until the future is
/// dropped. See [`Server`] for other settings and for a shutdown.
///
/// # Errors
///
/// When the address cannot be bound.
pub async fn serve<H, F>(address: impl ToSocketAddrs, handler: H) -> Result<()>
where
    H: Fn(WebSocket) -> F + Send + Sync + 'static,
    F: Future<Output = HandlerResult> + Send + 'static,
{
    Server::new().bind(address).await?.serve(handler).await
}

/// Does a server's opening handshake on any stream, with the default settings, and moves the connection's bytes in a
/// task of its own. See [`Server::accept`] for other settings, and to run the driver beside a handler.
///
/// # Errors
///
/// As [`Server::accept`].
pub async fn accept<S>(stream: S) -> std::result::Result<WebSocket, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (socket, driver) = Server::new().accept(AsyncIo::new(stream), Addresses::default()).await?;
    AsyncStd::spawn(driver);
    Ok(socket)
}

/// async-std's executor.
#[derive(Clone, Copy, Debug)]
pub struct AsyncStdTasks;

impl Executor for AsyncStdTasks {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        async_std::task::spawn(task);
    }
}
