//! The kinds of messages that a connection can send.

#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::Compress;
use ws_proto::{Message, Prepared, SendError};

use crate::logging::log_sent;
use crate::shared::{Shared, State, wake};

/// A message to send. It is returned unchanged if it is refused.
pub(crate) trait Outbound: Sized {
    /// Whether it is part of a message.
    const IS_FRAGMENT: bool = false;

    /// The form for the log.
    fn message(&self) -> &Message;

    fn queue(self, state: &mut State) -> Result<(), SendError<Self>>;
}

/// Queues a message and wakes the driver. Above the high-water mark only if `urgent`. A refused message stays in
/// `unsent`.
#[inline]
pub(super) fn queue<O: Outbound>(shared: &Shared, unsent: &mut Option<O>, urgent: bool) -> Result<(), SendError<()>> {
    let mut state = shared.lock();
    if state.is_closing() {
        return Err(SendError::Closed(()));
    }
    if !urgent && state.connection.is_above_high_water() {
        return Err(SendError::Full(()));
    }
    let Some(outbound) = unsent.take() else { return Ok(()) };
    log_sent(shared.info.id, outbound.message(), state.wakers.senders_wait);
    if let Err(refused) = outbound.queue(&mut state) {
        let refused = refused.map(|outbound| *unsent = Some(outbound));
        // The end of a message that is sent as a stream is waited for, as room is.
        let waits = state.wakers.senders_wait && !urgent && !O::IS_FRAGMENT;
        return Err(if waits { SendError::Full(()) } else { refused });
    }
    let waker = state.wakers.driver();
    drop(state);
    wake(waker);
    Ok(())
}

impl Outbound for Message {
    fn message(&self) -> &Message {
        self
    }

    #[inline]
    fn queue(self, state: &mut State) -> Result<(), SendError<Self>> {
        state.connection.send(self)
    }
}

impl Outbound for &Prepared {
    fn message(&self) -> &Message {
        Prepared::message(self)
    }

    #[inline]
    fn queue(self, state: &mut State) -> Result<(), SendError<Self>> {
        state.connection.send_prepared(self).map_err(|refused| refused.map(|()| self))
    }
}

/// A message with a choice of compression.
#[cfg(feature = "deflate")]
pub(crate) struct WithCompression {
    pub(crate) message: Message,
    pub(crate) compress: Compress,
}

#[cfg(feature = "deflate")]
impl Outbound for WithCompression {
    fn message(&self) -> &Message {
        &self.message
    }

    fn queue(self, state: &mut State) -> Result<(), SendError<Self>> {
        let compress = self.compress;
        state
            .connection
            .send_with(self.message, compress)
            .map_err(|refused| refused.map(|message| Self { message, compress }))
    }
}

/// Part of a message (RFC 6455 §5.4).
pub(crate) struct Fragment {
    pub(crate) part: Message,
    pub(crate) last: bool,
}

impl Outbound for Fragment {
    const IS_FRAGMENT: bool = true;

    fn message(&self) -> &Message {
        &self.part
    }

    fn queue(self, state: &mut State) -> Result<(), SendError<Self>> {
        let last = self.last;
        if state.wakers.senders_wait {
            return Err(SendError::Unfinished(self));
        }
        state.connection.send_fragment(self.part, last).map_err(|refused| refused.map(|part| Self { part, last }))
    }
}
