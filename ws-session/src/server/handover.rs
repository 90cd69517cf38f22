//! Connections whose transport an HTTP library hands over, after it has sent the response.

use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;
use std::task::Poll;

use tracing::info;
use ws_proto::Escaped;

use super::task::{ConnectionTask, run};
use crate::error::{BoxError, UpgradeError};
use crate::handle::{Handled, HandlerOutput, WebSocket};
use crate::logging::{Chain, TARGET};
use crate::opening::{CompletedHandshake, Parts};
use crate::registry::HandshakeFailure;
use crate::runtime::Runtime;
use crate::transport::{Addresses, Transport};

/// A transport that an HTTP library hands over, for [`CompletedHandshake::run`].
#[derive(Debug)]
#[must_use = "it is the output of the future that `run` awaits"]
pub struct Handover<T> {
    transport: T,
    received: Vec<u8>,
    addresses: Addresses,
}

impl<T> Handover<T> {
    /// A transport on which nothing was read after the head of the request or the response.
    pub fn new(transport: T) -> Self {
        Self { transport, received: Vec::new(), addresses: Addresses::default() }
    }

    /// Sets the bytes that were read after the head: the peer's first frames.
    pub fn received(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.received = bytes.into();
        self
    }

    /// Sets the addresses of both ends, unless they were known before.
    pub fn addresses(mut self, addresses: Addresses) -> Self {
        self.addresses = addresses;
        self
    }
}

impl<R: Runtime> CompletedHandshake<R> {
    /// Waits for the transport, and returns the parts of the connection.
    ///
    /// On a server, the connection counts from the request on: for [`Server::max_connections`](crate::Server::max_connections)
    /// and for a shutdown. Dropping the future ends that.
    ///
    /// # Errors
    ///
    /// If the HTTP library does not hand the transport over, or if the drain deadline of a shutdown passes first.
    pub async fn parts_from<T, E>(
        self,
        transport: impl Future<Output = Result<Handover<T>, E>>,
    ) -> Result<Parts<T, R::Timer>, UpgradeError>
    where
        T: Transport,
        E: Into<BoxError>,
    {
        let Handover { transport, received, addresses } = {
            let mut transport = pin!(transport);
            poll_fn(|cx| match transport.as_mut().poll(cx) {
                Poll::Ready(handed_over) => Poll::Ready(handed_over.map_err(|error| {
                    self.place.iter().for_each(|place| place.fail(HandshakeFailure::Left));
                    UpgradeError::NotHandedOver(error.into())
                })),
                Poll::Pending => match &self.place {
                    Some(place) => place.poll_aborted(cx).map(|()| {
                        place.fail(HandshakeFailure::Stopped);
                        Err(UpgradeError::Stopped)
                    }),
                    None => Poll::Pending,
                },
            })
            .await?
        };
        let mut parts = self.parts(transport).received(received);
        let known = &mut parts.caller.addresses;
        known.local = known.local.or(addresses.local);
        known.peer = known.peer.or(addresses.peer);
        Ok(parts)
    }

    /// Waits for the transport, and runs `handler` beside the connection, both in the future that it returns. Spawn it as a
    /// task: HTTP libraries hand the transport over only after the response has been sent.
    ///
    /// When the handler returns, the connection is closed: with 1000 after `Ok`, with 1011 after an error or a panic, which are
    /// logged. The handler returns nothing, or a `Result`: see [`HandlerOutput`]. A shutdown ([`Server::handle`]) closes the
    /// connection with 1001 and waits for the handler.
    ///
    /// `failed` is called if there is no connection: see [`parts_from`](Self::parts_from). The error is logged, too. If the
    /// future is dropped, neither `handler` nor `failed` is called.
    ///
    /// [`Server::handle`]: crate::Server::handle
    pub fn run<T, E, H, F, K>(
        self,
        transport: impl Future<Output = Result<Handover<T>, E>>,
        handler: H,
        failed: impl FnOnce(UpgradeError),
    ) -> impl Future<Output = ()>
    where
        T: Transport + Unpin,
        E: Into<BoxError>,
        H: FnOnce(WebSocket) -> F,
        F: Future<Output: HandlerOutput<K>>,
    {
        let opening = async move {
            let caller = self.caller.clone();
            match self.parts_from(transport).await {
                Ok(parts) => Some(run(parts, |socket| Handled { handler: handler(socket), kind: PhantomData })),
                Err(error) => {
                    let (peer, client) = (caller.peer(), caller.client());
                    info!(target: TARGET, peer, client, "upgrade failed: {}", Escaped(Chain(&error)));
                    failed(error);
                    None
                }
            }
        };
        // Boxed, so that an open connection does not keep the memory of its opening.
        ConnectionTask::Opening { handshake: Box::pin(opening) }
    }
}
