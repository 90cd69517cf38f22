//! The TLS handshake on a server, within the deadline of the opening handshake.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use rustls::ServerConfig;

use super::accept::{FINISH_BYTES, FINISH_TIME};
use crate::error::AcceptError;
use crate::opening::exchange::{Exchange, Interrupted};
use crate::registry::HandshakeGuard;
use crate::runtime::Runtime;
#[cfg(feature = "proxy-protocol")]
use crate::transport::Prefixed;
use crate::transport::{MaybeTls, Timer};

/// Does the TLS handshake. A client that is refused gets an alert with the reason, and time to read it.
pub(super) async fn secure<R: Runtime>(
    config: Arc<ServerConfig>,
    guard: &HandshakeGuard,
    exchange: Exchange<MaybeTls<R::Stream>, R::Timer>,
) -> Result<Exchange<MaybeTls<R::Stream>, R::Timer>, AcceptError> {
    let Exchange { transport, mut timer, deadline, received } = exchange;
    #[cfg(feature = "proxy-protocol")]
    let transport = Prefixed::around(&received, transport);
    let mut accepted = Box::pin(R::tls_accept(transport, config));
    let accepted = poll_fn(|cx| match accepted.as_mut().poll(cx) {
        Poll::Ready(accepted) => Poll::Ready(Ok(accepted)),
        // The client has sent no request yet, so no response is possible.
        Poll::Pending => match guard.poll_stopped(cx) {
            Poll::Ready(()) => Poll::Ready(Err(AcceptError::Stopped)),
            Poll::Pending => timer.poll_at(cx, deadline).map(|()| Err(AcceptError::Timeout)),
        },
    });
    let mut received = received;
    received.clear();
    match accepted.await? {
        Ok(transport) => Ok(Exchange { transport: MaybeTls::tls(transport), timer, deadline, received }),
        Err((error, transport)) => {
            let deadline = timer.now() + FINISH_TIME;
            let mut exchange = Exchange { transport, timer, deadline, received };
            exchange.finish(FINISH_BYTES).await;
            Err(Interrupted::Io(error).into())
        }
    }
}
