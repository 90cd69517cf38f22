//! An extractor for axum 0.8: [`WebSocketUpgrade`].
//!
//! ```
//! use axum::{Router, response::Response, routing::any};
//! use ws_tokio::WebSocket;
//! use ws_tokio::axum::WebSocketUpgrade;
//!
//! let app: Router = Router::new().route("/ws", any(echo));
//!
//! async fn echo(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(async |mut ws: WebSocket| {
//!         while let Ok(Some(message)) = ws.recv().await {
//!             let _ = ws.send(message).await;
//!         }
//!     })
//! }
//! ```
//!
//! It has the methods of axum's own extractor, so a handler changes by its imports. The [`WebSocket`] is that
//! of this crate: messages are compressed, pings are answered and sent while the handler is busy, limits and deadlines hold.
//! axum's feature `ws` is not needed.
//!
//! # A server's settings, and its end
//!
//! axum's graceful shutdown does not wait for upgraded connections, and closes none. A [`Server`] holds the
//! settings that all connections share, and its [`handle`](crate::Server::handle) closes them with 1001 and waits for them.
//! As a layer, it applies to every extractor behind it:
//!
//! ```
//! use axum::{Extension, Router, routing::any};
//! # use ws_tokio::axum::WebSocketUpgrade;
//! # async fn chat(ws: WebSocketUpgrade) -> axum::response::Response { ws.on_upgrade(async |_ws| {}) }
//!
//! # async fn example(listener: tokio::net::TcpListener, ctrl_c: impl Future<Output = ()> + Send + 'static) {
//! let websockets = ws_tokio::Server::new().origins(["https://example.com"]).max_connections(10_000);
//! let handle = websockets.handle();
//! let app = Router::new().route("/chat", any(chat)).layer(Extension(websockets));
//! axum::serve(listener, app).with_graceful_shutdown(ctrl_c).await.unwrap();
//! handle.shutdown(); // closes with 1001
//! handle.closed().await; // waits for the handlers
//! # }
//! ```
//!
//! A single route can do without: [`WebSocketUpgrade::shutdown`].

mod rejection;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;

use ::hyper::upgrade::OnUpgrade;
use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::Response;
#[cfg(feature = "deflate")]
use ws_session::Deflate;
use ws_session::http::header::{SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use ws_session::http::request::Parts as RequestParts;
use ws_session::http::{HeaderMap, HeaderValue, Method, Request};
use ws_session::{Addresses, Config, HandlerOutput, Refused, Runtime as _, ServerHandle, UpgradeError, WebSocket};

pub use self::rejection::WebSocketUpgradeRejection;
use crate::hyper::{Upgrade, not_upgradable, protocol, upgrade, upgrade_async};
use crate::{Server, Tokio};

/// An extractor that opens a WebSocket connection. See the [module](self) for examples.
///
/// Over HTTP/1.1 the method is GET, over HTTP/2 it is CONNECT. `any` routes both.
///
/// `Option<WebSocketUpgrade>` is `None` for a request that does not ask for a WebSocket. So one path can have a page and a
/// WebSocket. An invalid handshake is rejected there, too.
///
/// # Settings
///
/// The settings are those of the [`Server`] in the request's extensions, if there is one
/// (`Extension(server)` as a layer), and else the defaults. The methods change them for this connection.
///
/// The addresses of both ends are taken from the socket. If the request's extensions hold
/// [`Addresses`], these are used: [`trusted_proxies`](Server::trusted_proxies) needs them.
#[must_use = "call `on_upgrade`, and return its response"]
pub struct WebSocketUpgrade<F = DefaultOnFailedUpgrade> {
    /// The request without its body.
    request: Request<()>,
    server: Server,
    /// The subprotocols that the client offers.
    requested: Vec<HeaderValue>,
    selected: Option<HeaderValue>,
    on_failed_upgrade: F,
}

impl<F> WebSocketUpgrade<F> {
    /// Changes limits and deadlines: `ws.configure(|config| config.limits.fragments = Some(100))`.
    pub fn configure(self, change: impl FnOnce(&mut Config)) -> Self {
        self.change(|server| server.configure(change))
    }

    /// Replaces all limits and deadlines, keepalive included.
    pub fn config(self, config: Config) -> Self {
        self.change(|server| server.config(config))
    }

    /// Limits the length of a message, in bytes. A longer one is answered with 1009. Default 1 MiB.
    pub fn max_message_size(self, max: usize) -> Self {
        self.configure(|config| config.limits.message = Some(max))
    }

    /// Limits the length of a frame, in bytes. A longer one is answered with 1009. Default 1 MiB.
    pub fn max_frame_size(self, max: usize) -> Self {
        self.configure(|config| config.limits.frame = Some(max))
    }

    /// Sets the size of the outgoing queue from which on `send` waits, in bytes
    /// ([`Limits::high_water`](crate::Limits::high_water)). Default 64 KiB. Messages are written at once; none waits for the
    /// queue to fill.
    pub fn write_buffer_size(self, size: usize) -> Self {
        self.configure(|config| config.limits.high_water = size)
    }

    /// Limits the outgoing queue, in bytes ([`Limits::hard_cap`](crate::Limits::hard_cap)). Default 1 MiB more than
    /// [`write_buffer_size`](Self::write_buffer_size)'s default. `try_send` fails there.
    pub fn max_write_buffer_size(self, max: usize) -> Self {
        self.configure(|config| config.limits.hard_cap = max)
    }

    /// Sets the compression for clients that offer it (permessage-deflate, RFC 7692). `None` disables it. Default
    /// [`Deflate::server`].
    #[cfg(feature = "deflate")]
    pub fn compression(self, deflate: impl Into<Option<Deflate>>) -> Self {
        let deflate = deflate.into();
        self.change(|server| server.compression(deflate))
    }

    /// Closes this connection with 1001 when the server of this handle is shut down, and has
    /// [`ServerHandle::closed`] wait for it and for its handler. A request that comes during a shutdown gets 503.
    pub fn shutdown(self, handle: &ServerHandle) -> Self {
        self.change(|server| server.shutdown_with(handle))
    }

    /// Uses the settings of this server in place of those that were set before, except subprotocols that were
    /// [selected](Self::protocols). Its [`on_request`](crate::Server::on_request) and origins decide in
    /// [`on_upgrade`](Self::on_upgrade).
    pub fn server(self, server: &Server) -> Self {
        self.change(|_| server.clone())
    }

    /// Sets the addresses of both ends, for [`trusted_proxies`](crate::Server::trusted_proxies) and the log. Default: those
    /// in the request's extensions, or else of the socket.
    pub fn addresses(mut self, addresses: Addresses) -> Self {
        self.request.extensions_mut().insert(addresses);
        self
    }

    /// Sets the subprotocols that the server supports, in order of preference. The first one that the client offers is
    /// selected. Without a common one, the connection opens without a subprotocol.
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator<Item: Into<Cow<'static, str>>>,
    {
        let offered = |name: Cow<'static, str>| self.requested.iter().find(|offer| offer.as_bytes() == name.as_bytes());
        self.selected = protocols.into_iter().map(Into::into).find_map(offered).cloned();
        self
    }

    /// The subprotocols that the client offers, in its order.
    pub fn requested_protocols(&self) -> impl Iterator<Item = &HeaderValue> {
        self.requested.iter()
    }

    /// Selects a subprotocol. One that the client does not offer is not selected, because its client would fail the
    /// connection (RFC 6455 §4.1).
    pub fn set_selected_protocol(&mut self, protocol: HeaderValue) {
        self.selected = Some(protocol).filter(|protocol| self.requested.contains(protocol));
    }

    /// The selected subprotocol, if any.
    pub fn selected_protocol(&self) -> Option<&HeaderValue> {
        self.selected.as_ref()
    }

    /// Calls `callback` if the request was accepted and there is no connection after all: the client has left before the
    /// response was sent, for example. By default the error is only logged, at INFO.
    pub fn on_failed_upgrade<C: OnFailedUpgrade>(self, callback: C) -> WebSocketUpgrade<C> {
        let Self { request, server, requested, selected, on_failed_upgrade: _ } = self;
        WebSocketUpgrade { request, server, requested, selected, on_failed_upgrade: callback }
    }

    fn change(mut self, change: impl FnOnce(Server) -> Server) -> Self {
        self.server = change(self.server);
        self
    }

    /// Accepts the connection, and runs `callback` beside it in a task. Returns the response, which must be returned from the
    /// handler: the one that opens the connection, or one that refuses with the reason.
    ///
    /// The callback returns nothing, or a `Result`: see [`HandlerOutput`]. The connection is closed with 1000 afterwards, or
    /// with 1011 after an error or a panic, which are logged.
    #[must_use = "without this response there is no connection"]
    pub fn on_upgrade<C, Fut, K>(self, callback: C) -> Response
    where
        C: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output: HandlerOutput<K>> + Send + 'static,
        K: 'static,
        F: OnFailedUpgrade,
    {
        let (accepted, failed) = self.decide();
        respond(accepted, callback, failed)
    }

    /// Accepts the connection as [`on_upgrade`](Self::on_upgrade) does, and waits for hooks of the
    /// [server](Self::server) that take time, such as [`Server::on_request_async`] and a check of credentials.
    ///
    /// [`Server::on_request_async`]: crate::Server::on_request_async
    #[must_use = "without this response there is no connection"]
    pub fn on_upgrade_async<C, Fut, K>(self, callback: C) -> impl Future<Output = Response> + Send
    where
        C: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output: HandlerOutput<K>> + Send + 'static,
        K: 'static,
        F: OnFailedUpgrade,
    {
        let (mut request, server, failed) = self.ready();
        async move { respond(upgrade_async(&server, &mut request).await, callback, failed) }
    }

    /// Accepts the connection, and returns the response with what becomes the connection: a stream without a task, for
    /// example ([`Upgrade::into_stream`]).
    ///
    /// # Errors
    ///
    /// If the settings refuse the request. The error holds the response.
    pub fn accept(self) -> Result<(Response, Upgrade), Refused> {
        self.decide().0
    }

    fn decide(self) -> (Result<(Response, Upgrade), Refused>, F) {
        let (mut request, server, on_failed_upgrade) = self.ready();
        (upgrade(&server, &mut request), on_failed_upgrade)
    }

    /// The request, and the settings that decide on it.
    fn ready(self) -> (Request<()>, Server, F) {
        let Self { request, server, requested: _, selected, on_failed_upgrade } = self;
        let selected = selected.as_ref().and_then(|name| name.to_str().ok());
        let server = match selected {
            Some(name) => server.subprotocols([name]),
            None => server,
        };
        (request, server, on_failed_upgrade)
    }
}

/// The response for a decision. Runs `callback` in a task if there will be a connection.
fn respond<C, Fut, K>(
    accepted: Result<(Response, Upgrade), Refused>,
    callback: C,
    failed: impl OnFailedUpgrade,
) -> Response
where
    C: FnOnce(WebSocket) -> Fut + Send + 'static,
    Fut: Future<Output: HandlerOutput<K>> + Send + 'static,
    K: 'static,
{
    match accepted {
        Ok((response, upgrade)) => {
            Tokio::spawn(upgrade.run(callback, move |error| failed.call(error)));
            response
        }
        Err(refused) => refused.into_response().map(Body::from),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut RequestParts, _: &S) -> Result<Self, Self::Rejection> {
        let server = parts.extensions.get::<Server>().cloned().unwrap_or_default();
        let mut request = Request::new(());
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.version_mut() = parts.version;
        *request.headers_mut() = parts.headers.clone();
        *request.extensions_mut() = parts.extensions.clone();
        let addresses = request.extensions().get::<Addresses>().copied().unwrap_or_default();
        let requested = server.examine(&request, protocol(request.extensions()), addresses)?;
        let requested = requested.into_iter().filter_map(|name| HeaderValue::try_from(name).ok()).collect();
        if parts.extensions.remove::<OnUpgrade>().is_none() {
            return Err(WebSocketUpgradeRejection::NotUpgradable(not_upgradable()));
        }
        Ok(Self { request, server, requested, selected: None, on_failed_upgrade: DefaultOnFailedUpgrade })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut RequestParts, state: &S) -> Result<Option<Self>, Self::Rejection> {
        if asks_for_another(&parts.method, &parts.headers) {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state).await.map(Some)
    }
}

/// Whether a request shows no sign of a WebSocket. If a proxy has removed one of the headers, the others are left.
fn asks_for_another(method: &Method, headers: &HeaderMap) -> bool {
    let names_websocket =
        |value: &HeaderValue| value.as_bytes().to_ascii_lowercase().windows(9).any(|name| name == b"websocket");
    *method != Method::CONNECT
        && !headers.contains_key(SEC_WEBSOCKET_KEY)
        && !headers.contains_key(SEC_WEBSOCKET_VERSION)
        && !headers.get_all(UPGRADE).iter().any(names_websocket)
}

impl<F> fmt::Debug for WebSocketUpgrade<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("server", &self.server)
            .field("requested_protocols", &self.requested)
            .field("selected_protocol", &self.selected)
            .finish_non_exhaustive()
    }
}

/// What to do if an accepted request does not become a connection. See [`WebSocketUpgrade::on_failed_upgrade`].
pub trait OnFailedUpgrade: Send + 'static {
    /// Takes the error.
    fn call(self, error: UpgradeError);
}

impl<F: FnOnce(UpgradeError) + Send + 'static> OnFailedUpgrade for F {
    fn call(self, error: UpgradeError) {
        self(error);
    }
}

/// The default [`OnFailedUpgrade`]: the error is only logged.
#[derive(Debug)]
#[non_exhaustive]
pub struct DefaultOnFailedUpgrade;

impl OnFailedUpgrade for DefaultOnFailedUpgrade {
    fn call(self, _: UpgradeError) {}
}
