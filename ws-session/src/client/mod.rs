//! The client: where to connect, and what to ask for.

mod connect;
mod dial;
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

pub use self::run::RunError;
pub use self::upgrade::ClientUpgrade;
pub use self::url::without_password;

use self::url::Target;

/// A connection to be: the URL, what the request says, limits and deadlines. [`connect`](Self::connect) opens it.
pub struct Client<R> {
    /// Where to, and the request; a URL that cannot be used is reported when connecting.
    request: Result<(Target, Builder), UrlError>,
    config: Arc<Config>,
    inbound: InboundLimits,
    notsent_lowat: Option<u32>,
    compression: Compression,
    #[cfg(feature = "tls")]
    tls: ClientTls,
    connect_timeout: Duration,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Client<R> {
    /// A client for a `ws://` or `wss://` URL. A user name and password in it are sent as Basic credentials; the
    /// password is never shown or logged.
    ///
    /// `http://` and `https://` stand for `ws://` and `wss://`, as in browsers. An IPv6 address may have a zone, the network
    /// interface to reach it by: `ws://[fe80::1%25eth0]/`.
    ///
    /// A host that is not ASCII needs the crate feature `idna`; without it, connecting fails with
    /// [`UrlError::InternationalHost`](crate::UrlError::InternationalHost). Its ASCII form (`xn--…`) always works.
    ///
    /// Anything that is a string will do: a `&str`, a `String`, a [`Url`](https://docs.rs/url).
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
            connect_timeout: Duration::from_secs(10),
            runtime: PhantomData,
        }
    }

    fn request(mut self, change: impl FnOnce(Builder) -> Builder) -> Self {
        self.request = self.request.map(|(target, builder)| (target, change(builder)));
        self
    }

    /// Adds a header to the request. `Host` and `Authorization` replace those made from the URL, `User-Agent` the default
    /// one, which names the adapter: `ws-tokio/0.1.0`. These and `Origin` are sent once, with the last value given; the
    /// values of several `Cookie` headers are joined. The handshake's own headers are refused when connecting.
    #[must_use]
    pub fn header(self, name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>) -> Self {
        self.request(|builder| builder.header(name, value))
    }

    /// Removes a header that was added, that was made from the URL (`Authorization`), or that is sent by default
    /// (`User-Agent`). The `Host` made from the URL remains.
    #[must_use]
    pub fn remove_header(self, name: impl TryInto<HeaderName>) -> Self {
        self.request(|builder| builder.remove_header(name))
    }

    /// Sets the `Origin` header, as a browser would for a page of that origin (RFC 6454).
    #[must_use]
    pub fn origin(self, origin: &str) -> Self {
        self.header(ORIGIN, origin)
    }

    /// Offers subprotocols, the preferred first (RFC 6455 §1.9).
    #[must_use]
    pub fn subprotocols(self, subprotocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.request(|builder| builder.subprotocols(subprotocols))
    }

    /// Sets whether the server must choose one of the subprotocols offered, as browsers have it; else connecting fails.
    /// Default `false`: the connection opens without a subprotocol. Where none is offered, none is required.
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

    /// How messages are compressed, if the server does so too (permessage-deflate, RFC 7692); `None` to offer nothing. By
    /// default as [`Deflate::client`] says.
    ///
    /// Some servers answer 400 to an offer they do not know, where RFC 7692 §7 has them decline it: npm's ws 8.23.0,
    /// engine.io 6.6.13 and autobahn 26.10.2 to an unknown parameter, which a proxy may have added. Nothing is tried again by
    /// itself; connect with `None` after such an answer.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn compression(mut self, deflate: Option<Deflate>) -> Self {
        self.compression.deflate = deflate;
        self
    }

    /// Trusts the certificates in this PEM, and what they have issued, besides the platform's: for servers whose
    /// certificates are not issued by a public authority. What is wrong with it is reported when connecting.
    ///
    /// A certificate that signed itself can be given as it is. One for tests is made by
    ///
    /// ```sh
    /// openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 365 \
    ///     -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1
    /// ```
    ///
    /// A server that shows the very certificate given here is accepted, whoever issued it, if the certificate is for the
    /// URL's host and valid now, and the server has its private key.
    ///
    /// Without this setting the platform's certificates are trusted; where it has none, those of Mozilla's program, which this crate
    /// brings. They are read once in the life of the process, at the first `wss://`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn ca(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.tls.add_ca(pem.as_ref());
        self
    }

    /// Shows this certificate, followed by those of its issuers, to a server that asks for one; with its private key, both
    /// in PEM. What is wrong with them is reported when connecting.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn client_certificate(mut self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.tls.set_identity(certificate.as_ref(), key.as_ref());
        self
    }

    /// TLS as this configuration says, made with [`rustls`](crate::rustls), in place of all other settings of TLS here.
    /// When it names no protocols (ALPN), `http/1.1` is added. One configuration for many connections lets them be
    /// resumed.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_config(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls.config = Some(config);
        self
    }

    /// How many messages may wait to be received before reading stops. Default 16; at least one may. See
    /// [`inbound_bytes`](Self::inbound_bytes), too.
    #[must_use]
    pub fn inbound_queue(mut self, messages: usize) -> Self {
        self.inbound.set_messages(messages);
        self
    }

    /// How many bytes the messages that wait to be received may have before reading stops. Default 4 MiB, and one message
    /// may always wait, whatever its size. While our own writing is blocked only
    /// [`inbound_queue`](Self::inbound_queue) counts: two peers that both send before they receive, up to that many
    /// messages, do not wait for each other.
    #[must_use]
    pub fn inbound_bytes(mut self, bytes: usize) -> Self {
        self.inbound.set_bytes(bytes);
        self
    }

    /// How long connecting may take in all: name resolution, TCP, TLS, and the opening handshake. Default 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Connects, and moves the connection's bytes in a task of its own.
    ///
    /// Where the host has several addresses they are tried one after the other, IPv6 and IPv4 in turn: the next one 250 ms
    /// after the one before, or as soon as that has failed. The first to answer is kept (RFC 8305). One deadline,
    /// [`connect_timeout`](Self::connect_timeout), holds for all of it.
    ///
    /// Dropping the future gives up.
    ///
    /// Close the connection before the program ends, or [`flush`](WebSocket::flush) it. Otherwise what was sent is written,
    /// and a Close with 1001 behind it, only as far as the socket takes them at once when the handle is dropped or the
    /// runtime ends; and nothing at all if the process crashes or calls [`std::process::exit`].
    ///
    /// # Errors
    ///
    /// What is wrong with the URL or the request, before anything is sent; what went wrong on the way; or the server's
    /// answer when it is not a valid 101.
    pub async fn connect(self) -> Result<WebSocket, ConnectError> {
        connect::connect(self).await
    }

    /// Does the opening handshake on a transport that is connected already: a tunnel, a Unix socket, a pipe, a TLS
    /// connection. Nothing is done about TLS, whatever the URL says. Whoever calls this runs the driver, by itself or beside a handler ([`Driver::run`]).
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn handshake<T: Transport>(
        self,
        transport: T,
        addresses: Addresses,
    ) -> Result<(WebSocket, Driver<T, R::Timer>), ConnectError> {
        Ok(connect::handshake_alone(self, transport, addresses).await?.open())
    }

    /// Connects as [`connect`](Self::connect) does; the connection is one value, which is driven by being polled, without a
    /// task of its own.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_stream(self) -> Result<WebSocketStream<MaybeTls<R::Stream>, R::Timer>, ConnectError> {
        Ok(connect::open(self).await?.into_stream())
    }

    /// Does the opening handshake as [`handshake`](Self::handshake) does; the connection is one value, which is driven by being
    /// polled, without a task of its own.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn handshake_stream<T: Transport>(
        self,
        transport: T,
        addresses: Addresses,
    ) -> Result<WebSocketStream<T, R::Timer>, ConnectError> {
        Ok(connect::handshake_alone(self, transport, addresses).await?.into_stream())
    }
}

connection_settings!(Client);

impl<R> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.request.as_ref().map(|(target, _)| (&target.authority, &target.path_and_query));
        f.debug_struct("Client").field("target", &target).finish_non_exhaustive()
    }
}
