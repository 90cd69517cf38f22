//! Where a server's connections come in.

use std::io::Result;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use tokio::net::{TcpListener, TcpStream};

/// A listening socket of tokio's: a server's `Listener` on [`Tokio`](crate::Tokio). What it accepts has `TCP_NODELAY` set.
#[derive(Debug)]
pub struct TokioListener {
    listener: TcpListener,
    /// Whether connections have `TCP_NODELAY` from this socket already. The first tells: it depends on the system.
    passes_on_nodelay: OnceLock<bool>,
}

impl TokioListener {
    pub(crate) fn new(listener: StdListener) -> Result<Self> {
        Ok(Self { listener: TcpListener::from_std(listener)?, passes_on_nodelay: OnceLock::new() })
    }

    pub(crate) fn local_addr(&self) -> Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A connection that sends small writes at once.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<(TcpStream, SocketAddr)>> {
        let (stream, peer) = ready!(self.listener.poll_accept(cx))?;
        if !self.passes_on_nodelay.get_or_init(|| stream.nodelay().unwrap_or(false)) {
            // This fails only on a connection that is gone already, which the first read will tell.
            let _ = stream.set_nodelay(true);
        }
        Poll::Ready(Ok((stream, peer)))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::net::TcpSocket;

    use super::*;

    #[tokio::test]
    async fn connections_send_at_once_whether_or_not_their_listener_does() {
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
