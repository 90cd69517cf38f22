//! [`Client`]: the URL, the request and the settings of a client.

mod backoff;
mod connect;
#[cfg(feature = "redirects")]
mod cookies;
mod dial;
#[cfg(feature = "http2")]
mod http2;
mod overrides;
#[cfg(feature = "proxies")]
mod proxy;
mod reconnect;
#[cfg(feature = "redirects")]
mod redirect;
mod response;
mod run;
mod upgrade;
mod url;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue, ORIGIN, USER_AGENT};
#[cfg(feature = "tls")]
use rustls::ClientConfig;
use ws_proto::Config;
use ws_proto::handshake::client::{Builder, ClientHandshake};
#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::Deflate;

use crate::driver::Driver;
use crate::error::{ConnectError, UrlError};
use crate::handle::WebSocket;
use crate::opening::compression::Compression;
use crate::runtime::Runtime;
use crate::settings::connection_settings;
use crate::shared::inbound::InboundLimits;
use crate::stream::WebSocketStream;
#[cfg(feature = "tls")]
use crate::tls::ClientTls;
use crate::transport::tcp::NOTSENT_LOWAT;
use crate::transport::{Addresses, MaybeTls, Transport};

pub use self::dial::AddressFamily;
#[cfg(feature = "http2")]
pub use self::http2::Http2Connections;
pub use self::overrides::Destination;
pub use self::reconnect::Reconnect;
pub use self::run::RunError;
pub use self::upgrade::ClientUpgrade;
pub use self::url::without_password;

use self::overrides::Dialling;
#[cfg(feature = "redirects")]
use self::redirect::REDIRECTS;
use self::response::OnInformational;
use self::url::Target;

/// Configures a client's connection: URL, request headers, limits and deadlines. [`connect`](Self::connect) opens it.
pub struct Client<R> {
    /// The URL and the request. An invalid URL is reported when connecting.
    request: Result<(Target, Builder), UrlError>,
    config: Arc<Config>,
    inbound: InboundLimits,
    notsent_lowat: Option<u32>,
    compression: Compression,
    #[cfg(feature = "tls")]
    tls: ClientTls,
    dialling: Dialling,
    #[cfg(feature = "redirects")]
    max_redirects: u32,
    on_informational: Option<OnInformational>,
    connect_timeout: Duration,
    #[cfg(feature = "http2")]
    http2: Option<Http2Connections>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Client<R> {
    /// A client for a `ws://` or `wss://` URL. A user name and password in it are sent as Basic credentials. The password is
    /// never shown or logged.
    ///
    /// `http://` and `https://` mean `ws://` and `wss://`, as in browsers. An IPv6 address may have a zone, the network
    /// interface through which it is reached: `ws://[fe80::1%25eth0]/`. An IPv4 address may have any form that
    /// browsers read: `ws://127.1/` is `ws://127.0.0.1/`.
    ///
    /// A host that is not ASCII needs the crate feature `idna`; without it, connecting fails with
    /// [`UrlError::InternationalHost`](crate::UrlError::InternationalHost). Its ASCII form (`xn--…`) always works.
    ///
    /// The URL can be a `&str`, a `String`, a [`Url`](https://docs.rs/url), or any other string type.
    pub fn new(url: impl AsRef<str>) -> Self {
        let request = Target::parse(url.as_ref()).map(|target| {
            let builder = ClientHandshake::builder(target.authority.as_str(), target.path_and_query.as_str())
                .header(USER_AGENT, R::USER_AGENT);
            let builder = match &target.authorization {
                Some(credentials) => builder.header(AUTHORIZATION, credentials.as_str()),
                None => builder,
            };
            (target, builder)
        });
        Self {
            request,
            config: Arc::default(),
            inbound: InboundLimits::default(),
            notsent_lowat: Some(NOTSENT_LOWAT),
            compression: Compression::client(),
            #[cfg(feature = "tls")]
            tls: ClientTls::default(),
            dialling: Dialling::default(),
            #[cfg(feature = "redirects")]
            max_redirects: REDIRECTS,
            on_informational: None,
            connect_timeout: Duration::from_secs(10),
            #[cfg(feature = "http2")]
            http2: None,
            runtime: PhantomData,
        }
    }

    fn request(mut self, change: impl FnOnce(Builder) -> Builder) -> Self {
        self.request = self.request.map(|(target, builder)| (target, change(builder)));
        self
    }

    /// Adds a header to the request. `Host` and `Authorization` replace those made from the URL. `User-Agent` replaces the
    /// default, which names the adapter: `ws-tokio/0.1.0`. These and `Origin` are sent once, with the last value given. The
    /// values of several `Cookie` headers are joined. Headers that the handshake itself sets are refused when connecting.
    #[must_use]
    pub fn header(self, name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>) -> Self {
        self.request(|builder| builder.header(name, value))
    }

    /// Removes a header that was added, one made from the URL (`Authorization`), or a default one (`User-Agent`). The `Host`
    /// made from the URL remains.
    #[must_use]
    pub fn remove_header(self, name: impl TryInto<HeaderName>) -> Self {
        self.request(|builder| builder.remove_header(name))
    }

    /// Sets the `Origin` header, as a browser does for a page of that origin (RFC 6454).
    #[must_use]
    pub fn origin(self, origin: &str) -> Self {
        self.header(ORIGIN, origin)
    }

    /// Offers subprotocols, in order of preference (RFC 6455 §1.9).
    #[must_use]
    pub fn subprotocols(self, subprotocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.request(|builder| builder.subprotocols(subprotocols))
    }

    /// Sets whether the server must choose one of the offered subprotocols. Otherwise connecting fails, as in browsers.
    /// Default `false`: the connection opens without a subprotocol. If none is offered, none is required.
    #[must_use]
    pub fn require_subprotocol(self, required: bool) -> Self {
        self.request(|builder| builder.require_subprotocol(required))
    }

    pub(crate) fn config_mut(&mut self) -> &mut Arc<Config> {
        &mut self.config
    }

    pub(crate) fn notsent_lowat_mut(&mut self) -> &mut Option<u32> {
        &mut self.notsent_lowat
    }

    /// Sets the compression that is offered to the server (permessage-deflate, RFC 7692). `None` offers none. Default
    /// [`Deflate::client`].
    ///
    /// Some servers answer 400 to an unknown offer, although RFC 7692 §7 has them decline it. npm's ws 8.23.0, engine.io
    /// 6.6.13 and autobahn 26.10.2 do so for an unknown parameter, which a proxy may have added. The client does not retry by
    /// itself. After such a response, connect with `None`.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn compression(mut self, deflate: Option<Deflate>) -> Self {
        self.compression.deflate = deflate;
        self
    }

    /// Trusts the certificates in this PEM, and certificates issued by them, besides the platform's. Use it for servers
    /// whose certificates are not issued by a public authority. An invalid PEM is reported when connecting.
    ///
    /// A self-signed certificate can be given as it is. This command makes one for tests:
    ///
    /// ```sh
    /// openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 365 \
    ///     -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1
    /// ```
    ///
    /// A server with exactly a certificate given here is accepted, regardless of the issuer. The certificate must be for the
    /// URL's host and valid now, and the server must have its private key.
    ///
    /// Without this setting only the platform's certificates are trusted, or Mozilla's, which this crate includes, if the
    /// platform has none. They are read once in a process, at the first `wss://` URL.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn ca(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.tls.add_ca(pem.as_ref());
        self
    }

    /// Sets the client certificate for servers that ask for one, and its private key, both in PEM. The certificates of its
    /// issuers follow the certificate. Invalid values are reported when connecting.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn client_certificate(mut self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.tls.set_identity(certificate.as_ref(), key.as_ref());
        self
    }

    /// Uses this configuration of [`rustls`](crate::rustls), in place of all other TLS settings. If it names no protocols
    /// (ALPN), `http/1.1` is added. TLS sessions can be resumed among connections that share a configuration.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_config(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls.config = Some(config);
        self
    }

    /// Limits the number of messages that wait to be received. At the limit, reading stops. At least 1. Default 16. See also
    /// [`inbound_bytes`](Self::inbound_bytes).
    #[must_use]
    pub fn inbound_queue(mut self, messages: usize) -> Self {
        self.inbound.set_messages(messages);
        self
    }

    /// Limits the bytes of the messages that wait to be received. At the limit, reading stops. Default 4 MiB. One message may
    /// always wait, whatever its size.
    ///
    /// While our own writing is blocked, only [`inbound_queue`](Self::inbound_queue) counts. So two peers that each send up
    /// to that many messages before they receive do not wait for each other.
    #[must_use]
    pub fn inbound_bytes(mut self, bytes: usize) -> Self {
        self.inbound.set_bytes(bytes);
        self
    }

    /// Limits the total time of connecting: name resolution, TCP, a proxy, TLS, the opening handshake,
    /// and those after redirects. Default 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Connects, and spawns a task that moves the connection's bytes.
    ///
    /// If the host has several addresses, they are tried in turn, IPv6 and IPv4 alternating. The next attempt starts 250 ms
    /// after the previous one, or as soon as that has failed. The first connection to succeed is kept (RFC 8305).
    /// [`connect_timeout`](Self::connect_timeout) limits the total time.
    ///
    /// Dropping the future cancels the attempt.
    ///
    /// Close the connection before the program ends, or [`flush`](WebSocket::flush) it. Otherwise, when the handle is dropped
    /// or the runtime ends, queued messages and a Close with 1001 are written only as far as the socket takes them at once.
    /// Nothing is written if the process crashes or calls [`std::process::exit`].
    ///
    /// # Errors
    ///
    /// If the URL or the request is invalid, before anything is sent. If connecting fails. If the server's response is not a
    /// valid 101, or a redirect that is not followed ([`max_redirects`](Self::max_redirects)).
    pub async fn connect(self) -> Result<WebSocket, ConnectError> {
        connect::connect(self).await
    }

    /// Does the opening handshake on a connected transport, and returns the connection's handle and its driver. The transport
    /// may be a tunnel, a Unix socket, a pipe, or a TLS connection.
    ///
    /// The caller must run the driver: in a task of its own ([`Driver::spawn`]) or beside a handler ([`Driver::run`]). No TLS
    /// handshake is done, not even for a `wss://` URL.
    ///
    /// # Errors
    ///
    /// The same as [`connect`](Self::connect).
    pub async fn handshake<T: Transport>(
        self,
        transport: T,
        addresses: Addresses,
    ) -> Result<(WebSocket, Driver<T, R::Timer>), ConnectError> {
        Ok(connect::handshake_alone(self, transport, addresses).await?.open())
    }

    /// Connects as [`connect`](Self::connect) does, and returns a connection without a task of its own: it moves bytes while
    /// it is polled.
    ///
    /// # Errors
    ///
    /// The same as [`connect`](Self::connect).
    pub async fn connect_stream(self) -> Result<WebSocketStream<MaybeTls<R::Stream>, R::Timer>, ConnectError> {
        Ok(connect::open(self).await?.into_stream())
    }

    /// Does the opening handshake as [`handshake`](Self::handshake) does, and returns a connection without a task of its own:
    /// it moves bytes while it is polled.
    ///
    /// # Errors
    ///
    /// The same as [`connect`](Self::connect).
    pub async fn handshake_stream<T: Transport>(
        self,
        transport: T,
        addresses: Addresses,
    ) -> Result<WebSocketStream<T, R::Timer>, ConnectError> {
        Ok(connect::handshake_alone(self, transport, addresses).await?.into_stream())
    }
}

connection_settings!(Client);

impl<R> Clone for Client<R> {
    fn clone(&self) -> Self {
        Self {
            request: self.request.clone(),
            config: Arc::clone(&self.config),
            inbound: self.inbound,
            notsent_lowat: self.notsent_lowat,
            compression: self.compression,
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
            dialling: self.dialling.clone(),
            #[cfg(feature = "redirects")]
            max_redirects: self.max_redirects,
            on_informational: self.on_informational.clone(),
            connect_timeout: self.connect_timeout,
            #[cfg(feature = "http2")]
            http2: self.http2.clone(),
            runtime: PhantomData,
        }
    }
}

impl<R> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.request.as_ref().map(|(target, _)| (&target.authority, &target.path_and_query));
        f.debug_struct("Client").field("target", &target).finish_non_exhaustive()
    }
}
