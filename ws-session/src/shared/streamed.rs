//! Messages that are received in chunks: the rules for driver and handle.

use ws_proto::{Chunk, MessageKind};

use super::state::State;

impl State {
    /// Chooses chunks for the message that is arriving, if any, and returns its kind.
    pub(crate) fn claim_message(&mut self) -> Option<MessageKind> {
        let begun = self.connection.hooks().stream_message()?;
        self.mailbox.begin_stream(&begun.payload);
        Some(begun.kind)
    }

    /// Whether reading has stopped and may continue.
    pub(crate) fn may_resume(&self) -> bool {
        self.mailbox.may_resume() && (!self.mailbox.is_held() || self.is_decided())
    }

    /// Whether a long message that is held can be handled: a task waits for a whole message, or none is wanted.
    fn is_decided(&self) -> bool {
        let waits_for_it = self.wakers.is_receiving() && !self.mailbox.has_waiting() && !self.mailbox.wants_stream();
        self.mailbox.is_receiving_over() || waits_for_it
    }

    /// Handles a message that is too long to be assembled. Returns whether receiving continues. Otherwise the message waits
    /// until the application receives it in chunks, or wants a whole message.
    #[cold]
    pub(crate) fn on_held(&mut self) -> bool {
        self.mailbox.set_held(true);
        self.wakers.announce();
        // A whole message is wanted only if the task that waited for one still does.
        self.wakers.ask_receiver();
        self.handle_held()
    }

    /// Handles a message that is held, if possible. Returns whether it is handled.
    pub(crate) fn handle_held(&mut self) -> bool {
        if !self.mailbox.is_held() {
            return true;
        }
        if self.mailbox.is_receiving_over() {
            self.mailbox.set_held(false);
            if self.connection.hooks().stream_message().is_some() && !self.mailbox.discard_begun() {
                self.discard_unwanted(1);
            }
            return true;
        }
        if self.is_decided() {
            self.mailbox.set_held(false);
            // It is refused now, unless it turns out to be short enough.
            self.connection.hooks().assemble_held();
            return true;
        }
        false
    }

    /// Keeps a chunk until it is taken. Returns whether reading must stop.
    #[cold]
    pub(crate) fn on_chunk(&mut self, chunk: &Chunk<'_>) -> bool {
        if self.mailbox.wants_chunks() {
            // The application has not seen this chunk yet, so a Close behind it is not answered at once.
            self.wakers.stop_receiving();
            self.wakers.announce();
        }
        self.mailbox.put_chunk(&chunk.payload, chunk.last)
    }
}
