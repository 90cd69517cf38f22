//! Limits of connections: of all, and of each address.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use ws_proto::Rate;
use ws_proto::handshake::server::Rejection;

use super::{Server, ServerSettings};
use crate::info::Caller;
use crate::registry::{ConnectionRate, HandshakeGuard, NoRoom, Registry};
use crate::runtime::Runtime;

/// The `Retry-After` of a server, or an address, that has as many connections as it may have, in seconds.
const RETRY_AFTER: u32 = 10;

impl<R: Runtime> Server<R> {
    /// Limits the number of open connections. A further request gets 503 with a `Retry-After` of 10 s. No limit by default.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.quota.all = Some(connections);
        self
    }

    /// Limits the number of open connections of one IP address. For IPv6, a network of 64 bits counts as one address. A further
    /// request gets 429 with a `Retry-After` of 10 s. `None` for no limit, the default.
    ///
    /// The address is that of the client ([`WebSocket::client_ip`](crate::WebSocket::client_ip)): behind one of the
    /// [`trusted_proxies`](Self::trusted_proxies) it is the one that the proxy names. **Name your proxies there**, or all their
    /// clients count as one. A proxy that names no client is not limited, and neither is a peer without an address, as over a
    /// Unix socket. Many people can share an address, behind a company's router or a mobile network, so leave room.
    ///
    /// Each stream of HTTP/2 is a connection. [`upgrade`](Self::upgrade) and its relatives know the address that they are given.
    #[must_use]
    pub fn max_connections_per_ip(mut self, connections: impl Into<Option<usize>>) -> Self {
        self.settings.quota.of_one = connections.into();
        self
    }

    /// Limits the rate of new connections of one IP address. A request over the rate gets 429, with a `Retry-After` of the time
    /// until the next is allowed. `None` for no limit, the default.
    ///
    /// Addresses are those of [`max_connections_per_ip`](Self::max_connections_per_ip). Every request counts, before hooks see
    /// it: one for a page, or with a wrong password, too. So this also limits how fast passwords can be tried. A request over the
    /// rate does not count.
    ///
    /// The table of addresses is bounded: up to 65,536 are remembered, 3 MiB, until their rate is unused again. Connections
    /// without a request are limited by [`max_handshakes_per_ip`](Self::max_handshakes_per_ip).
    ///
    /// ```
    /// use std::time::Duration;
    /// use ws_session::{Rate, Runtime, Server};
    ///
    /// fn server<R: Runtime>() -> Server<R> {
    ///     // One in six seconds, and up to 20 at once.
    ///     let rate = Rate::new(10, Duration::from_secs(60)).with_burst(20);
    ///     Server::new().max_connections_per_ip(50).connection_rate_per_ip(rate)
    /// }
    /// ```
    #[must_use]
    #[doc(alias = "rate_limit")]
    pub fn connection_rate_per_ip(mut self, rate: impl Into<Option<Rate>>) -> Self {
        self.settings.connection_rate = rate.into().map(|rate| ConnectionRate { rate, clock: || Box::new(R::timer()) });
        self
    }
}

/// The registry in which a request counts, and its place there if the server listens.
#[derive(Clone, Copy)]
pub(super) struct Door<'a> {
    registry: &'a Arc<Registry>,
    pub(super) guard: Option<&'a HandshakeGuard>,
}

impl<'a> Door<'a> {
    /// That of a server that listens.
    pub(super) fn of(guard: &'a HandshakeGuard) -> Self {
        Self { registry: guard.registry(), guard: Some(guard) }
    }

    /// That of a single connection.
    pub(super) fn new(registry: &'a Arc<Registry>) -> Self {
        Self { registry, guard: None }
    }

    /// Counts a request for the rate of its address.
    pub(super) fn ask(self, settings: &ServerSettings, caller: &Caller) -> Result<(), Rejection> {
        let Some(limit) = &settings.connection_rate else { return Ok(()) };
        let Some(source) = settings.counted_address(caller) else { return Ok(()) };
        self.registry.take_rate(source, limit).map_err(too_fast)
    }

    /// Reserves a place among the open connections for an accepted request, which has none if the server does not listen.
    pub(super) fn enter(self, settings: &ServerSettings, caller: &Caller) -> Result<Option<HandshakeGuard>, Rejection> {
        let quota = settings.quota;
        let source = quota.of_one.and_then(|_| settings.counted_address(caller));
        let place = match self.guard {
            Some(guard) => guard.admit(quota, source).map(|()| None),
            None => self.registry.reserve(quota, source).map(Some),
        };
        place.map_err(|reason| match reason {
            NoRoom::ShuttingDown => Rejection::service_unavailable(),
            NoRoom::Full => Rejection::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server has as many connections as it allows. Try again later.",
            )
            .with_retry_after(RETRY_AFTER),
            NoRoom::FullForOne => Rejection::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Your address has as many connections as this server allows. Close one, or try again later.",
            )
            .with_retry_after(RETRY_AFTER),
        })
    }
}

fn too_fast(wait: Duration) -> Rejection {
    let seconds = u32::try_from(wait.as_millis().div_ceil(1000).max(1)).unwrap_or(u32::MAX);
    let message = format!("Your address opens connections faster than this server allows. Try again in {seconds} s.");
    Rejection::new(StatusCode::TOO_MANY_REQUESTS, message).with_retry_after(seconds)
}

impl ServerSettings {
    /// The address for which a client counts. `None` if it is unknown, or is that of a proxy, which stands for many.
    fn counted_address(&self, caller: &Caller) -> Option<IpAddr> {
        let client = caller.client_ip()?;
        (!self.is_trusted_proxy(Some(client))).then(|| network(client))
    }
}

/// The unit of limits: an IPv4 address, or an IPv6 network of 64 bits, in which one client may use any address.
pub(super) fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_client_counts_by_its_network() {
        let of = |ip: &str| network(ip.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("2001:db8:1:3::1"), "2001:db8:1:3::");
    }

    #[test]
    fn the_wait_is_told_in_whole_seconds() {
        for (millis, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (60_000, "60")] {
            let rejection = too_fast(Duration::from_millis(millis));
            assert_eq!(rejection.headers()["retry-after"], seconds);
            assert!(rejection.message().ends_with(&format!("Try again in {seconds} s.")));
        }
    }
}
