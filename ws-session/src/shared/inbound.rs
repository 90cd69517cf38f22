//! The limits of the inbound queue.

use std::collections::VecDeque;

use ws_proto::Message;

/// The most messages that wait to be received, and the most bytes of them. At the limit, reading stops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InboundLimits {
    messages: u32,
    /// Whether the application cannot receive while it sends, because it drives the connection itself.
    pub(super) is_polled: bool,
    pub(super) bytes: usize,
}

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

    pub(super) fn messages(&self) -> usize {
        self.messages as usize
    }

    /// The number of these messages with which reading may continue: half of the limits.
    #[inline]
    pub(super) fn resume_at(&self, messages: &VecDeque<Message>, bytes: usize) -> usize {
        let half = self.messages() / 2;
        match bytes <= self.bytes / 2 {
            true => half,
            false => half.min(self.last_of(messages)),
        }
    }

    /// The number of messages at the end that have at most half of the limit in bytes.
    #[cold]
    fn last_of(&self, messages: &VecDeque<Message>) -> usize {
        let mut left = self.bytes / 2;
        let fits = |message: &&Message| left.checked_sub(message.len()).inspect(|rest| left = *rest).is_some();
        messages.iter().rev().take_while(fits).count()
    }
}
