//! Constant facts about a connection: its ID, the negotiated parameters, and the peer.

mod attached;
mod fields;
mod head;
mod request;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::field::{DisplayValue, display};

pub(crate) use self::attached::Attached;
pub(crate) use self::head::Heads;
pub use self::request::{ClientIp, RequestExt};
#[cfg(feature = "tls")]
use crate::tls::TlsInfo;
use crate::transport::Addresses;

/// The facts about a connection that do not change while it is open.
#[derive(Debug)]
pub(crate) struct ConnectionInfo {
    pub(crate) id: u64,
    pub(crate) opened_at: OpenedAt,
    pub(crate) opening: HandshakeInfo,
}

/// A connection ID, unique within this process.
pub(crate) fn next_id() -> u64 {
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// The time at which a connection opened: nanoseconds after 1970, which take half the memory of a `SystemTime`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenedAt(u64);

impl OpenedAt {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<OpenedAt> for SystemTime {
    fn from(at: OpenedAt) -> Self {
        UNIX_EPOCH + Duration::from_nanos(at.0)
    }
}

/// The heads of the opening handshake.
#[derive(Debug)]
pub(crate) struct HandshakeInfo {
    pub(crate) heads: Heads,
    /// The negotiated subprotocol.
    pub(crate) subprotocol: Option<Box<str>>,
    pub(crate) attached: Attached,
}

/// The peer of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) addresses: Addresses,
    /// Boxed, because it is rare.
    known: Option<Box<Known>>,
}

/// What else is known of a peer.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The client's address as named by a trusted proxy, the peer. If there is one, the headers of a request name no other.
    /// `None` within it is an unknown client.
    forwarded_for: Option<Option<IpAddr>>,
    #[cfg(feature = "tls")]
    tls: Option<TlsInfo>,
}

impl Caller {
    pub(crate) fn new(addresses: Addresses) -> Self {
        Self { addresses, known: None }
    }

    /// Sets the client's address as named by a trusted proxy.
    pub(crate) fn set_forwarded_for(&mut self, client: Option<Option<IpAddr>>) {
        if client.is_some() || self.known.is_some() {
            self.known.get_or_insert_default().forwarded_for = client;
        }
    }

    /// The client's address as named by a trusted proxy. `None` within it is an unknown client.
    pub(crate) fn forwarded_for(&self) -> Option<Option<IpAddr>> {
        self.known.as_ref()?.forwarded_for
    }

    /// Notes the result of a TLS handshake, unless it is known.
    #[cfg(feature = "tls")]
    pub(crate) fn note_tls(&mut self, tls: Option<TlsInfo>) {
        if let (Some(tls), None) = (tls, self.tls()) {
            self.known.get_or_insert_default().tls = Some(tls);
        }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> Option<&TlsInfo> {
        self.known.as_ref()?.tls.as_ref()
    }

    /// The client's address, on a server.
    pub(crate) fn client_ip(&self) -> Option<IpAddr> {
        let peer = || Some(self.addresses.peer?.ip().to_canonical());
        self.forwarded_for().unwrap_or_else(peer)
    }

    /// The peer's address, for the log.
    pub(crate) fn peer(&self) -> Option<DisplayValue<SocketAddr>> {
        self.addresses.peer.map(display)
    }

    /// The client's address, for the log, if it is not the peer's.
    pub(crate) fn client(&self) -> Option<DisplayValue<IpAddr>> {
        self.forwarded_for().flatten().map(display)
    }
}
