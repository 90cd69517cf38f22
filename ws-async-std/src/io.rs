//! Streams of `futures-io` as transports.

use std::any::Any;
use std::io::{IoSlice, Result};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_io::Async;
use futures_io::{AsyncRead, AsyncWrite};
#[cfg(feature = "tls")]
use ws_session::rustls::CommonState;
use ws_session::tcp::TcpSocket;
use ws_session::{InFlight, Transport};
#[cfg(feature = "tls")]
use ws_session::{MaybeTls, TlsInfo};

#[cfg(feature = "tls")]
use crate::carrier::Carrier;

/// A client's transport below TLS, if it is not TCP.
#[cfg(feature = "tls")]
type Other = Carrier<MaybeTls<AsyncIo<async_net::TcpStream>>>;

/// A stream that `futures-io` can read and write, as a [`Transport`]: a stream of smol or async-std, TLS on one of them, or
/// a pipe.
///
/// At the end of a connection the stream's `poll_close` is called. It must end the write side, so that the peer reads the
/// end of the stream.
#[derive(Debug)]
pub struct AsyncIo<S> {
    stream: S,
}

impl<S> AsyncIo<S> {
    /// Wraps a stream.
    pub fn new(stream: S) -> Self {
        Self { stream }
    }

    /// The stream.
    #[cfg(feature = "tls")]
    pub(crate) fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the stream.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Transport for AsyncIo<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        match buffers {
            [one] => Pin::new(&mut self.stream).poll_write(cx, one),
            many => Pin::new(&mut self.stream).poll_write_vectored(cx, many),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_close(cx))?;
        Poll::Ready(end_writing(&self.stream))
    }

    #[cfg(feature = "tls")]
    fn negotiated_protocol(&self) -> Option<&[u8]> {
        session(&self.stream)?.0.alpn_protocol()
    }

    #[cfg(feature = "tls")]
    fn tls(&self) -> Option<TlsInfo> {
        session(&self.stream).map(|(session, server_name)| TlsInfo::new(session, server_name))
    }

    fn in_flight(&self) -> Option<InFlight> {
        socket(&self.stream)?.in_flight()
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        if let Some(socket) = socket(&self.stream) {
            // This fails only on a connection that has ended already, and the next read reports that.
            let _ = socket.set_notsent_lowat(bytes);
        }
    }
}

/// The TLS of a stream, if it is futures-rustls' `TlsStream` on smol's `TcpStream`, or one on another transport of
/// ours. With the host name that a client has sent.
#[cfg(feature = "tls")]
fn session(stream: &dyn Any) -> Option<(&CommonState, Option<&str>)> {
    use async_net::TcpStream;
    use futures_rustls::{TlsStream, client, server};

    let server = stream.downcast_ref::<server::TlsStream<TcpStream>>().map(|stream| stream.get_ref().1);
    let client = stream.downcast_ref::<client::TlsStream<TcpStream>>().map(|stream| stream.get_ref().1);
    let server_of_other = stream.downcast_ref::<server::TlsStream<Other>>().map(|stream| stream.get_ref().1);
    let client_of_other = stream.downcast_ref::<client::TlsStream<Other>>().map(|stream| stream.get_ref().1);
    let (server, client) = match stream.downcast_ref() {
        Some(TlsStream::<TcpStream>::Server(stream)) => (Some(stream.get_ref().1), None),
        Some(TlsStream::Client(stream)) => (None, Some(stream.get_ref().1)),
        None => (server.or(server_of_other), client.or(client_of_other)),
    };
    match (server, client) {
        (Some(server), _) => Some((server, server.server_name())),
        (None, client) => Some((client?, None)),
    }
}

/// The TCP socket of a stream, if it is smol's or async-std's `TcpStream`, or TLS on smol's.
fn socket(stream: &dyn Any) -> Option<TcpSocket<'_>> {
    #[cfg(feature = "tls")]
    {
        use async_net::TcpStream;
        use futures_rustls::{TlsStream, client, server};

        if let Some(stream) = stream.downcast_ref::<server::TlsStream<TcpStream>>() {
            return Some(TcpSocket::of(stream.get_ref().0));
        }
        if let Some(stream) = stream.downcast_ref::<client::TlsStream<TcpStream>>() {
            return Some(TcpSocket::of(stream.get_ref().0));
        }
        if let Some(stream) = stream.downcast_ref::<TlsStream<TcpStream>>() {
            return Some(TcpSocket::of(stream.get_ref().0));
        }
    }
    #[cfg(feature = "async-std")]
    if let Some(stream) = stream.downcast_ref::<async_std::net::TcpStream>() {
        return Some(TcpSocket::of(stream));
    }
    if let Some(stream) = stream.downcast_ref::<Async<TcpStream>>() {
        return Some(TcpSocket::of(stream));
    }
    stream.downcast_ref::<async_net::TcpStream>().map(TcpSocket::of)
}

/// Ends the write side of sockets whose `poll_close` only flushes: those of async-io, and those of async-std, which wrap
/// them. Without this, each end of a connection would wait for the other to end it.
fn end_writing(stream: &dyn Any) -> Result<()> {
    if let Some(stream) = stream.downcast_ref::<Async<TcpStream>>() {
        return stream.get_ref().shutdown(Shutdown::Write);
    }
    #[cfg(unix)]
    if let Some(stream) = stream.downcast_ref::<Async<UnixStream>>() {
        return stream.get_ref().shutdown(Shutdown::Write);
    }
    #[cfg(feature = "async-std")]
    if let Some(stream) = stream.downcast_ref::<async_std::net::TcpStream>() {
        return stream.shutdown(Shutdown::Write);
    }
    #[cfg(all(unix, feature = "async-std"))]
    if let Some(stream) = stream.downcast_ref::<async_std::os::unix::net::UnixStream>() {
        return stream.shutdown(Shutdown::Write);
    }
    Ok(())
}
