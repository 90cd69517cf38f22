//! The TLS handshake on a server, within the deadline of the opening handshake.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use rustls::ServerConfig;
use ws_proto::Timestamp;

use super::accept::{FINISH_BYTES, FINISH_TIME};
use crate::error::AcceptError;
use crate::opening::exchange::{Exchange, Interrupted};
use crate::registry::HandshakeGuard;
use crate::runtime::Runtime;
use crate::transport::{MaybeTls, Timer, Transport};

/// Does the TLS handshake. A client that is refused gets an alert with the reason, and time to read it.
pub(super) async fn secure<R: Runtime>(
    config: Arc<ServerConfig>,
    guard: &HandshakeGuard,
    stream: MaybeTls<R::Stream>,
    mut timer: R::Timer,
    deadline: Timestamp,
) -> Result<(Box<dyn Transport + Send>, R::Timer), AcceptError> {
    let mut accepted = Box::pin(R::tls_accept(stream, config));
    let accepted = poll_fn(|cx| match accepted.as_mut().poll(cx) {
        Poll::Ready(accepted) => Poll::Ready(Ok(accepted)),
        // The client has sent no request yet, so no response is possible.
        Poll::Pending => match guard.poll_stopped(cx) {
            Poll::Ready(()) => Poll::Ready(Err(AcceptError::Stopped)),
            Poll::Pending => timer.poll_at(cx, deadline).map(|()| Err(AcceptError::Timeout)),
        },
    });
    match accepted.await? {
        Ok(transport) => Ok((transport, timer)),
        Err((error, stream)) => {
            let deadline = timer.now() + FINISH_TIME;
            let mut exchange = Exchange { transport: stream, timer, deadline, received: Vec::new() };
            exchange.finish(FINISH_BYTES).await;
            Err(Interrupted::Io(error).into())
        }
    }
}
