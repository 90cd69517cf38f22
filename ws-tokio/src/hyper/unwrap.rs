//! The socket within a stream of hyper, which hides it.

use ::hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo as Wrapped;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::{TlsStream, client, server};
use ws_session::{Addresses, Handover};

use super::UpgradedIo;
use crate::TokioIo;

/// Unwraps the socket, if the stream is of one of the usual types.
pub(super) fn unwrap(upgraded: Upgraded) -> Handover<UpgradedIo> {
    let upgraded = match unwrap_as::<TcpStream>(upgraded) {
        Ok((stream, received)) => return hand_over(&addresses(&stream), received, UpgradedIo::from_tcp(stream)),
        Err(upgraded) => upgraded,
    };
    #[cfg(feature = "tls")]
    let upgraded = match unwrap_tls(upgraded) {
        Ok(handover) => return handover,
        Err(upgraded) => upgraded,
    };
    Handover::new(UpgradedIo::from_other(TokioIo::new(Wrapped::new(upgraded))))
}

#[cfg(feature = "tls")]
fn unwrap_tls(upgraded: Upgraded) -> Result<Handover<UpgradedIo>, Upgraded> {
    let upgraded = match unwrap_as::<server::TlsStream<TcpStream>>(upgraded) {
        Ok((stream, received)) => return Ok(over_tls(&addresses(stream.get_ref().0), received, stream)),
        Err(upgraded) => upgraded,
    };
    let upgraded = match unwrap_as::<client::TlsStream<TcpStream>>(upgraded) {
        Ok((stream, received)) => return Ok(over_tls(&addresses(stream.get_ref().0), received, stream)),
        Err(upgraded) => upgraded,
    };
    let (stream, received) = unwrap_as::<TlsStream<TcpStream>>(upgraded)?;
    Ok(over_tls(&addresses(stream.get_ref().0), received, stream))
}

/// The stream within hyper-util's wrapper, also as its `auto` builder wraps that, and the bytes that were read after the head.
fn unwrap_as<S>(upgraded: Upgraded) -> Result<(S, Vec<u8>), Upgraded>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let upgraded = match upgraded.downcast::<Wrapped<S>>() {
        Ok(parts) => return Ok((parts.io.into_inner(), parts.read_buf.into())),
        Err(upgraded) => upgraded,
    };
    let parts = auto::upgrade::downcast::<Wrapped<S>>(upgraded)?;
    Ok((parts.io.into_inner(), parts.read_buf.into()))
}

/// The addresses of a socket. Prepares it as those of other connections: each write holds everything that is queued, so it
/// need not wait for more.
fn addresses(stream: &TcpStream) -> Addresses {
    // This fails only on a connection that has ended already, and the first read reports that.
    let _ = stream.set_nodelay(true);
    Addresses::new(stream.local_addr().ok(), stream.peer_addr().ok())
}

#[cfg(feature = "tls")]
fn over_tls<S>(addresses: &Addresses, received: Vec<u8>, stream: S) -> Handover<UpgradedIo>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    hand_over(addresses, received, UpgradedIo::from_other(TokioIo::new(stream)))
}

fn hand_over(addresses: &Addresses, received: Vec<u8>, io: UpgradedIo) -> Handover<UpgradedIo> {
    Handover::new(io).received(received).addresses(*addresses)
}
