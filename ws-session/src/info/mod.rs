//! What is known about a connection from its opening on: which it is, what was agreed on, and who is at the other end.

mod head;

use std::net::{IpAddr, SocketAddr};

use tracing::field::{DisplayValue, display};

pub(crate) use self::head::Heads;
use crate::transport::Addresses;

/// What does not change while a connection is open.
#[derive(Debug)]
pub(crate) struct ConnectionInfo {
    pub(crate) id: u64,
    pub(crate) opening: HandshakeInfo,
}

/// What was said in the opening handshake.
#[derive(Debug)]
pub(crate) struct HandshakeInfo {
    pub(crate) heads: Heads,
    /// What both sides agreed on.
    pub(crate) subprotocol: Option<Box<str>>,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) addresses: Addresses,
    /// For whom a trusted proxy, the peer, has made the connection. Boxed: it is rare.
    pub(crate) forwarded_for: Option<Box<IpAddr>>,
}

impl Caller {
    pub(crate) fn new(addresses: Addresses) -> Self {
        Self { addresses, forwarded_for: None }
    }

    /// The client's address, at a server.
    pub(crate) fn client_ip(&self) -> Option<IpAddr> {
        let peer = || Some(self.addresses.peer?.ip().to_canonical());
        self.forwarded_for.as_deref().copied().or_else(peer)
    }

    /// For the log.
    pub(crate) fn peer(&self) -> Option<DisplayValue<SocketAddr>> {
        self.addresses.peer.map(display)
    }

    /// For the log, where it is another than the peer.
    pub(crate) fn client(&self) -> Option<DisplayValue<IpAddr>> {
        self.forwarded_for.as_deref().copied().map(display)
    }
}
