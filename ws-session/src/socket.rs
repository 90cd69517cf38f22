//! [`MessageSocket`]: both forms of an open connection, for the types that stand on either.

use std::task::{Context, Poll};

use futures_sink::Sink;
use ws_proto::{CloseCode, Message};

use crate::error::Error;

/// An open connection: a [`WebSocket`](crate::WebSocket), or a [`WebSocketStream`](crate::WebSocketStream). Types that work
/// over both are generic over it, such as [`ByteChannel`](crate::ByteChannel). No other type implements it.
pub trait MessageSocket: Polled {}

/// The methods of [`MessageSocket`], for this crate only.
pub trait Polled: Sink<Message, Error = Error> + Unpin {
    /// Receives as `poll_recv` of both forms does.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>>;

    /// Writes what is queued, as far as the transport takes it at once, if no driver does so.
    fn write_queued(&mut self, cx: &mut Context<'_>);

    /// Requests the closing handshake, unless it has begun.
    fn begin_close(&mut self, code: CloseCode, reason: &str);

    /// Waits until the transport has taken our Close frame and everything before it, or the connection has ended.
    fn poll_close_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;
}
