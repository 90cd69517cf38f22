//! WebSockets on the connections of [hyper] 1, and of everything built on it: axum, warp, salvo, poem, tonic, reqwest.
//!
//! A server passes a request to [`answer`], which returns the response to send, and runs a handler once hyper hands the
//! connection over:
//!
//! ```
//! use std::convert::Infallible;
//!
//! use hyper::body::Incoming;
//! use hyper::{Request, Response};
//! use http_body_util::Full;
//! use ws_tokio::{Bytes, Server};
//!
//! /// A service, for `service_fn`. Serve it `with_upgrades`: otherwise hyper hands no connection over.
//! async fn service(server: Server, mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     let response = ws_tokio::hyper::answer(&server, &mut request, |mut ws| async move {
//!         while let Some(message) = ws.recv().await? {
//!             ws.send(message).await?;
//!         }
//!         ws_tokio::HandlerResult::Ok(())
//!     });
//!     Ok(response.map(Full::new))
//! }
//! ```
//!
//! [`upgrade`] is the same in two steps: it returns the response, and an [`Upgrade`], which becomes a
//! [`WebSocket`], a stream without a task, or parts to change. [`confirm`] is its counterpart on a client.
//!
//! All that is needed is the request's own [`OnUpgrade`], which hyper puts into its extensions.
//! So an extractor for another framework is a few lines: the example `tower` in this package shows one.
//!
//! # The settings
//!
//! The [`Server`] holds them. Its settings of listening do not apply: TLS, deadlines and limits of the opening handshake.
//! Share one `Server`, or clones of it, among all requests: its [`handle`](crate::Server::handle) then shuts all connections
//! down, and its `max_connections` counts them.
//!
//! # The socket
//!
//! hyper hands over a stream that hides the socket. If it is hyper-util's `TokioIo` around tokio's `TcpStream`, or around
//! tokio-rustls' `TlsStream` on one, also as `axum::serve` and hyper-util's `auto` builder wrap it, it is unwrapped. Then
//! deadlines follow the bytes that the peer has taken, `TCP_NODELAY` is set, and the addresses of both ends are known. So is
//! the result of the TLS handshake, in the handler (`WebSocket::tls`). Any other stream works too, without these.
//!
//! Hooks run before hyper hands the socket over. They know of TLS what your accept loop puts into the extensions of each
//! request: a `TlsInfo`. Over HTTP/2, so do handlers.
//!
//! # HTTP/2
//!
//! An extended CONNECT (RFC 8441) is answered in the same way, if this crate's feature `http2` is on and hyper announces
//! it: `http2::Builder::enable_connect_protocol`. `axum::serve` does, with axum's feature `http2`.
//!
//! [hyper]: ::hyper

mod io;
mod unwrap;

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use ::hyper::upgrade::OnUpgrade;
use http::{Extensions, Request, Response, StatusCode, Version};
use ws_session::{
    Addresses, Bytes, ClientUpgrade, CompletedHandshake, ConnectError, HandlerOutput, Handover, Parts, Refused,
    Rejection, Runtime as _, UpgradeError, WebSocket, http,
};

pub use self::io::UpgradedIo;
use crate::{Server, Tokio, TokioTimer};

/// A connection of hyper without a task: it moves bytes while it is polled. [`Upgrade::into_stream`] returns it.
pub type UpgradedStream = ws_session::WebSocketStream<UpgradedIo, TokioTimer>;

/// Answers a request for a WebSocket, and spawns a task that runs `handler` beside the connection.
///
/// Returns the response, which must be sent: the one that opens the connection, or one that refuses with the reason.
/// The handler runs once hyper has handed the connection over. It returns nothing, or a `Result`: see
/// [`HandlerOutput`]. A closure that uses `?` must name its error, as the example above does.
///
/// See [`upgrade`] for the addresses, and [`Upgrade::run`] for the end of the connection.
pub fn answer<B, H, F, K>(server: &Server, request: &mut Request<B>, handler: H) -> Response<Bytes>
where
    H: FnOnce(WebSocket) -> F + Send + 'static,
    F: Future<Output: HandlerOutput<K>> + Send + 'static,
    K: 'static,
{
    match upgrade(server, request) {
        Ok((response, upgrade)) => {
            Tokio::spawn(upgrade.run(handler, |_| {}));
            response
        }
        Err(refused) => refused.into_response(),
    }
}

/// Answers a request as [`answer`] does, and waits for hooks that take time. See [`upgrade_async`].
pub async fn answer_async<B, H, F, K>(server: &Server, request: &mut Request<B>, handler: H) -> Response<Bytes>
where
    H: FnOnce(WebSocket) -> F + Send + 'static,
    F: Future<Output: HandlerOutput<K>> + Send + 'static,
    K: 'static,
{
    match upgrade_async(server, request).await {
        Ok((response, upgrade)) => {
            Tokio::spawn(upgrade.run(handler, |_| {}));
            response
        }
        Err(refused) => refused.into_response(),
    }
}

/// Does the opening handshake for a request whose connection is hyper's.
///
/// Returns the response to send, with any empty body, and the [`Upgrade`] that becomes the connection. hyper hands it over
/// only after it has sent the response: so await the upgrade in another task.
///
/// If the request's extensions hold [`Addresses`], they are used to find the client's address behind
/// [`trusted_proxies`](crate::Server::trusted_proxies). Otherwise the addresses are taken from the socket later, and no proxy
/// is trusted.
///
/// # Errors
///
/// [`Refused`] if the request does not become a connection: it holds the response to send, and the reason. Besides the
/// reasons of [`Server::upgrade`](crate::Server::upgrade), there may be no `OnUpgrade` in the request's extensions (500):
/// it was taken out, or its connection is not hyper's.
pub fn upgrade<Q, B: Default>(server: &Server, request: &mut Request<Q>) -> Result<(Response<B>, Upgrade), Refused> {
    let addresses = request.extensions().get::<Addresses>().copied().unwrap_or_default();
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
    match decide(server, request, addresses) {
        Ok(handshake) => {
            let on_upgrade = on_upgrade.ok_or_else(not_upgradable)?;
            let response = handshake.response().clone().map(|()| B::default());
            Ok((response, Upgrade { handshake, on_upgrade }))
        }
        Err(refused) => {
            // Another handler may still want it.
            on_upgrade.map(|on_upgrade| request.extensions_mut().insert(on_upgrade));
            Err(refused)
        }
    }
}

/// Does the opening handshake as [`upgrade`] does, and waits for hooks that take time, such as
/// [`Server::on_request_async`](crate::Server::on_request_async) and a check of credentials, for at most
/// [`Server::handshake_timeout`](crate::Server::handshake_timeout).
///
/// # Errors
///
/// The same as [`upgrade`].
pub fn upgrade_async<Q, B: Default>(
    server: &Server,
    request: &mut Request<Q>,
) -> impl Future<Output = Result<(Response<B>, Upgrade), Refused>> + Send {
    let addresses = request.extensions().get::<Addresses>().copied().unwrap_or_default();
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let deciding = server.upgrade_async(request, protocol(request.extensions()), addresses);
    // Another handler may still want it after a refusal.
    let extensions = request.extensions_mut();
    on_upgrade.map(|on_upgrade| extensions.insert(on_upgrade));
    async move {
        let handshake = deciding.await?;
        let on_upgrade = extensions.remove::<OnUpgrade>().ok_or_else(not_upgradable)?;
        let response = handshake.response().clone().map(|()| B::default());
        Ok((response, Upgrade { handshake, on_upgrade }))
    }
}

fn decide<Q>(
    server: &Server,
    request: &Request<Q>,
    addresses: Addresses,
) -> Result<CompletedHandshake<Tokio>, Refused> {
    match request.version() {
        Version::HTTP_2 | Version::HTTP_3 => {
            server.extended_connect(request, protocol(request.extensions()), addresses)
        }
        _ => server.upgrade(request, addresses),
    }
}

/// The `:protocol` of an extended CONNECT.
#[cfg(feature = "http2")]
pub(crate) fn protocol(extensions: &Extensions) -> Option<&str> {
    extensions.get::<::hyper::ext::Protocol>().map(|protocol| protocol.as_str())
}

/// Without HTTP/2, hyper has no such extension.
#[cfg(not(feature = "http2"))]
pub(crate) fn protocol(_: &Extensions) -> Option<&str> {
    None
}

/// A request that hyper cannot hand a connection over for.
pub(crate) fn not_upgradable() -> Rejection {
    Rejection::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "The HTTP server cannot hand this connection over. It must be hyper's, served with upgrades.",
    )
}

/// The request of a client's opening handshake, for hyper's client: with any empty body, and over HTTP/2
/// ([`Client::extended_connect`](crate::Client::extended_connect)) with the `:protocol`.
///
/// hyper's client neither waits for the server's SETTINGS nor looks whether an extended CONNECT is allowed. A server that does
/// not allow it resets the stream.
pub fn request<B: Default>(upgrade: &ClientUpgrade<Tokio>) -> Request<B> {
    let request = upgrade.request().clone().map(|()| B::default());
    #[cfg(feature = "http2")]
    let request = with_protocol(request);
    request
}

/// Adds `:protocol` to an extended CONNECT (RFC 8441 §4).
#[cfg(feature = "http2")]
fn with_protocol<B>(mut request: Request<B>) -> Request<B> {
    if request.method() == http::Method::CONNECT {
        request.extensions_mut().insert(::hyper::ext::Protocol::from_static("websocket"));
    }
    request
}

/// Checks the response to a client's request whose connection is hyper's, and returns the [`Upgrade`] that becomes the
/// WebSocket.
///
/// Send [`request`] with hyper's own client. Libraries that dial themselves, such as reqwest and hyper-util's `Client`, need
/// an absolute URI: [`ClientUpgrade::absolute_request`]. The example `reqwest_client` in this package shows it.
///
/// ```
/// # async fn example(
/// #     mut requests: hyper::client::conn::http1::SendRequest<http_body_util::Empty<ws_tokio::Bytes>>,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// // `requests` sends them on a connection made by hyper, `with_upgrades`.
/// let handshake = ws_tokio::Client::new("ws://example.com/chat").upgrade()?;
/// let mut response = requests.send_request(ws_tokio::hyper::request(&handshake)).await?;
/// let mut ws = ws_tokio::hyper::confirm(handshake, &mut response)?.await?;
/// ws.send("Hello").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If the server refuses, or its response is invalid. See [`ClientUpgrade::confirm`].
pub fn confirm<B>(upgrade: ClientUpgrade<Tokio>, response: &mut Response<B>) -> Result<Upgrade, ConnectError> {
    let handshake = upgrade.confirm(response)?;
    Ok(Upgrade { handshake, on_upgrade: ::hyper::upgrade::on(response) })
}

/// A connection that hyper will hand over, after a completed opening handshake. [`upgrade`] and [`confirm`] return it.
///
/// Awaiting it waits for hyper, spawns the driver and returns the [`WebSocket`]:
///
/// ```
/// # async fn example(upgrade: ws_tokio::hyper::Upgrade) -> Result<(), Box<dyn std::error::Error>> {
/// let mut ws = upgrade.await?;
/// ws.send("Hello").await?;
/// # Ok(())
/// # }
/// ```
///
/// On a server, wait in a task of its own. If it is dropped, the connection ends without a Close frame.
#[must_use = "await it in a task, or call `run`"]
#[derive(Debug)]
pub struct Upgrade {
    handshake: CompletedHandshake<Tokio>,
    on_upgrade: OnUpgrade,
}

impl Upgrade {
    /// The completed handshake: request, response and subprotocol.
    pub fn handshake(&self) -> &CompletedHandshake<Tokio> {
        &self.handshake
    }

    /// Waits for hyper, and returns the parts of the connection, to change its settings.
    ///
    /// # Errors
    ///
    /// If hyper does not hand the connection over: the peer has left before the response was sent, for example, or the
    /// connection is served without upgrades. If the drain deadline of a shutdown passes first.
    pub async fn parts(self) -> Result<Parts<UpgradedIo, TokioTimer>, UpgradeError> {
        self.handshake.parts_from(hand_over(self.on_upgrade)).await
    }

    /// Waits for hyper, and returns a connection without a task of its own: it moves bytes while it is polled.
    ///
    /// # Errors
    ///
    /// The same as [`parts`](Self::parts).
    pub async fn into_stream(self) -> Result<UpgradedStream, UpgradeError> {
        Ok(self.parts().await?.into_stream())
    }

    /// Waits for hyper, and runs `handler` beside the connection, all in one future. It is to be spawned, and takes the least
    /// memory. See [`CompletedHandshake::run`].
    pub fn run<H, F, K>(
        self,
        handler: H,
        failed: impl FnOnce(UpgradeError) + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static
    where
        H: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output: HandlerOutput<K>> + Send + 'static,
        K: 'static,
    {
        self.handshake.run(hand_over(self.on_upgrade), handler, failed)
    }
}

/// Waits for hyper, spawns the driver, and returns the handle. The errors are those of [`parts`](Upgrade::parts).
impl IntoFuture for Upgrade {
    type Output = Result<WebSocket, UpgradeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (socket, driver) = self.parts().await?.open();
            driver.spawn::<Tokio>();
            Ok(socket)
        })
    }
}

async fn hand_over(on_upgrade: OnUpgrade) -> Result<Handover<UpgradedIo>, ::hyper::Error> {
    Ok(unwrap::unwrap(on_upgrade.await?))
}
