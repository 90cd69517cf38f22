//! The server: what it accepts, and the connections it has.

mod accept;
mod admission;
mod bind;
mod decision;
mod listen;
mod proxies;
mod registry;
#[cfg(feature = "tls")]
mod secure;
mod settings;
mod task;
mod upgrade;

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::{TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
#[cfg(feature = "tls")]
use rustls::ServerConfig;
use ws_proto::Config;
use ws_proto::handshake::head::HeadLimits;
use ws_proto::handshake::server::{Origins, is_reserved};
#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::Deflate;

use crate::error::InvalidSetting;
use crate::runtime::Runtime;
use crate::settings::connection_settings;
#[cfg(feature = "tls")]
use crate::tls;

pub use self::bind::ServeError;
pub use self::listen::{Listening, ServerHandle};
pub use self::proxies::ClientIp;
use self::proxies::TrustedProxies;
use self::settings::ServerSettings;
pub use self::upgrade::Refused;

/// A server to be: what it accepts and how long it waits. [`bind`](Self::bind) makes it listen, and
/// [`Listening::serve`] runs it; [`accept`](Self::accept) serves a connection from elsewhere.
///
/// Without any setting it accepts every WebSocket request, whatever its path and its origin. A server that trusts
/// cookies should set [`origins`](Self::origins).
pub struct Server<R> {
    settings: ServerSettings,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Server<R> {
    /// A server with the default settings.
    pub fn new() -> Self {
        Self { settings: ServerSettings::default(), runtime: PhantomData }
    }

    /// Keeps the first setting that cannot be used, until the server is to start.
    fn mistake(&mut self, mistake: InvalidSetting) {
        self.settings.mistake.get_or_insert(mistake);
    }

    /// Fails if there is such a setting.
    fn check(&self) -> Result<(), InvalidSetting> {
        self.settings.mistake.clone().map_or(Ok(()), Err)
    }

    pub(crate) fn config_mut(&mut self) -> &mut Arc<Config> {
        &mut self.settings.config
    }

    pub(crate) fn notsent_lowat_mut(&mut self) -> &mut Option<u32> {
        &mut self.settings.notsent_lowat
    }

    /// How messages are compressed, for clients that offer it (permessage-deflate, RFC 7692); `None` for not at all. By
    /// default as [`Deflate::server`] says.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn compression(mut self, deflate: Option<Deflate>) -> Self {
        self.settings.compression.deflate = deflate;
        self
    }

    /// Serves `wss://` and `https://` with this certificate, followed by those of its issuers, and its private key, both in
    /// PEM. Clients are asked for no certificate, and told that we speak HTTP/1.1. Without this, or
    /// [`tls_config`](Self::tls_config), there is no TLS.
    ///
    /// The TLS handshake is a part of the opening handshake: the same [deadline](Self::handshake_timeout) and the same
    /// [limit](Self::max_handshakes) hold for it.
    ///
    /// A certificate or a key that is missing, damaged or not the other's is reported by [`bind`](Self::bind)
    /// ([`InvalidSetting::Tls`](crate::InvalidSetting::Tls)).
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        match tls::server_config(certificate.as_ref(), key.as_ref()) {
            Ok(config) => self.settings.tls = Some(config),
            Err(error) => self.mistake(InvalidSetting::Tls(error)),
        }
        self
    }

    /// Serves `wss://` and `https://` as this configuration says, made with [`rustls`](crate::rustls). When it names no
    /// protocols (ALPN), `http/1.1` is added.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_config(mut self, config: Arc<ServerConfig>) -> Self {
        self.settings.tls = Some(tls::with_http(config));
        self
    }

    /// How many messages may wait to be received before reading stops. Default 16.
    #[must_use]
    pub fn inbound_queue(mut self, messages: usize) -> Self {
        self.settings.inbound.set_messages(messages);
        self
    }

    /// How many bytes the messages of one connection that wait to be received may have before reading stops. Default 4 MiB,
    /// and one message may always wait, whatever its size. While our own writing is blocked only
    /// [`inbound_queue`](Self::inbound_queue) counts: two peers that both send before they receive, up to that many
    /// messages, do not wait for each other.
    #[must_use]
    pub fn inbound_bytes(mut self, bytes: usize) -> Self {
        self.settings.inbound.set_bytes(bytes);
        self
    }

    /// Limits for the request's head. Default 16 KiB, 100 headers, a target of 8 KiB.
    #[must_use]
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.settings.head = limits;
        self
    }

    /// Accepts only requests from these origins, such as `https://example.com`; others get 403 (RFC 6455 §10.2).
    /// Requests without an `Origin` header, which no browser sends, are refused too, unless
    /// [`origins_or_none`](Self::origins_or_none) is used.
    #[must_use]
    pub fn origins(mut self, origins: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        match Origins::new(origins) {
            Ok(origins) => self.settings.origins = Some(origins),
            Err(error) => self.mistake(InvalidSetting::Origins(error.to_string())),
        }
        self
    }

    /// Accepts only requests from these origins, or without an `Origin` header.
    #[must_use]
    pub fn origins_or_none(self, origins: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut server = self.origins(origins);
        server.settings.origins = server.settings.origins.map(Origins::or_none);
        server
    }

    /// The subprotocols the server speaks, the preferred first: the first that the client offers is chosen. With none
    /// in common the connection opens without one (RFC 6455 §4.2.2).
    #[must_use]
    pub fn subprotocols(mut self, subprotocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.subprotocols = subprotocols.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a header to the response that accepts a connection. The handshake's own are refused by [`bind`](Self::bind).
    #[must_use]
    pub fn header(mut self, name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>) -> Self {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(_)) if is_reserved(&name) => {
                self.mistake(InvalidSetting::Header(format!("the header {name} is set by the handshake")));
            }
            (Ok(name), Ok(value)) => {
                self.settings.headers.append(name, value);
            }
            _ => self.mistake(InvalidSetting::Header("invalid response header".to_owned())),
        }
        self
    }

    /// Believes these peers, reverse proxies, when they say for whom they connect; see
    /// [`WebSocket::client_ip`](crate::WebSocket::client_ip) and [`ClientIp`]. They are addresses (`127.0.0.1`, `::1`) and networks (`10.0.0.0/8`);
    /// `unix:` stands for peers without an address, as over a Unix socket.
    ///
    /// `X-Forwarded-For` is read from the right, where each proxy adds who has connected to it: trusted proxies are passed
    /// over, the first that is not trusted is the client. Without that header `X-Real-IP` is the client. What a proxy
    /// says that is no address (`unknown`) leaves it at the proxy's own.
    ///
    /// **By default nobody is trusted**: anyone can send these headers, and who is believed without reason can claim any
    /// address, to get around a ban, a limit per address, or a list of who is let in. So name only what nobody but your
    /// proxies can connect from, and have them set `X-Forwarded-For`: a proxy that sets only `X-Real-IP` has to remove
    /// the `X-Forwarded-For` that a client may have sent.
    ///
    /// **Some proxies pass the client's own `X-Forwarded-For` on** unless they are told otherwise, and then any client
    /// chooses what `client_ip` says. Each of these settings adds the client's address at the right, which is read first:
    ///
    /// | proxy | setting |
    /// | --- | --- |
    /// | nginx | `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;` |
    /// | haproxy, `mode http` | `option forwardfor`, without `if-none` and `except` |
    /// | Envoy | `use_remote_address: true` in its HTTP connection manager |
    /// | nghttpx | `--add-x-forwarded-for`, best with `--strip-incoming-x-forwarded-for` |
    /// | mitmproxy | it only removes: `--modify-headers '/~q/X-Forwarded-For/'` and the same for `X-Real-IP`; the client is the proxy then |
    /// | stunnel, hitch, haproxy in `mode tcp` | none: they know no HTTP, so never name them here |
    ///
    /// `Forwarded` (RFC 7239) and the PROXY protocol are not read; a connection that begins with a PROXY header gets a 400
    /// that says so.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        match TrustedProxies::new(proxies) {
            Ok(proxies) => self.settings.proxies = proxies,
            Err(mistake) => self.mistake(InvalidSetting::TrustedProxies(mistake)),
        }
        self
    }

    /// Looks at each request before the handshake. A response it returns is sent and the connection closed: a page, a
    /// health check, a 401. With `None` the handshake goes on. If it panics, the answer is 500.
    ///
    /// It is asked about every request that can be read, those in HTTP/1.0 too: haproxy's `httpchk` and nginx's
    /// `proxy_pass`, unless told otherwise, send such. With `None` they are refused with 505.
    ///
    /// Who asks is among the request's extensions: [`ClientIp`], where it is known, and [`Addresses`](crate::Addresses).
    #[must_use]
    pub fn on_request(
        mut self,
        hook: impl Fn(&Request<()>) -> Option<Response<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        self.settings.hook = Some(Arc::new(hook));
        self
    }

    /// How long an opening handshake may take, that of TLS included. Default 10 s.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.settings.handshake_timeout = timeout;
        self
    }

    /// How many opening handshakes may be under way, that of TLS included. Default 1,024.
    ///
    /// With so many under way, a further connection waits until one ends, and the others wait behind it to be accepted. A
    /// handshake that has waited for its client for longer than [`handshake_grace`](Self::handshake_grace) makes room for
    /// it, without an answer: first those of clients that have said nothing, the oldest first; then those whose request is
    /// not complete, or whose refusal has not been taken yet.
    #[must_use]
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.settings.max_handshakes = handshakes.max(1);
        self
    }

    /// How long an opening handshake may wait for its client in any case, however many other clients want its place. Default
    /// 1 s. With less, clients on slow networks are turned away when many connect at once.
    #[must_use]
    pub fn handshake_grace(mut self, grace: Duration) -> Self {
        self.settings.handshake_grace = grace;
        self
    }

    /// How many opening handshakes of one IP address may be under way, so that one client cannot take all places; of IPv6,
    /// of one network of 64 bits. Default 256. `None` for no such limit.
    ///
    /// A further connection from there takes the place of the oldest of them that has waited for its client for longer than
    /// [`handshake_grace`](Self::handshake_grace); if there is none, it is closed at once, without an answer.
    ///
    /// Addresses that stand for many clients are not limited: loopback addresses, where a proxy on the same machine connects
    /// from, and [`trusted_proxies`](Self::trusted_proxies). Name your proxies there, or raise this limit, when more than
    /// this many of their clients may be opening connections in the same moment.
    #[must_use]
    pub fn max_handshakes_per_ip(mut self, handshakes: impl Into<Option<usize>>) -> Self {
        self.settings.max_handshakes_per_ip = handshakes.into().map(|handshakes| handshakes.max(1));
        self
    }

    /// How many connections may be open; a further one gets 503. No limit by default.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = Some(connections);
        self
    }

    /// How long a shutdown waits for handlers and closing handshakes before it drops them. Default 10 s.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout;
        self
    }

    /// Listens on a TCP address, with room for 1,024 connections that wait to be accepted (fewer where the system's own
    /// limit is lower). Names are resolved at once, blocking: give an address.
    ///
    /// A name such as `localhost` may have several addresses, of IPv6 and IPv4. The server listens on all of them, with the
    /// same port; [`Listening::local_addrs`] has them. Addresses that this machine does not have are left out, as long as
    /// there is another.
    ///
    /// # Errors
    ///
    /// When an address cannot be bound, or a setting is invalid.
    pub async fn bind(self, address: impl ToSocketAddrs) -> Result<Listening<R>, ServeError> {
        self.check()?;
        self.listen_on_all(bind::bind(address)?)
    }

    /// Serves a socket that listens already.
    ///
    /// # Errors
    ///
    /// When the runtime cannot watch it, or a setting is invalid.
    pub fn listen_on(self, listener: TcpListener) -> Result<Listening<R>, ServeError> {
        self.check()?;
        self.listen_on_all(vec![listener])
    }

    fn listen_on_all(self, listeners: Vec<TcpListener>) -> Result<Listening<R>, ServeError> {
        let listen = |listener: TcpListener| {
            listener.set_nonblocking(true)?;
            R::listen(listener)
        };
        let listeners: io::Result<Vec<_>> = listeners.into_iter().map(listen).collect();
        Ok(Listening::new(listeners?, self.settings))
    }
}

connection_settings!(Server);

impl<R: Runtime> Default for Server<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Server<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("config", &self.settings.config)
            .field("origins", &self.settings.origins)
            .field("subprotocols", &self.settings.subprotocols)
            .field("trusted_proxies", &self.settings.proxies)
            .field("max_connections", &self.settings.max_connections)
            .finish_non_exhaustive()
    }
}
