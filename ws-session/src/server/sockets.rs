//! The sockets on which a server listens: TCP addresses, Unix sockets, and sockets that listen already.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
#[cfg(unix)]
use std::os::fd::OwnedFd;
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::sync::Arc;
use std::task::{Context, Poll};

#[cfg(unix)]
use socket2::{Domain, SockRef, Type};

#[cfg(unix)]
use super::UnixSocket;
use super::bind::{self, ServeError};
#[cfg(unix)]
use super::unix::SocketFile;
use super::{Listening, Server};
use crate::runtime::Runtime;
use crate::transport::{Addresses, MaybeTls, TransportListener};

impl<R: Runtime> Server<R> {
    /// Listens on TCP addresses. The system holds up to 1,024 connections that wait to be accepted, or fewer if its own limit
    /// is lower. A host name is resolved by a call that blocks, so prefer an IP address.
    ///
    /// | `address` | the server listens on |
    /// | --- | --- |
    /// | `"0.0.0.0:80"` | all IPv4 addresses of this machine |
    /// | `"[::]:80"` | all addresses of this machine, IPv6 and IPv4, unless [`only_v6`](Self::only_v6) is set. IPv4 clients have addresses such as `::ffff:192.0.2.1` |
    /// | `"localhost:80"` | each address of the name, on the same port |
    /// | `&[first, second][..]` | each of these [`SocketAddr`]s |
    ///
    /// Of several addresses, those that this machine does not have are skipped, unless there is no other.
    /// [`Listening::local_addrs`] lists them. [`Listening::bind`] adds addresses that must not be skipped.
    ///
    /// # Errors
    ///
    /// If an address cannot be bound, or a setting is invalid.
    pub async fn bind(self, address: impl ToSocketAddrs) -> Result<Listening<R>, ServeError> {
        self.ready()?.listening().bind(address).await
    }

    /// Listens on a Unix socket: a path, or a [`UnixSocket`] with permissions.
    ///
    /// A socket that a server has left behind at this path is replaced: one on which nobody answers. Its owner and group stay,
    /// as far as the system permits. A socket on which a server answers, and a file of any other kind, are errors. The file
    /// is removed when the server stops listening, unless another has taken its place by then.
    ///
    /// Peers have no address: [`WebSocket::peer_addr`](crate::WebSocket::peer_addr) is `None`.
    /// [`trusted_proxies`](Self::trusted_proxies) calls them `unix:`. Limits per address do not apply to them.
    ///
    /// # Errors
    ///
    /// [`ServeError::BindUnix`] if the socket cannot be made, or a setting is invalid.
    #[cfg(unix)]
    pub async fn bind_unix(self, socket: impl Into<UnixSocket>) -> Result<Listening<R>, ServeError> {
        self.ready()?.listening().bind_unix(socket).await
    }

    /// Uses a socket that listens already: a [`TcpListener`] or a `UnixListener` of the standard library, or an `OwnedFd`
    /// that is turned into a [`ListeningSocket`].
    ///
    /// Nothing about the socket is changed but that it no longer blocks. The file of a Unix socket stays when the server
    /// ends.
    ///
    /// # Errors
    ///
    /// If the runtime cannot watch the socket, or a setting is invalid.
    pub fn listen_on(self, socket: impl Into<ListeningSocket>) -> Result<Listening<R>, ServeError> {
        self.ready()?.listening().listen_on(socket)
    }

    /// Uses sockets that listen already, as [`listen_on`](Self::listen_on) does with one.
    ///
    /// # Errors
    ///
    /// If there is none, if the runtime cannot watch one of them, or a setting is invalid.
    pub fn listen_on_each(
        self,
        sockets: impl IntoIterator<Item = impl Into<ListeningSocket>>,
    ) -> Result<Listening<R>, ServeError> {
        let mut listening = self.ready()?.listening();
        for socket in sockets {
            listening = listening.listen_on(socket)?;
        }
        match listening.listeners.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no socket to listen on").into()),
            false => Ok(listening),
        }
    }

    /// Sets whether [`bind`](Self::bind) lets other sockets listen on the same address and port (`SO_REUSEPORT`). Default
    /// `false`. All of them must set it, and have the same user.
    ///
    /// Linux, Android and FreeBSD distribute new connections among the sockets, by a hash of the addresses of both ends. Other
    /// systems give all of them to one socket. With it, a new version of a program can start before the old one stops:
    /// `docs/deployment.md` in the repository.
    ///
    /// On systems without it, such as Windows, `bind` fails with
    /// [`InvalidSetting::ReusePortUnsupported`](crate::InvalidSetting::ReusePortUnsupported).
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.settings.tcp.reuse_port = reuse;
        self
    }

    /// Sets whether [`bind`](Self::bind) keeps a socket for all IPv6 addresses (`[::]`) from taking IPv4 connections. Default
    /// `false`: such a socket takes both, on every system but OpenBSD.
    ///
    /// If `bind` gets several addresses at once, `[::]` is for IPv6 only in any case.
    #[must_use]
    pub fn only_v6(mut self, only_v6: bool) -> Self {
        self.settings.tcp.only_v6 = only_v6;
        self
    }

    pub(super) fn listening(self) -> Listening<R> {
        Listening::new(self.settings, self.registry)
    }
}

/// More sockets for a server.
///
/// ```
/// # use ws_session::{HandlerResult, Runtime, Server, WebSocket};
/// # async fn example<R: Runtime>(echo: impl AsyncFn(WebSocket) -> HandlerResult) -> std::io::Result<()> {
/// let listening = Server::<R>::new().bind("192.0.2.1:80").await?.bind("[2001:db8::1]:80").await?;
/// # #[cfg(unix)]
/// let listening = listening.bind_unix("/run/chat/chat.sock").await?;
/// # Ok(())
/// # }
/// ```
impl<R: Runtime> Listening<R> {
    /// Listens on further TCP addresses. See [`Server::bind`].
    ///
    /// # Errors
    ///
    /// If an address cannot be bound.
    pub async fn bind(mut self, address: impl ToSocketAddrs) -> Result<Self, ServeError> {
        for socket in bind::bind(address, self.settings().tcp)? {
            self = self.listen_on(socket)?;
        }
        Ok(self)
    }

    /// Listens on a further Unix socket. See [`Server::bind_unix`].
    ///
    /// # Errors
    ///
    /// [`ServeError::BindUnix`] if the socket cannot be made.
    #[cfg(unix)]
    pub async fn bind_unix(self, socket: impl Into<UnixSocket>) -> Result<Self, ServeError> {
        let socket = socket.into().bind()?;
        self.listen_on(socket)
    }

    /// Uses one more socket that listens already. See [`Server::listen_on`].
    ///
    /// # Errors
    ///
    /// If the runtime cannot watch the socket.
    pub fn listen_on(mut self, socket: impl Into<ListeningSocket>) -> Result<Self, ServeError> {
        self.listeners.push(Listener::new(socket.into())?);
        Ok(self)
    }
}

/// A socket that listens already, for [`Server::listen_on`]. Made of a [`TcpListener`], a `UnixListener` or an `OwnedFd`.
#[derive(Debug)]
pub struct ListeningSocket(Given);

#[derive(Debug)]
enum Given {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: UnixListener,
        /// The file to be removed when the last socket of it is gone.
        file: Option<Arc<SocketFile>>,
    },
}

impl ListeningSocket {
    /// A Unix socket whose file is removed with it.
    #[cfg(unix)]
    pub(super) fn with_file(listener: UnixListener, file: SocketFile) -> Self {
        Self(Given::Unix { listener, file: Some(Arc::new(file)) })
    }

    /// Another descriptor of the same socket.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(match &self.0 {
            Given::Tcp(listener) => Given::Tcp(listener.try_clone()?),
            #[cfg(unix)]
            Given::Unix { listener, file } => Given::Unix { listener: listener.try_clone()?, file: file.clone() },
        }))
    }

    /// The address of a TCP socket.
    pub(super) fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        match &self.0 {
            Given::Tcp(listener) => listener.local_addr().map(Some),
            #[cfg(unix)]
            Given::Unix { .. } => Ok(None),
        }
    }
}

impl From<TcpListener> for ListeningSocket {
    fn from(listener: TcpListener) -> Self {
        Self(Given::Tcp(listener))
    }
}

#[cfg(unix)]
impl From<UnixListener> for ListeningSocket {
    fn from(listener: UnixListener) -> Self {
        Self(Given::Unix { listener, file: None })
    }
}

#[cfg(all(feature = "socket-activation", unix))]
impl ListeningSocket {
    /// The sockets that a service manager passes to this process, in its order (`LISTEN_FDS`, as systemd and systemfd do).
    /// Empty if it passes none. TCP sockets and Unix sockets for streams are possible.
    ///
    /// The second call returns none: the first one removes the environment variables, so that child processes do not take the
    /// sockets for theirs. Make it at the start of the program, before other threads read the environment.
    ///
    /// ```no_run
    /// # use ws_session::{ListeningSocket, Runtime, Server};
    /// # async fn example<R: Runtime>() -> std::io::Result<()> {
    /// let given = ListeningSocket::from_environment()?;
    /// let listening = match given.is_empty() {
    ///     true => Server::<R>::new().bind("127.0.0.1:8765").await?,
    ///     false => Server::<R>::new().listen_on_each(given)?,
    /// };
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If one of them is of another kind. The error has its number among them, from 0 on.
    pub fn from_environment() -> io::Result<Vec<Self>> {
        let mut given = listenfd::ListenFd::from_env();
        let sockets = given.len();
        let mut take = |n| match given.take_tcp_listener(n) {
            Ok(Some(listener)) => Some(listener.into()),
            _ => given.take_unix_listener(n).ok().flatten().map(Self::from),
        };
        let other = |n| format!("socket {n} of LISTEN_FDS is neither a TCP socket nor a Unix socket for streams");
        (0..sockets).map(|n| take(n).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, other(n)))).collect()
    }
}

/// A descriptor from another process. It must be a socket for streams, of IPv4, IPv6 or Unix.
#[cfg(unix)]
impl TryFrom<OwnedFd> for ListeningSocket {
    type Error = io::Error;

    fn try_from(descriptor: OwnedFd) -> io::Result<Self> {
        let domain = {
            let socket = SockRef::from(&descriptor);
            let is_stream = socket.r#type()? == Type::STREAM;
            socket.local_addr().map(|address| is_stream.then(|| address.domain()))?
        };
        match domain {
            Some(Domain::IPV4 | Domain::IPV6) => Ok(TcpListener::from(descriptor).into()),
            Some(Domain::UNIX) => Ok(UnixListener::from(descriptor).into()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a TCP socket nor a Unix socket for streams")),
        }
    }
}

/// A listening socket of a runtime.
pub(super) struct Listener<R: Runtime> {
    socket: Socket<R::Listener>,
    /// The file of a Unix socket, which is removed with it.
    #[cfg(unix)]
    file: Option<Arc<SocketFile>>,
}

enum Socket<L> {
    Tcp(L),
    Other(Box<dyn TransportListener>),
}

impl<R: Runtime> Listener<R> {
    fn new(ListeningSocket(given): ListeningSocket) -> io::Result<Self> {
        match given {
            Given::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Ok(Self {
                    socket: Socket::Tcp(R::listen(listener)?),
                    #[cfg(unix)]
                    file: None,
                })
            }
            #[cfg(unix)]
            Given::Unix { listener, file } => {
                listener.set_nonblocking(true)?;
                Ok(Self { socket: Socket::Other(R::listen_unix(listener)?), file })
            }
        }
    }

    /// The address of a TCP socket.
    pub(super) fn local_addr(&self) -> Option<io::Result<SocketAddr>> {
        match &self.socket {
            Socket::Tcp(listener) => Some(R::local_addr(listener)),
            Socket::Other(_) => None,
        }
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(MaybeTls<R::Stream>, Addresses)>> {
        match &self.socket {
            Socket::Tcp(listener) => {
                R::poll_accept(listener, cx).map_ok(|(stream, addresses)| (MaybeTls::plain(stream), addresses))
            }
            Socket::Other(listener) => {
                listener.poll_accept(cx).map_ok(|(stream, addresses)| (MaybeTls::other(stream, false), addresses))
            }
        }
    }
}

#[cfg(unix)]
impl<R: Runtime> Drop for Listener<R> {
    /// The file goes before the socket does, so that clients find either both or neither.
    fn drop(&mut self) {
        drop(self.file.take());
    }
}

impl<R: Runtime> fmt::Debug for Listener<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Ok(address)) = self.local_addr() {
            return address.fmt(f);
        }
        #[cfg(unix)]
        if let Some(file) = &self.file {
            return file.path().fmt(f);
        }
        f.write_str("socket")
    }
}
