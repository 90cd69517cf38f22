//! [`OpenConnection`]: a connection of a server, as seen from outside of its handler.

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ws_proto::{CloseCode, CloseError, CloseFrame, ConnectionStats, Outcome};

use super::Sender;
use super::facts::opening_facts;
use super::guard::WaitGuard;
use crate::error::Error;
use crate::info::ConnectionInfo;
use crate::shared::Shared;

/// One of the connections of a server, as [`ServerHandle::list`](crate::ServerHandle::list) returns it. Cheap to clone.
///
/// It does not keep the connection open. After the connection has ended, all facts and counters can still be read, and their
/// memory (about 1 KiB) is held until the value is dropped.
#[derive(Clone)]
pub struct OpenConnection {
    shared: Arc<Shared>,
}

impl OpenConnection {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    opening_facts!();

    fn info(&self) -> &ConnectionInfo {
        &self.shared.info
    }

    /// The connection's ID, unique within this process. Logs carry it.
    pub fn id(&self) -> u64 {
        self.shared.info.id
    }

    /// The time at which the connection opened, by the system's clock.
    pub fn opened_at(&self) -> SystemTime {
        self.shared.info.opened_at.into()
    }

    /// The subprotocol that both sides agreed on, if any (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.info.opening.subprotocol.as_deref()
    }

    /// The peer's address, if the transport has one. Behind a reverse proxy it is the proxy's.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.shared.lock().caller.addresses.peer
    }

    /// Our own address, if the transport has one.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.shared.lock().caller.addresses.local
    }

    /// The client's address, as [`WebSocket::client_ip`](crate::WebSocket::client_ip) returns it.
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.shared.lock().caller.client_ip()
    }

    /// The round-trip time of the last answered ping, keepalive pings included.
    pub fn latency(&self) -> Option<Duration> {
        self.shared.lock().connection.latency()
    }

    /// The counters of the connection.
    pub fn stats(&self) -> ConnectionStats {
        self.shared.lock().connection.stats()
    }

    /// Whether messages can be sent: the connection has neither ended nor begun to close.
    pub fn is_open(&self) -> bool {
        !self.shared.lock().is_closing()
    }

    /// A handle that sends to the connection.
    pub fn sender(&self) -> Sender {
        Sender::new(Arc::clone(&self.shared))
    }

    /// Closes the connection with this code and reason, without waiting. Messages that are queued are written first. Returns
    /// whether this call began the closing handshake: not if the connection was closing, or had ended.
    ///
    /// See [`Sender::close`] for the code and the reason.
    ///
    /// # Errors
    ///
    /// If the code must not be sent (RFC 6455 §7.4).
    pub fn close(&self, code: impl Into<CloseCode>, reason: impl AsRef<str>) -> Result<bool, Error> {
        let code = code.into();
        check_code(code)?;
        Ok(self.shared.close(CloseFrame::new(code, reason.as_ref())))
    }

    /// Waits until the connection has ended, including its transport. Either end may end it. Cancel-safe.
    pub fn closed(&self) -> impl Future<Output = Outcome> + Send + '_ {
        let mut waiting = WaitGuard::new(&self.shared);
        poll_fn(move |cx| waiting.poll(cx, |state| state.outcome()))
    }
}

/// Fails if the code must not be sent.
pub(crate) fn check_code(code: CloseCode) -> Result<(), Error> {
    match code.may_be_sent() || code == CloseCode::NO_STATUS {
        true => Ok(()),
        false => Err(CloseError(code).into()),
    }
}

impl fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConnection")
            .field("id", &self.id())
            .field("peer", &self.peer_addr())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
