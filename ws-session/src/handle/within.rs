//! Access to the handle within a [`WebSocketStream`](crate::WebSocketStream).

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use ws_proto::Message;

use super::{Sender, WebSocket};
use crate::error::Error;
use crate::shared::{Shared, State};

impl WebSocket {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.sender.shared
    }

    pub(crate) fn sender_ref(&self) -> &Sender {
        &self.sender
    }

    /// Whether the handle holds messages that the application has not received.
    #[inline]
    pub(crate) fn has_taken(&self) -> bool {
        !self.taken.is_empty()
    }

    /// All messages that the application has not received.
    pub(crate) fn take_messages(&mut self) -> Vec<Message> {
        let waiting = self.sender.shared.lock().mailbox.empty();
        mem::take(&mut self.taken).into_iter().chain(waiting).collect()
    }

    /// Whether a task that polled the sink still waits.
    pub(crate) fn is_sink_waiting(&self) -> bool {
        self.sink.is_waiting()
    }

    /// The result of `ready`, for the task that polls the sink.
    pub(crate) fn poll_sink<R>(
        &mut self,
        cx: &mut Context<'_>,
        ready: impl FnOnce(&mut State) -> Option<R>,
    ) -> Poll<R> {
        let Self { sender, sink, .. } = self;
        sender.shared.poll_until(sink, cx, ready)
    }

    /// Records whether this is the last item of the stream.
    pub(crate) fn note_end(&mut self, received: &Result<Option<Message>, Error>) {
        self.stream_ended = !matches!(received, Ok(Some(_)));
    }
}
