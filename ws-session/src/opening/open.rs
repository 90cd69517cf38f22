//! [`Parts`]: makes an open connection from its parts, for servers, clients and embedders.

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Uri};
#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::DeflateParams;
use ws_proto::{Config, Connection, Delivery, MaskKeys, Role};

use super::compression::NegotiatedCompression;
use crate::driver::Driver;
use crate::handle::{Sender, WebSocket};
use crate::info::{Attached, Caller, HandshakeInfo, Heads, next_id};
use crate::random::masking_key;
use crate::registry::HandshakeGuard;
use crate::shared::Shared;
use crate::shared::inbound::InboundLimits;
use crate::stream::WebSocketStream;
use crate::transport::tcp::NOTSENT_LOWAT;
use crate::transport::{Addresses, Timer, Transport};

/// Makes an open connection from its parts, after an opening handshake that other code has done.
///
/// Use it if an HTTP library does the handshake, if both ends agree to use WebSocket without one, or in tests.
/// [`Server::accept`](crate::Server::accept) and [`Client::connect`](crate::Client::connect) do the handshake themselves.
/// [`Server::upgrade`](crate::Server::upgrade) and [`Client::upgrade`](crate::Client::upgrade) do a handshake over [`http`]
/// types, without I/O, and return the parts.
///
/// Only the transport and the timer are required. The other settings have the defaults of [`Server`](crate::Server) and
/// [`Client`](crate::Client), without compression and without a subprotocol. An adapter such as `ws-tokio` has
/// `server_parts` and `client_parts`, which supply the timer.
///
/// ```
/// use ws_session::{Driver, Parts, Timer, Transport, WebSocket};
///
/// /// The server's end of a connection. `received` are the bytes that were read after the client's request.
/// fn upgraded<T: Transport, C: Timer>(transport: T, timer: C, received: Vec<u8>) -> (WebSocket, Driver<T, C>) {
///     Parts::server(transport, timer).subprotocol("chat").received(received).open()
/// }
/// ```
#[must_use = "call `open` or `into_stream`"]
pub struct Parts<T, C> {
    pub(crate) transport: T,
    pub(crate) timer: C,
    pub(crate) role: Role,
    pub(crate) keys: Option<Box<dyn MaskKeys + Send + Sync>>,
    pub(crate) config: Arc<Config>,
    pub(crate) inbound: InboundLimits,
    pub(crate) notsent_lowat: Option<u32>,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) agreement: NegotiatedCompression,
    pub(crate) subprotocol: Option<Box<str>>,
    pub(crate) heads: Heads,
    pub(crate) attached: Attached,
    /// The target of the request, for a server's log.
    pub(crate) target: Option<Uri>,
    pub(crate) caller: Caller,
    pub(crate) received: Vec<u8>,
    /// The place among a server's connections.
    pub(crate) place: Option<HandshakeGuard>,
    pub(crate) multiplexed: bool,
}

impl<T: Transport, C: Timer> Parts<T, C> {
    /// The parts of a server's end.
    pub fn server(transport: T, timer: C) -> Self {
        Self::new(Role::Server, transport, timer)
    }

    /// The parts of a client's end. Its masking keys are random (RFC 6455 §5.3), unless
    /// [`masking_keys`](Self::masking_keys) is called.
    pub fn client(transport: T, timer: C) -> Self {
        Self::new(Role::Client, transport, timer)
    }

    fn new(role: Role, transport: T, timer: C) -> Self {
        Self {
            transport,
            timer,
            role,
            keys: None,
            config: Arc::default(),
            inbound: InboundLimits::default(),
            notsent_lowat: Some(NOTSENT_LOWAT),
            lifetime: None,
            agreement: NegotiatedCompression::default(),
            subprotocol: None,
            heads: Heads::none(),
            attached: Attached::default(),
            target: None,
            caller: Caller::new(Addresses::default()),
            received: Vec::new(),
            place: None,
            multiplexed: false,
        }
    }

    /// Opens the connection: the handle for the application, and the driver that moves its bytes.
    ///
    /// The caller must run the driver: in a task of its own ([`Driver::spawn`]) or beside a handler ([`Driver::run`]).
    /// Deadlines start with this call.
    pub fn open(self) -> (WebSocket, Driver<T, C>) {
        self.open_as(next_id())
    }

    /// Opens the connection with this ID, which is new.
    pub(crate) fn open_as(
        #[cfg_attr(not(feature = "tls"), expect(unused_mut))] mut self,
        id: u64,
    ) -> (WebSocket, Driver<T, C>) {
        let now = self.timer.now();
        let mut connection = match self.role {
            Role::Server => Connection::server(self.config, now),
            Role::Client => match self.keys {
                None => Connection::client(self.config, masking_key, now),
                Some(mut keys) => Connection::client(self.config, move || keys.next_key(), now),
            },
        };
        connection.set_multiplexed(self.multiplexed);
        #[cfg(feature = "tls")]
        self.caller.note_tls(self.transport.tls());
        self.agreement.apply(&mut connection);
        let opening = HandshakeInfo { heads: self.heads, subprotocol: self.subprotocol, attached: self.attached };
        let path = self.target.as_ref().map(Uri::path);
        let shared = Shared::new(id, connection, self.inbound, opening, path, self.caller);
        let socket = WebSocket::new(Sender::new(Arc::clone(&shared)));
        let registry = self.place.map(|place| place.enter(&shared));
        let mut driver = Driver::new(self.transport, self.timer, shared, self.received, self.notsent_lowat);
        driver.set_lifetime(self.lifetime.map(|lifetime| now + lifetime));
        if let Some(registry) = registry {
            driver.set_registry(registry);
        }
        (socket, driver)
    }

    /// Opens the connection as one value that owns the transport, without a task: it moves bytes while it is polled.
    pub fn into_stream(self) -> WebSocketStream<T, C> {
        let (socket, driver) = self.open();
        WebSocketStream::new(socket, driver)
    }
}

impl<T, C> Parts<T, C> {
    /// Sets limits and deadlines. Messages are always delivered whole; [`Config::delivery`] has no effect.
    /// A [high-water mark](crate::Limits::high_water) of 0 counts as 1.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        if self.config.delivery != Delivery::Messages {
            Arc::make_mut(&mut self.config).delivery = Delivery::Messages;
        }
        // An empty queue would be above a mark of 0, and senders would wait for ever.
        if self.config.limits.high_water == 0 {
            Arc::make_mut(&mut self.config).limits.high_water = 1;
        }
        self
    }

    /// Sets the negotiated compression (RFC 7692 §7.1): the result of
    /// [`Deflate::accept`](crate::Deflate::accept) or [`Deflate::confirm`](crate::Deflate::confirm). `None`, the default,
    /// disables compression.
    #[cfg(feature = "deflate")]
    pub fn compression(mut self, agreed: impl Into<Option<DeflateParams>>) -> Self {
        self.agreement = NegotiatedCompression::new(agreed.into());
        self
    }

    /// Sets the negotiated subprotocol (RFC 6455 §1.9). It only informs the application.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into().into_boxed_str());
        self
    }

    /// Sets the request and the response of the opening handshake, for [`WebSocket::request`] and [`WebSocket::response`].
    ///
    /// Without them, these return an empty request (`GET /`) and an empty 101. They are kept parsed, about 1 KiB for each
    /// connection.
    pub fn heads(mut self, request: Request<()>, response: Response<()>) -> Self {
        self.target = (self.role == Role::Server).then(|| request.uri().clone());
        self.heads = Heads::parsed(request, response);
        self
    }

    /// Attaches a value to the connection, for [`WebSocket::state`]. It replaces another of the same type.
    pub fn state<S: Any + Send + Sync>(mut self, value: S) -> Self {
        self.attached.insert(value);
        self
    }

    /// Sets the addresses of both ends, for [`WebSocket::peer_addr`], [`WebSocket::local_addr`] and the log. Default: none.
    pub fn addresses(mut self, addresses: Addresses) -> Self {
        self.caller.addresses = addresses;
        self
    }

    /// Sets the client's address for [`WebSocket::client_ip`] on a server, if the peer is a proxy.
    pub fn client_ip(mut self, client: IpAddr) -> Self {
        self.caller.set_forwarded_for(Some(Some(client)));
        self
    }

    /// Limits the number of messages that wait to be received. At the limit, reading stops. At least 1. Default 16.
    pub fn inbound_queue(mut self, messages: usize) -> Self {
        self.inbound.set_messages(messages);
        self
    }

    /// Limits the bytes of the messages that wait to be received. At the limit, reading stops. Default 4 MiB. See
    /// [`Server::inbound_bytes`](crate::Server::inbound_bytes).
    pub fn inbound_bytes(mut self, bytes: usize) -> Self {
        self.inbound.set_bytes(bytes);
        self
    }

    /// Limits the unsent bytes that the system holds of a slow connection. Default 64 KiB. `None` leaves it to the system. See
    /// [`Server::notsent_lowat`](crate::Server::notsent_lowat).
    pub fn notsent_lowat(mut self, bytes: Option<u32>) -> Self {
        self.notsent_lowat = bytes;
        self
    }

    /// Sets the time after which the connection is closed with 1001 and the reason `connection lifetime`. Default: none. See
    /// [`Server::max_lifetime`](crate::Server::max_lifetime), which draws it at random.
    pub fn lifetime(mut self, lifetime: Option<Duration>) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Passes on bytes of the peer that were read after the head of its request or response: its first frames. They are
    /// handled before anything is read from the transport.
    pub fn received(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.received = bytes.into();
        self
    }

    /// Sets whether the transport is one stream of a connection that carries many, as in HTTP/2 (RFC 8441). Default `false`.
    ///
    /// After both Close frames, the end of the peer's half of the stream is awaited for [`Deadlines::stream_end`] only. Then
    /// the transport is dropped, and resets the stream with `NO_ERROR` (RFC 9113 §8.1). [`Transport::poll_shutdown`] sends
    /// `END_STREAM` in a frame of its own.
    ///
    /// [`Deadlines::stream_end`]: crate::Deadlines::stream_end
    pub fn multiplexed(mut self, multiplexed: bool) -> Self {
        self.multiplexed = multiplexed;
        self
    }

    /// Sets the source of a client's masking keys, in place of this thread's cryptographically secure generator. An author of
    /// payloads must not be able to predict them (RFC 6455 §10.3). A server masks nothing, and uses none.
    pub fn masking_keys(mut self, keys: impl MaskKeys + Send + Sync + 'static) -> Self {
        self.keys = Some(Box::new(keys));
        self
    }
}

impl<T, C> fmt::Debug for Parts<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("role", &self.role)
            .field("subprotocol", &self.subprotocol)
            .field("addresses", &self.caller.addresses)
            .field("received", &self.received.len())
            .finish_non_exhaustive()
    }
}
