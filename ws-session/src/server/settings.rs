//! The settings of a server.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use ws_proto::Config;
use ws_proto::handshake::head::HeadLimits;
use ws_proto::handshake::server::Origins;

use super::bind::TcpOptions;
use super::hooks::Hooks;
use super::lifetime::Lifetime;
#[cfg(feature = "proxies")]
use super::proxies::{ProxyHeader, TrustedProxies};
#[cfg(feature = "proxy-protocol")]
use super::proxy_protocol::ProxyProtocol;
#[cfg(feature = "routes")]
use super::routes::RouteTable;
use super::subprotocols::Subprotocols;
use crate::error::InvalidSetting;
#[cfg(feature = "http2")]
use crate::http2::Http2;
use crate::info::Caller;
use crate::opening::compression::Compression;
use crate::registry::{ConnectionRate, Quota};
use crate::shared::inbound::InboundLimits;
#[cfg(feature = "tls")]
use crate::tls::ServerTlsSource;
use crate::transport::tcp::NOTSENT_LOWAT;

#[derive(Clone)]
pub(crate) struct ServerSettings {
    pub(crate) config: Arc<Config>,
    pub(crate) inbound: InboundLimits,
    pub(crate) notsent_lowat: Option<u32>,
    pub(crate) head: HeadLimits,
    pub(crate) origins: Option<Origins>,
    pub(crate) subprotocols: Subprotocols,
    pub(crate) headers: HeaderMap,
    pub(crate) server_header: Option<HeaderValue>,
    pub(crate) compression: Compression,
    pub(crate) tcp: TcpOptions,
    #[cfg(feature = "proxies")]
    pub(crate) proxies: TrustedProxies,
    /// The header in which they name their client.
    #[cfg(feature = "proxies")]
    pub(crate) proxy_header: ProxyHeader,
    #[cfg(feature = "proxy-protocol")]
    pub(crate) proxy_protocol: Option<ProxyProtocol>,
    /// Whether requests of trusted proxies may lack a key.
    pub(crate) keyless_proxies: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<ServerTlsSource>,
    #[cfg(feature = "http2")]
    pub(crate) http2: Option<Http2>,
    pub(crate) hooks: Hooks,
    #[cfg(feature = "routes")]
    pub(crate) routes: Option<Arc<RouteTable>>,
    pub(crate) handshake_timeout: Duration,
    pub(crate) max_handshakes: usize,
    pub(crate) max_handshakes_per_ip: Option<usize>,
    pub(crate) handshake_grace: Duration,
    pub(crate) quota: Quota,
    pub(crate) connection_rate: Option<ConnectionRate>,
    pub(crate) drain_timeout: Duration,
    pub(crate) lifetime: Lifetime,
    /// The first invalid setting. It is reported when the server starts.
    pub(crate) mistake: Option<InvalidSetting>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            config: Arc::default(),
            inbound: InboundLimits::default(),
            notsent_lowat: Some(NOTSENT_LOWAT),
            head: HeadLimits::default(),
            origins: None,
            subprotocols: Subprotocols::default(),
            headers: HeaderMap::new(),
            server_header: None,
            compression: Compression::server(),
            tcp: TcpOptions::default(),
            #[cfg(feature = "proxies")]
            proxies: TrustedProxies::default(),
            #[cfg(feature = "proxies")]
            proxy_header: ProxyHeader::default(),
            #[cfg(feature = "proxy-protocol")]
            proxy_protocol: None,
            keyless_proxies: false,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "http2")]
            http2: None,
            hooks: Hooks::default(),
            #[cfg(feature = "routes")]
            routes: None,
            handshake_timeout: Duration::from_secs(10),
            max_handshakes: 1024,
            max_handshakes_per_ip: Some(256),
            handshake_grace: Duration::from_secs(1),
            quota: Quota::default(),
            connection_rate: None,
            drain_timeout: Duration::from_secs(10),
            lifetime: Lifetime::default(),
            mistake: None,
        }
    }
}

impl ServerSettings {
    /// Whether a request from this peer may lack `Sec-WebSocket-Key`.
    pub(super) fn takes_keyless(&self, caller: &Caller) -> bool {
        let peer = caller.addresses.peer.map(|peer| peer.ip().to_canonical());
        self.keyless_proxies && self.is_trusted_proxy(peer)
    }
}

#[cfg(feature = "proxies")]
impl ServerSettings {
    /// Whether a peer with this address, or without one, is a trusted proxy.
    pub(super) fn is_trusted_proxy(&self, address: Option<IpAddr>) -> bool {
        self.proxies.trusts(address)
    }

    /// The client's address, by the headers of a trusted proxy.
    pub(super) fn client_ip(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        self.proxies.client_ip(peer, headers, self.proxy_header)
    }
}

/// No proxy is trusted.
#[cfg(not(feature = "proxies"))]
impl ServerSettings {
    pub(super) fn is_trusted_proxy(&self, _address: Option<IpAddr>) -> bool {
        false
    }

    pub(super) fn client_ip(&self, peer: Option<IpAddr>, _headers: &HeaderMap) -> Option<IpAddr> {
        peer
    }
}
