//! The facts about its opening that a stream tells.

use super::WebSocketStream;
use crate::handle::opening_facts;
use crate::info::ConnectionInfo;
use crate::transport::{Timer, Transport};

impl<T: Transport, C: Timer> WebSocketStream<T, C> {
    opening_facts!();

    fn info(&self) -> &ConnectionInfo {
        &self.socket.shared().info
    }
}
