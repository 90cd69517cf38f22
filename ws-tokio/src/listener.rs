//! tokio's listening sockets.

use std::io::Result;
use std::net::{SocketAddr, TcpListener as StdListener};
#[cfg(unix)]
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use ws_session::{Addresses, Transport, TransportListener};

#[cfg(unix)]
use crate::TokioIo;

/// A listening socket of tokio: a server's `Listener` on [`Tokio`](crate::Tokio). Connections that it accepts have
/// `TCP_NODELAY` set.
#[derive(Debug)]
pub struct TokioListener {
    listener: TcpListener,
    /// Whether connections inherit `TCP_NODELAY` from this socket, which depends on the system. The first one shows it.
    passes_on_nodelay: OnceLock<bool>,
}

impl TokioListener {
    pub(crate) fn new(listener: StdListener) -> Result<Self> {
        Ok(Self { listener: TcpListener::from_std(listener)?, passes_on_nodelay: OnceLock::new() })
    }

    pub(crate) fn local_addr(&self) -> Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts a connection and sets `TCP_NODELAY`, so that small writes are sent at once.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<(TcpStream, SocketAddr)>> {
        let (stream, peer) = ready!(self.listener.poll_accept(cx))?;
        if !self.passes_on_nodelay.get_or_init(|| stream.nodelay().unwrap_or(false)) {
            // This fails only on a connection that has ended already, and the first read reports that.
            let _ = stream.set_nodelay(true);
        }
        Poll::Ready(Ok((stream, peer)))
    }
}

/// A listening Unix socket of tokio.
#[cfg(unix)]
pub(crate) struct TokioUnixListener(UnixListener);

#[cfg(unix)]
impl TokioUnixListener {
    pub(crate) fn new(listener: StdUnixListener) -> Result<Self> {
        UnixListener::from_std(listener).map(Self)
    }
}

#[cfg(unix)]
impl TransportListener for TokioUnixListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<(Box<dyn Transport + Send>, Addresses)>> {
        let (stream, _) = ready!(self.0.poll_accept(cx))?;
        Poll::Ready(Ok((Box::new(TokioIo::new(stream)), Addresses::default())))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::net::TcpSocket;

    use super::*;

    #[tokio::test]
    async fn connections_have_nodelay_with_and_without_it_on_the_listener() {
        for listener_does in [false, true] {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_nodelay(listener_does).unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let listener = TokioListener::new(socket.listen(8).unwrap().into_std().unwrap()).unwrap();
            for _ in 0..2 {
                let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                let (stream, _) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
                assert!(stream.nodelay().unwrap(), "{listener_does}");
            }
        }
    }
}
