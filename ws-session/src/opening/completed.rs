//! The result of an opening handshake over `http` types, without I/O.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use ws_proto::{Config, Role};

use super::Parts;
use super::compression::NegotiatedCompression;
use crate::info::{Attached, Caller, Heads};
use crate::registry::HandshakeGuard;
use crate::runtime::Runtime;
use crate::shared::inbound::InboundLimits;
use crate::transport::Transport;

/// A completed opening handshake, returned by [`Server::upgrade`](crate::Server::upgrade),
/// [`Server::extended_connect`](crate::Server::extended_connect) or
/// [`ClientUpgrade::confirm`](crate::ClientUpgrade::confirm).
///
/// A server sends the [`response`](Self::response). When the HTTP library has handed over the transport,
/// [`parts`](Self::parts) makes the connection, with the negotiated parameters and the settings of the server or client.
#[must_use = "the connection is made by `parts`"]
pub struct CompletedHandshake<R> {
    pub(crate) role: Role,
    pub(crate) request: Request<()>,
    pub(crate) response: Response<()>,
    pub(crate) subprotocol: Option<Box<str>>,
    pub(crate) agreement: NegotiatedCompression,
    pub(crate) attached: Attached,
    pub(crate) config: Arc<Config>,
    pub(crate) inbound: InboundLimits,
    pub(crate) notsent_lowat: Option<u32>,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) caller: Caller,
    /// The place among a server's connections, from the request on.
    pub(crate) place: Option<HandshakeGuard>,
    pub(crate) runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> CompletedHandshake<R> {
    /// The client's request.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// The server's response: 101, or 200 over HTTP/2.
    pub fn response(&self) -> &Response<()> {
        &self.response
    }

    /// The negotiated subprotocol, if any (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Returns the parts of the connection over this transport. It must be the transport of the request and the response,
    /// after both. Pass bytes that were read after the head to [`Parts::received`].
    ///
    /// Over HTTP/2 the transport is a stream, and the connection knows that ([`Parts::multiplexed`]).
    ///
    /// [`WebSocket::request`](crate::WebSocket::request) then has the request without its extensions.
    ///
    /// HTTP libraries hand over a stream of their own that wraps the socket. Unwrap the socket where the library can:
    /// `Upgraded::downcast` in hyper, `server::conn::auto::upgrade::downcast` in hyper-util, which `axum::serve` uses. Behind
    /// a wrapper, [`Transport::in_flight`] is `None`, and [`Parts::notsent_lowat`] has no effect. Deadlines then see only what
    /// the system takes. A peer that reads slowly can be disconnected while the system's send buffer empties.
    pub fn parts<T: Transport>(self, transport: T) -> Parts<T, R::Timer> {
        let timer = R::timer();
        let parts = match self.role {
            Role::Server => Parts::server(transport, timer),
            Role::Client => Parts::client(transport, timer),
        };
        let Self { subprotocol, agreement, attached, inbound, notsent_lowat, lifetime, caller, place, .. } = self;
        let multiplexed = self.request.method() == Method::CONNECT;
        let parts = parts.config(self.config).multiplexed(multiplexed);
        let target = (self.role == Role::Server).then(|| self.request.uri().clone());
        let heads = Heads::of_library(self.request, self.response);
        Parts {
            subprotocol,
            agreement,
            attached,
            inbound,
            notsent_lowat,
            lifetime,
            heads,
            target,
            caller,
            place,
            ..parts
        }
    }
}

impl<R> fmt::Debug for CompletedHandshake<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletedHandshake")
            .field("role", &self.role)
            .field("subprotocol", &self.subprotocol)
            .finish_non_exhaustive()
    }
}
