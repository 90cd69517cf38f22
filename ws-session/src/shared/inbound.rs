//! How much may wait to be received.

use std::collections::VecDeque;

use ws_proto::Message;

use super::State;

/// How many messages may wait to be received, and how many bytes they may have; then reading stops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InboundLimits {
    messages: u32,
    /// Whether the application cannot receive while it sends, because it drives the connection itself.
    is_polled: bool,
    bytes: usize,
}

/// What a message takes beside its bytes, about.
const OVERHEAD: usize = 64;

impl Default for InboundLimits {
    fn default() -> Self {
        Self { messages: 16, is_polled: false, bytes: 4 << 20 }
    }
}

impl InboundLimits {
    /// One message may always wait.
    pub(crate) fn set_messages(&mut self, messages: usize) {
        self.messages = u32::try_from(messages.max(1)).unwrap_or(u32::MAX);
    }

    /// Fewer than one byte would let nothing in.
    pub(crate) fn set_bytes(&mut self, bytes: usize) {
        self.bytes = bytes.max(1);
    }

    pub(crate) fn set_polled(&mut self, polled: bool) {
        self.is_polled = polled;
    }

    pub(crate) fn messages(&self) -> usize {
        self.messages as usize
    }

    /// With how many of these messages left reading may go on: half of what may wait.
    #[inline]
    pub(crate) fn resume_at(&self, messages: &VecDeque<Message>, bytes: usize) -> usize {
        let half = self.messages() / 2;
        match bytes <= self.bytes / 2 {
            true => half,
            false => half.min(self.last_of(messages)),
        }
    }

    /// How many messages at the end have half of the bytes that may wait, at most.
    #[cold]
    fn last_of(&self, messages: &VecDeque<Message>) -> usize {
        let mut left = self.bytes / 2;
        let fits = |message: &&Message| left.checked_sub(message.len()).inspect(|rest| left = *rest).is_some();
        messages.iter().rev().take_while(fits).count()
    }
}

impl State {
    /// Whether the application has as much waiting as may wait.
    ///
    /// While our own writing is blocked, the number of messages alone decides: the peer may be waiting, as we are, for the
    /// other to read on. How long that can last the deadline for writes bounds. An application that drives the connection by
    /// polling it cannot receive while it waits to send: then short messages may be as many as their memory allows.
    pub(crate) fn has_no_room(&self) -> bool {
        let InboundLimits { is_polled, bytes, .. } = self.inbound_limits;
        let (messages, waiting) = (self.unreceived(), self.unreceived_bytes());
        let is_full = messages >= self.inbound_limits.messages();
        match self.is_write_blocked && self.await_end == 0 {
            true if is_polled => is_full && waiting + messages * OVERHEAD >= bytes,
            true => is_full,
            false => is_full || waiting >= bytes,
        }
    }

    /// Whether so much has been received that reading may go on.
    pub(crate) fn has_room_again(&self) -> bool {
        let limits = &self.inbound_limits;
        let is_half = self.unreceived() <= limits.messages() / 2 && self.unreceived_bytes() <= limits.bytes / 2;
        is_half || (self.is_write_blocked && !self.has_no_room())
    }

    /// Whether the application has a message waiting. Without one there is room, whatever the limits are.
    #[inline]
    pub(crate) fn has_waiting(&self) -> bool {
        self.unreceived() > 0
    }

    /// How many messages the application has waiting.
    #[inline]
    fn unreceived(&self) -> usize {
        self.inbound.len() + self.taken as usize
    }

    /// How many bytes they have.
    fn unreceived_bytes(&self) -> usize {
        self.inbound_bytes + self.taken_bytes
    }
}
