//! What a connection can be given to send.

#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::Compress;
use ws_proto::{Connection, Message, Prepared, SendError};

use crate::logging::log_sent;
use crate::shared::{Shared, wake};

/// Something to send; handed back as it is when it is refused.
pub(crate) trait Outbound: Sized {
    /// What the log shows.
    fn message(&self) -> &Message;

    fn queue(self, connection: &mut Connection) -> Result<(), SendError<Self>>;
}

/// Queues what is to be sent, and tells the driver; from `high_water` on only if `urgent`. What is refused stays
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
    log_sent(shared.info.id, outbound.message());
    outbound.queue(&mut state.connection).map_err(|refused| refused.map(|outbound| *unsent = Some(outbound)))?;
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
    fn queue(self, connection: &mut Connection) -> Result<(), SendError<Self>> {
        connection.send(self)
    }
}

impl Outbound for &Prepared {
    fn message(&self) -> &Message {
        Prepared::message(self)
    }

    #[inline]
    fn queue(self, connection: &mut Connection) -> Result<(), SendError<Self>> {
        connection.send_prepared(self).map_err(|refused| refused.map(|()| self))
    }
}

/// A message, and whether it is compressed.
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

    fn queue(self, connection: &mut Connection) -> Result<(), SendError<Self>> {
        let compress = self.compress;
        connection
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
    fn message(&self) -> &Message {
        &self.part
    }

    fn queue(self, connection: &mut Connection) -> Result<(), SendError<Self>> {
        let last = self.last;
        connection.send_fragment(self.part, last).map_err(|refused| refused.map(|part| Self { part, last }))
    }
}
