//! The TLS handshake on a server, within the deadline of the opening handshake.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::Poll;

use rustls::ServerConfig;

use super::accept::{FINISH_BYTES, FINISH_TIME};
use crate::error::AcceptError;
use crate::opening::exchange::{Exchange, Interrupted};
use crate::registry::HandshakeGuard;
use crate::runtime::Runtime;
use crate::transport::{MaybeTls, Prefixed, Timer, Transport};

/// Whether the client speaks plain HTTP: its first byte is a letter, as that of each method, and not that of a handshake
/// (RFC 8446 §5.1). What is neither is left to TLS.
pub(super) async fn speaks_http<R: Runtime>(
    guard: &HandshakeGuard,
    exchange: &mut Exchange<MaybeTls<R::Stream>, R::Timer>,
) -> Result<bool, AcceptError> {
    let Exchange { transport, timer, deadline, received } = exchange;
    if let Some(first) = received.first() {
        return Ok(first.is_ascii_alphabetic());
    }
    let (mut byte, mut is_peeked) = ([0], false);
    let found = poll_fn(|cx| {
        let found = match transport.tcp_mut() {
            // TCP stays plain TCP for TLS then.
            Some(stream) => match R::poll_peek(stream, cx, &mut byte) {
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::Unsupported => transport.poll_read(cx, &mut byte),
                peeked => {
                    is_peeked = true;
                    peeked
                }
            },
            None => transport.poll_read(cx, &mut byte),
        };
        match found {
            Poll::Ready(found) => Poll::Ready(Ok(found)),
            Poll::Pending => match guard.poll_stopped(cx) {
                Poll::Ready(()) => Poll::Ready(Err(AcceptError::Stopped)),
                Poll::Pending => timer.poll_at(cx, *deadline).map(|()| Err(AcceptError::Timeout)),
            },
        }
    });
    // TLS reports the end of the stream, and errors.
    let is_found = matches!(found.await?, Ok(1));
    if is_found && !is_peeked {
        received.extend(byte);
    }
    Ok(is_found && byte[0].is_ascii_alphabetic())
}

/// Does the TLS handshake. A client that is refused gets an alert with the reason, and time to read it.
pub(super) async fn secure<R: Runtime>(
    config: Arc<ServerConfig>,
    guard: &HandshakeGuard,
    exchange: Exchange<MaybeTls<R::Stream>, R::Timer>,
) -> Result<Exchange<MaybeTls<R::Stream>, R::Timer>, AcceptError> {
    let Exchange { transport, mut timer, deadline, received } = exchange;
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
