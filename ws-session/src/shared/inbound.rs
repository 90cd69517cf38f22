//! How much may wait to be received.

use std::collections::VecDeque;

use ws_proto::Message;

/// How many messages may wait to be received, and how many bytes they may have; then reading stops.
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

    /// With how many of these messages left reading may go on: half of what may wait.
    #[inline]
    pub(super) fn resume_at(&self, messages: &VecDeque<Message>, bytes: usize) -> usize {
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
