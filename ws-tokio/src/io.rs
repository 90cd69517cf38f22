//! tokio's streams as transports.

use std::any::Any;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
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
type Other = Carrier<MaybeTls<TokioIo<TcpStream>>>;

/// A stream that tokio can read and write, as a [`Transport`].
///
/// A `TcpStream`, or tokio-rustls' `TlsStream` on one, also reports how much the peer has taken ([`Transport::in_flight`]).
/// Deadlines allow for slow peers then. A stream that wraps one of them in another type does not report it.
///
/// hyper-util has a type of the same name, which makes hyper's streams from tokio's, and tokio's from hyper's. With both, a
/// stream of hyper is a transport: `TokioIo::new(hyper_util::rt::TokioIo::new(stream))`.
#[derive(Debug)]
pub struct TokioIo<S> {
    stream: S,
}

impl<S> TokioIo<S> {
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

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Transport for TokioIo<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        Pin::new(&mut self.stream).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
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
        Pin::new(&mut self.stream).poll_shutdown(cx)
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
        TcpSocket::of(socket(&self.stream)?).in_flight()
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        if let Some(socket) = socket(&self.stream) {
            // This fails only on a connection that has ended already, and the next read reports that.
            let _ = TcpSocket::of(socket).set_notsent_lowat(bytes);
        }
    }
}

/// The TLS of a stream, if it is tokio-rustls' `TlsStream` on a `TcpStream`, or one on another transport of ours.
/// With the host name that a client has sent.
#[cfg(feature = "tls")]
fn session(stream: &dyn Any) -> Option<(&CommonState, Option<&str>)> {
    use tokio_rustls::{TlsStream, client, server};

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

/// The TCP socket of a stream, if it is tokio's `TcpStream` or TLS on one.
fn socket(stream: &dyn Any) -> Option<&TcpStream> {
    #[cfg(feature = "tls")]
    {
        use tokio_rustls::{TlsStream, client, server};

        if let Some(stream) = stream.downcast_ref::<server::TlsStream<TcpStream>>() {
            return Some(stream.get_ref().0);
        }
        if let Some(stream) = stream.downcast_ref::<client::TlsStream<TcpStream>>() {
            return Some(stream.get_ref().0);
        }
        if let Some(stream) = stream.downcast_ref::<TlsStream<TcpStream>>() {
            return Some(stream.get_ref().0);
        }
    }
    stream.downcast_ref()
}
