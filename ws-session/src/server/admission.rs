//! Limits the opening handshakes in progress: all of them, and those of each address.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tracing::{debug, warn};
use ws_proto::Timestamp;

use super::ServerSettings;
use super::limits::network;
use crate::logging::TARGET;
use crate::registry::{Awaited, HandshakeFailure, HandshakeGuard, Observer, Registry};
use crate::transport::{Addresses, Timer};

const SECOND: Duration = Duration::from_secs(1);

/// The time that a connection waits for another handshake of its address to end. It waits at most once a second.
const MOMENT: Duration = Duration::from_millis(50);

/// Gives places for opening handshakes. When none is left, the handshake that has waited longest for its client makes room,
/// if it has waited for [`Server::handshake_grace`](super::Server::handshake_grace). So silent clients keep others out only
/// for that time.
pub(super) struct Admission<'a, C> {
    settings: &'a ServerSettings,
    registry: &'a Arc<Registry>,
    observer: &'a Observer<'a>,
    timer: C,
    crowding: Crowding,
    /// The last time at which waiting for an address with too many handshakes was in vain.
    waited_in_vain: Option<Timestamp>,
}

/// Counts that have not been logged yet.
#[derive(Default)]
struct Crowding {
    displaced: u64,
    refused: u64,
    reported: Option<Timestamp>,
}

impl<'a, C: Timer> Admission<'a, C> {
    pub(super) fn new(
        settings: &'a ServerSettings,
        registry: &'a Arc<Registry>,
        observer: &'a Observer<'a>,
        timer: C,
    ) -> Self {
        Self { settings, registry, observer, timer, crowding: Crowding::default(), waited_in_vain: None }
    }

    pub(super) fn timer(&mut self) -> &mut C {
        &mut self.timer
    }

    /// Waits for a place for a new connection. `None` if its address has too many handshakes.
    pub(super) async fn admit(&mut self, addresses: &Addresses) -> Option<HandshakeGuard> {
        let source = self.source(addresses);
        if let Some(source) = source
            && !self.has_room_for(source).await
        {
            self.crowding.refused += 1;
            self.registry.fail(HandshakeFailure::Crowded);
            debug!(target: TARGET, peer = addresses.peer.map(tracing::field::display), "too many opening handshakes of one address");
            self.report();
            return None;
        }
        self.wait_for_a_place().await;
        // It counts from here on, not from the first poll of its task.
        Some(self.registry.begin_handshake(source, self.timer.now()))
    }

    /// The address for which a connection counts. `None` for addresses of many clients: proxies, and this machine.
    fn source(&self, addresses: &Addresses) -> Option<IpAddr> {
        let ip = addresses.peer?.ip().to_canonical();
        let is_many = ip.is_loopback() || self.settings.is_trusted_proxy(Some(ip));
        (!is_many).then(|| network(ip))
    }

    async fn has_room_for(&mut self, source: IpAddr) -> bool {
        let Some(most) = self.settings.max_handshakes_per_ip else { return true };
        if self.registry.handshakes_of(source) < most {
            return true;
        }
        // In a burst, handshakes with a complete request only need their turn, so a short wait helps. After a wait in vain
        // there is no other for a while, because other connections wait behind this one.
        let now = self.timer.now();
        if self.waited_in_vain.is_none_or(|then| now >= then + SECOND) {
            let Self { observer, timer, .. } = self;
            let has_room = poll_fn(|cx| match observer.poll(Awaited::SlotOf(source, most), cx) {
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

    /// Waits until a place is free. Makes a handshake give way as soon as one has waited long enough.
    async fn wait_for_a_place(&mut self) {
        let Self { settings, registry, observer, timer, crowding, .. } = self;
        poll_fn(|cx| {
            if observer.poll(Awaited::Slot(settings.max_handshakes), cx).is_ready() {
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

    /// Logs the handshakes that gave way, at most once a second.
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
