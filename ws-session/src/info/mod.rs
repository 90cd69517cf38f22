//! Constant facts about a connection: its ID, the negotiated parameters, and the peer.

mod attached;
mod fields;
mod head;
mod request;

use std::net::{IpAddr, SocketAddr};

use tracing::field::{DisplayValue, display};

pub(crate) use self::attached::Attached;
pub(crate) use self::head::Heads;
pub use self::request::{ClientIp, RequestExt};
use crate::transport::Addresses;

/// The facts about a connection that do not change while it is open.
#[derive(Debug)]
pub(crate) struct ConnectionInfo {
    pub(crate) id: u64,
    pub(crate) opening: HandshakeInfo,
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
    /// The client's address as named by a trusted proxy, the peer. Boxed, because it is rare. If there is one, the headers of
    /// a request name no other. `None` within it is an unknown client.
    pub(crate) forwarded_for: Option<Box<Option<IpAddr>>>,
}

impl Caller {
    pub(crate) fn new(addresses: Addresses) -> Self {
        Self { addresses, forwarded_for: None }
    }

    /// The client's address, on a server.
    pub(crate) fn client_ip(&self) -> Option<IpAddr> {
        let peer = || Some(self.addresses.peer?.ip().to_canonical());
        self.forwarded_for.as_deref().copied().unwrap_or_else(peer)
    }

    /// The peer's address, for the log.
    pub(crate) fn peer(&self) -> Option<DisplayValue<SocketAddr>> {
        self.addresses.peer.map(display)
    }

    /// The client's address, for the log, if it is not the peer's.
    pub(crate) fn client(&self) -> Option<DisplayValue<IpAddr>> {
        self.forwarded_for.as_deref().copied().flatten().map(display)
    }
}
