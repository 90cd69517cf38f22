//! Which connections may do their opening handshake: a limit on all of them, and one on those of each address.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tracing::{debug, warn};
use ws_proto::Timestamp;

use super::ServerSettings;
use super::registry::{Awaited, HandshakeGuard, Registry};
use crate::logging::TARGET;
use crate::transport::{Addresses, Timer};

const SECOND: Duration = Duration::from_secs(1);

/// How long a connection waits for another from its address to end its handshake, at the most once a second.
const MOMENT: Duration = Duration::from_millis(50);

/// Gives places for opening handshakes. When none is left, the handshake that has waited longest for its client makes
/// room, if it has waited for [`Server::handshake_grace`](super::Server::handshake_grace): clients that connect and say
/// nothing keep others out only for so long.
pub(super) struct Admission<'a, C> {
    settings: &'a ServerSettings,
    registry: &'a Arc<Registry>,
    timer: C,
    crowding: Crowding,
    /// When an address that had too many handshakes last had no fewer after a moment.
    waited_in_vain: Option<Timestamp>,
}

/// What the log has yet to tell.
#[derive(Default)]
struct Crowding {
    displaced: u64,
    refused: u64,
    reported: Option<Timestamp>,
}

impl<'a, C: Timer> Admission<'a, C> {
    pub(super) fn new(settings: &'a ServerSettings, registry: &'a Arc<Registry>, timer: C) -> Self {
        Self { settings, registry, timer, crowding: Crowding::default(), waited_in_vain: None }
    }

    pub(super) fn timer(&mut self) -> &mut C {
        &mut self.timer
    }

    /// A place for a connection that was just accepted, once there is one; `None` when its address has too many.
    pub(super) async fn admit(&mut self, addresses: &Addresses) -> Option<HandshakeGuard> {
        let source = self.source(addresses);
        if let Some(source) = source
            && !self.has_room_for(source).await
        {
            self.crowding.refused += 1;
            debug!(target: TARGET, peer = addresses.peer.map(tracing::field::display), "too many opening handshakes of one address");
            self.report();
            return None;
        }
        self.wait_for_a_place().await;
        // Counted from here on, not from when its task first runs.
        Some(self.registry.begin_handshake(source, self.timer.now()))
    }

    /// Whom a connection counts for, unless that can be many: a proxy, or whatever connects from this machine.
    fn source(&self, addresses: &Addresses) -> Option<IpAddr> {
        let ip = addresses.peer?.ip().to_canonical();
        let is_many = ip.is_loopback() || self.settings.proxies.trusts(Some(ip));
        (!is_many).then(|| network(ip))
    }

    async fn has_room_for(&mut self, source: IpAddr) -> bool {
        let Some(most) = self.settings.max_handshakes_per_ip else { return true };
        if self.registry.handshakes_of(source) < most {
            return true;
        }
        // Those that have all they need, in a burst from a proxy, only have to get their turn. What has been waited for in
        // vain is not waited for again at once: others wait behind this one.
        let now = self.timer.now();
        if self.waited_in_vain.is_none_or(|then| now >= then + SECOND) {
            let Self { registry, timer, .. } = self;
            let has_room = poll_fn(|cx| match registry.poll(Awaited::SlotOf(source, most), cx) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => timer.poll_at(cx, now + MOMENT).map(|()| false),
            });
            if has_room.await {
                return true;
            }
            self.waited_in_vain = Some(self.timer.now());
        }
        let displaced = self.registry.displace_one_of(source, self.timer.now(), self.settings.handshake_grace);
        self.crowding.displaced += u64::from(displaced);
        displaced
    }

    /// Waits until fewer handshakes than may be are under way, and has one make room as soon as one has to.
    async fn wait_for_a_place(&mut self) {
        let Self { settings, registry, timer, crowding, .. } = self;
        poll_fn(|cx| {
            if registry.poll(Awaited::Slot(settings.max_handshakes), cx).is_ready() {
                return Poll::Ready(());
            }
            if let Some(since) = registry.oldest_waiting()
                && timer.poll_at(cx, since + settings.handshake_grace).is_ready()
            {
                // Its task ends then, and wakes this one.
                crowding.displaced += u64::from(registry.displace(timer.now(), settings.handshake_grace));
            }
            Poll::Pending
        })
        .await;
        self.report();
    }

    /// Tells of handshakes that gave way, at most once a second.
    fn report(&mut self) {
        let Crowding { displaced, refused, reported } = &mut self.crowding;
        let now = self.timer.now();
        if *displaced + *refused == 0 || reported.is_some_and(|reported| now < reported + SECOND) {
            return;
        }
        warn!(target: TARGET,
            displaced,
            refused,
            "opening handshakes gave way to others: too many under way (max_handshakes, max_handshakes_per_ip)"
        );
        self.crowding = Crowding { reported: Some(now), ..Crowding::default() };
    }
}

/// What one client can have as many addresses of as it likes: of IPv6, a network of 64 bits.
fn network(ip: IpAddr) -> IpAddr {
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
}
