//! The lifecycle of a connection, as its handles see it.

use ws_proto::{Cause, CloseFrame, Outcome};

use crate::error::{Closed, ClosedSource, Error};

/// The lifecycle of a connection, as its handles see it. The closing handshake itself (RFC 6455 §7) is in the core. This adds
/// the requests of the application and the state of the transport.
///
/// The transitions:
///
/// ```text
/// Open ──► Closing ──┬──────────► Closed ──► Gone
///   └──────► Broken ─┘
/// ```
#[derive(Debug, Default)]
pub(crate) enum Lifecycle {
    /// The connection is open, and no close was requested.
    #[default]
    Open,
    /// The application has requested the closing handshake, or no handle is left.
    Closing(Box<CloseFrame>),
    /// The transport takes no more output. Input from before can still be received.
    Broken,
    /// No message will follow. The outgoing queue may still be written.
    Closed(Box<Closed>),
    /// The transport has ended.
    Gone(Box<Closed>),
}

impl Lifecycle {
    /// Requests the closing handshake. Returns whether this is the first request.
    pub(crate) fn close(&mut self, frame: CloseFrame) -> bool {
        let is_first = matches!(self, Self::Open);
        if is_first {
            *self = Self::Closing(Box::new(frame));
        }
        is_first
    }

    /// Records that the transport takes no more output.
    pub(crate) fn set_broken(&mut self) {
        if matches!(self, Self::Open | Self::Closing(_)) {
            *self = Self::Broken;
        }
    }

    /// Records that no message will follow.
    pub(crate) fn set_closed(&mut self, closed: Box<Closed>) {
        if self.closed().is_none() {
            *self = Self::Closed(closed);
        }
    }

    /// Records that the transport has ended. `id` is for a connection that had not ended before.
    pub(crate) fn set_gone(&mut self, id: u64) {
        *self = match std::mem::take(self) {
            Self::Closed(closed) | Self::Gone(closed) => Self::Gone(closed),
            Self::Open | Self::Closing(_) | Self::Broken => {
                let outcome = Outcome::new(None, None, Cause::Aborted);
                Self::Gone(Box::new(Closed { ended: ClosedSource { id }, outcome, io: None }))
            }
        };
    }

    /// Whether the connection is open and no close was requested. Then messages can be sent, as far as the core allows it.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// The requested Close frame, until the connection has ended in another way.
    #[inline]
    pub(crate) fn close_asked(&self) -> Option<&CloseFrame> {
        match self {
            Self::Closing(frame) => Some(frame),
            _ => None,
        }
    }

    /// Whether the transport takes no more output, and input from before is still being received.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self, Self::Broken)
    }

    /// Whether the transport has ended.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }

    /// The outcome of the connection, once no message will follow.
    #[inline]
    pub(crate) fn closed(&self) -> Option<&Closed> {
        match self {
            Self::Closed(closed) | Self::Gone(closed) => Some(closed),
            Self::Open | Self::Closing(_) | Self::Broken => None,
        }
    }

    /// The reason why no message can be sent any more.
    pub(crate) fn error(&self) -> Error {
        self.closed().map_or(Error::Closing, |closed| Error::Closed(Box::new(closed.clone())))
    }
}

#[cfg(test)]
mod tests {
    use ws_proto::CloseCode;

    use super::*;

    fn closed(id: u64) -> Box<Closed> {
        let outcome = Outcome::new(None, None, Cause::Local);
        Box::new(Closed { ended: ClosedSource { id }, outcome, io: None })
    }

    fn frame(code: CloseCode) -> CloseFrame {
        CloseFrame::new(code, "")
    }

    #[test]
    fn the_first_close_counts() {
        let mut life = Lifecycle::default();
        assert!(life.is_open() && life.close_asked().is_none());
        assert!(life.close(frame(CloseCode::GOING_AWAY)) && !life.close(frame(CloseCode::NORMAL)));
        assert_eq!(life.close_asked().map(|frame| frame.code), Some(CloseCode::GOING_AWAY));
        assert!(!life.is_open() && matches!(life.error(), Error::Closing));
    }

    #[test]
    fn a_transport_that_failed_takes_no_close() {
        let mut life = Lifecycle::default();
        life.set_broken();
        assert!(life.is_broken() && !life.close(frame(CloseCode::NORMAL)) && life.close_asked().is_none());
        assert!(matches!(life.error(), Error::Closing), "what came before may still be received");
        life.set_closed(closed(1));
        life.set_broken();
        assert!(!life.is_broken() && matches!(life.error(), Error::Closed(closed) if closed.ended.id == 1));
    }

    #[test]
    fn the_first_end_counts() {
        let mut life = Lifecycle::default();
        life.set_closed(closed(1));
        life.set_closed(closed(2));
        assert!(!life.is_gone() && !life.close(frame(CloseCode::NORMAL)));
        life.set_gone(3);
        life.set_gone(4);
        life.set_closed(closed(5));
        assert!(life.is_gone());
        assert_eq!(life.closed().map(|closed| closed.ended.id), Some(1));
    }

    #[test]
    fn a_transport_that_goes_first_has_aborted_the_connection() {
        for mut life in [Lifecycle::Open, Lifecycle::Closing(Box::new(frame(CloseCode::NORMAL))), Lifecycle::Broken] {
            life.set_gone(7);
            let closed = life.closed().unwrap();
            assert_eq!((closed.ended.id, &closed.outcome.cause), (7, &Cause::Aborted));
        }
    }
}
