//! The facts about its opening and its traffic that a stream tells.

use std::time::Duration;

use ws_proto::ConnectionStats;

use super::WebSocketStream;
use crate::handle::opening_facts;
use crate::info::ConnectionInfo;
#[cfg(feature = "tls")]
use crate::tls::TlsInfo;
use crate::transport::{Timer, Transport};

impl<T: Transport, C: Timer> WebSocketStream<T, C> {
    opening_facts!();

    /// The result of the TLS handshake. See [`WebSocket::tls`](crate::WebSocket::tls).
    #[cfg(feature = "tls")]
    pub fn tls(&self) -> Option<TlsInfo> {
        self.socket.tls()
    }

    /// The round-trip time of the last ping that was answered, keepalive's included.
    pub fn latency(&self) -> Option<Duration> {
        self.socket.latency()
    }

    /// The counters of the connection. See [`Sender::stats`](crate::Sender::stats).
    pub fn stats(&self) -> ConnectionStats {
        self.socket.stats()
    }

    fn info(&self) -> &ConnectionInfo {
        &self.socket.shared().info
    }
}
