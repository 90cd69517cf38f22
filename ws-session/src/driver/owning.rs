//! Access to the driver within a [`WebSocketStream`](crate::WebSocketStream).

use std::sync::Arc;

use bytes::Buf;

use super::Driver;
use crate::transport::{Timer, Transport};

impl<T: Transport, C: Timer> Driver<T, C> {
    pub(crate) fn transport(&self) -> &T {
        self.transport.get()
    }

    pub(crate) fn transport_mut(&mut self) -> &mut T {
        self.transport.get_mut()
    }

    /// Whether the transport stays when the connection has ended.
    pub(crate) fn keep_transport(&mut self, keep: bool) {
        self.keeps_transport = keep;
    }

    /// Whether the connection has ended and there is nothing left to do.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Returns the transport, the input that was read and not handled, and the frames that were not written. Aborts the
    /// connection.
    pub(crate) fn take_apart(mut self) -> (T, Vec<u8>, Vec<u8>) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let outgoing = state.connection.outgoing();
        let unsent = outgoing.copy_to_bytes(outgoing.remaining()).into();
        drop(state);
        let unread = self.unread.take().map_or_else(Vec::new, |unread| unread.into_bytes());
        (self.transport.take(), unread, unsent)
    }
}
