//! [`Server`]: the settings of a server.

mod accept;
mod acceptor;
mod admission;
#[cfg(feature = "auth")]
mod auth;
mod bind;
mod decision;
#[cfg(feature = "proxies")]
mod forwarded;
mod handover;
mod headers;
mod hooks;
#[cfg(feature = "http2")]
mod http2;
mod lifetime;
mod limits;
mod listen;
mod origins;
#[cfg(feature = "proxies")]
mod proxies;
#[cfg(feature = "proxy-protocol")]
mod proxy_protocol;
#[cfg(feature = "metrics")]
mod recording;
#[cfg(feature = "routes")]
mod routes;
#[cfg(feature = "tls")]
mod secure;
mod settings;
mod shutdown;
mod sockets;
mod subprotocols;
mod task;
#[cfg(unix)]
mod unix;
mod upgrade;
mod workers;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "tls")]
use rustls::ServerConfig;
use ws_proto::Config;
use ws_proto::handshake::head::HeadLimits;
#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::Deflate;

use crate::error::InvalidSetting;
use crate::registry::Registry;
use crate::runtime::Runtime;
use crate::settings::connection_settings;
#[cfg(feature = "tls")]
use crate::tls::{ServerTls, ServerTlsSource};

#[cfg(feature = "auth")]
pub use self::auth::{Credentials, Token, Verdict};
use self::bind::HAS_REUSE_PORT;
pub use self::bind::ServeError;
pub use self::handover::Handover;
pub use self::hooks::Decision;
pub use self::listen::Listening;
#[cfg(feature = "proxies")]
pub use self::proxies::ProxyHeader;
#[cfg(feature = "proxy-protocol")]
pub use self::proxy_protocol::ProxyProtocol;
#[cfg(feature = "routes")]
pub use self::routes::{PathParams, Routes};
use self::settings::ServerSettings;
pub use self::shutdown::ServerHandle;
pub use self::sockets::ListeningSocket;
#[cfg(unix)]
pub use self::unix::UnixSocket;
pub use self::upgrade::Refused;
pub use self::workers::Workers;

/// Configures a server. [`bind`](Self::bind) starts listening, and [`Listening::serve`] runs a handler for each connection.
///
/// [`accept`](Self::accept) does the opening handshake on a stream of your own, without listening.
///
/// With the default settings every WebSocket request is accepted, for any path and from any origin. A server that trusts
/// cookies should set [`origins`](Self::origins).
pub struct Server<R> {
    settings: ServerSettings,
    registry: Arc<Registry>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Server<R> {
    /// A server with the default settings.
    pub fn new() -> Self {
        Self { settings: ServerSettings::default(), registry: Arc::default(), runtime: PhantomData }
    }

    /// Records an invalid setting, unless there is one already.
    fn mistake(&mut self, mistake: InvalidSetting) {
        self.settings.mistake.get_or_insert(mistake);
    }

    /// Fails if a setting is invalid.
    fn check(&self) -> Result<(), InvalidSetting> {
        self.settings.mistake.clone().map_or(Ok(()), Err)
    }

    /// The settings as a server needs them that listens.
    fn ready(self) -> Result<Self, InvalidSetting> {
        self.check()?;
        self.settings.subprotocols.check()?;
        if self.settings.tcp.reuse_port && !HAS_REUSE_PORT {
            return Err(InvalidSetting::ReusePortUnsupported);
        }
        #[cfg(feature = "proxy-protocol")]
        self.settings.check_proxy_protocol()?;
        #[cfg(feature = "http2")]
        let server = self.ready_for_http2()?;
        #[cfg(not(feature = "http2"))]
        let server = self;
        Ok(server)
    }

    pub(crate) fn config_mut(&mut self) -> &mut Arc<Config> {
        &mut self.settings.config
    }

    pub(crate) fn notsent_lowat_mut(&mut self) -> &mut Option<u32> {
        &mut self.settings.notsent_lowat
    }

    /// Sets the compression for clients that offer it (permessage-deflate, RFC 7692). `None` disables it. Default
    /// [`Deflate::server`].
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn compression(mut self, deflate: Option<Deflate>) -> Self {
        self.settings.compression.deflate = deflate;
        self
    }

    /// Serves `wss://` and `https://` with this certificate and private key, both in PEM. The certificates of its issuers
    /// follow the certificate. Clients are not asked for a certificate. ALPN offers HTTP/1.1. Without this setting,
    /// [`tls_with`](Self::tls_with) or [`tls_config`](Self::tls_config), there is no TLS.
    ///
    /// A client that speaks plain HTTP gets a 400 that says so.
    ///
    /// The TLS handshake is part of the opening handshake: it counts for the same [deadline](Self::handshake_timeout) and
    /// the same [limit](Self::max_handshakes).
    ///
    /// [`bind`](Self::bind) reports a certificate or key that is missing or damaged, and a key that does not belong to the
    /// certificate ([`InvalidSetting::Tls`](crate::InvalidSetting::Tls)).
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.tls_with(ServerTls::new().certificate(certificate, key))
    }

    /// Serves `wss://` and `https://` with these certificates: several, from files, with certificates of clients, or
    /// renewed while the server runs. See [`tls`](Self::tls) for what else applies.
    ///
    /// The certificates are loaded now. [`bind`](Self::bind) reports an error ([`InvalidSetting::Tls`]).
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_with(mut self, tls: ServerTls) -> Self {
        match tls.load() {
            Ok(()) => self.settings.tls = Some(ServerTlsSource::Certificates { tls, http2: false }),
            Err(error) => self.mistake(InvalidSetting::Tls(error)),
        }
        self
    }

    /// Serves `wss://` and `https://` with this configuration of [`rustls`](crate::rustls). If it names no protocols (ALPN),
    /// `http/1.1` is added.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_config(mut self, config: Arc<ServerConfig>) -> Self {
        self.settings.tls = Some(ServerTlsSource::fixed(config));
        self
    }

    /// Limits the number of messages that wait to be received. At the limit, reading stops. Default 16.
    #[must_use]
    pub fn inbound_queue(mut self, messages: usize) -> Self {
        self.settings.inbound.set_messages(messages);
        self
    }

    /// Limits the bytes of the messages that wait to be received, for each connection. At the limit, reading stops. Default
    /// 4 MiB. One message may always wait, whatever its size.
    ///
    /// While our own writing is blocked, only [`inbound_queue`](Self::inbound_queue) counts. So two peers that each send up
    /// to that many messages before they receive do not wait for each other.
    #[must_use]
    pub fn inbound_bytes(mut self, bytes: usize) -> Self {
        self.settings.inbound.set_bytes(bytes);
        self
    }

    /// Sets the limits of the request's head. Default 16 KiB, 100 headers, a target of 8 KiB.
    #[must_use]
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.settings.head = limits;
        self
    }

    /// Limits the time of an opening handshake, including TLS. Default 10 s.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.settings.handshake_timeout = timeout;
        self
    }

    /// Limits the number of opening handshakes in progress, including TLS. Default 1,024.
    ///
    /// At the limit, a new connection waits until a handshake ends, and further ones wait to be accepted. A handshake that
    /// has waited for its client for longer than [`handshake_grace`](Self::handshake_grace) is closed without an answer to
    /// make room. Clients that have sent nothing are closed first, the oldest first. After them come clients whose request is
    /// not complete, or that have not taken their refusal yet.
    ///
    /// A request over HTTP/2 counts while hooks that take time decide on it. At the limit, or at that of its
    /// [address](Self::max_handshakes_per_ip), it gets 503.
    #[must_use]
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.settings.max_handshakes = handshakes.max(1);
        self
    }

    /// Sets the time that an opening handshake may wait for its client even when other clients need its place. Default 1 s.
    /// With less, clients on slow networks are closed when many connect at once.
    #[must_use]
    pub fn handshake_grace(mut self, grace: Duration) -> Self {
        self.settings.handshake_grace = grace;
        self
    }

    /// Limits the opening handshakes in progress from one IP address, so that one client cannot take all places. For IPv6,
    /// a network of 64 bits counts as one address. Default 256. `None` for no limit.
    ///
    /// At the limit, a new connection takes the place of the oldest handshake from that address that has waited for its
    /// client for longer than [`handshake_grace`](Self::handshake_grace). If there is none, the new connection is closed at
    /// once, without an answer.
    ///
    /// Addresses that stand for many clients are not limited: [`trusted_proxies`](Self::trusted_proxies), and loopback
    /// addresses, from which a proxy on the same machine connects. If more than this many clients of a proxy may connect at
    /// the same moment, name the proxy there or raise this limit.
    #[must_use]
    pub fn max_handshakes_per_ip(mut self, handshakes: impl Into<Option<usize>>) -> Self {
        self.settings.max_handshakes_per_ip = handshakes.into().map(|handshakes| handshakes.max(1));
        self
    }

    /// Limits the time that a shutdown waits for handlers and closing handshakes. Then they are dropped. Default 10 s.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout;
        self
    }
}

connection_settings!(Server);

/// A clone has the same settings, and shares the connections and the [handle](Server::handle).
impl<R> Clone for Server<R> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone(), registry: Arc::clone(&self.registry), runtime: PhantomData }
    }
}

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
            .field("max_connections", &self.settings.quota.all)
            .finish_non_exhaustive()
    }
}
