//! How much may wait to be received.

use ws_proto::Message;

use super::State;

/// How many messages may wait to be received, and how many bytes they may have; then reading stops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InboundLimits {
    messages: usize,
    bytes: usize,
}

impl Default for InboundLimits {
    fn default() -> Self {
        Self { messages: 16, bytes: 4 << 20 }
    }
}

impl InboundLimits {
    /// One message may always wait.
    pub(crate) fn set_messages(&mut self, messages: usize) {
        self.messages = messages.max(1);
    }

    /// Fewer than one byte would let nothing in.
    pub(crate) fn set_bytes(&mut self, bytes: usize) {
        self.bytes = bytes.max(1);
    }

    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// With how many of these messages left reading may go on: half of what may wait.
    pub(crate) fn resume_at<'a>(&self, messages: impl Iterator<Item = &'a Message>, bytes: usize) -> usize {
        let half = self.messages / 2;
        match bytes <= self.bytes / 2 {
            true => half,
            false => half.min(self.last_of(messages)),
        }
    }

    /// How many messages at the end, given from there, have half of the bytes that may wait, at most.
    #[cold]
    fn last_of<'a>(&self, messages: impl Iterator<Item = &'a Message>) -> usize {
        let mut left = self.bytes / 2;
        let fits = |message: &&Message| left.checked_sub(message.len()).inspect(|rest| left = *rest).is_some();
        messages.take_while(fits).count()
    }
}

impl State {
    /// Whether the application has as much waiting as may wait.
    ///
    /// While our own writing is blocked, the number of messages alone decides: the peer may be waiting, as we are, for the
    /// other to read on. How long that can last the deadline for writes bounds.
    pub(crate) fn has_no_room(&self) -> bool {
        let are_bytes_bounded = !self.is_write_blocked || self.await_end > 0;
        self.unreceived() >= self.inbound_limits.messages
            || (self.unreceived_bytes() >= self.inbound_limits.bytes && are_bytes_bounded)
    }

    /// Whether so much has been received that reading may go on.
    pub(crate) fn has_room_again(&self) -> bool {
        let InboundLimits { messages, bytes } = self.inbound_limits;
        let is_half = self.unreceived() <= messages / 2 && self.unreceived_bytes() <= bytes / 2;
        is_half || (self.is_write_blocked && self.unreceived() < messages)
    }

    /// How many messages the application has waiting.
    fn unreceived(&self) -> usize {
        self.inbound.len() + self.taken as usize
    }

    /// How many bytes they have.
    fn unreceived_bytes(&self) -> usize {
        self.inbound_bytes + self.taken_bytes
    }
}
