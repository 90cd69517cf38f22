//! The closing handshake, as callers see it.

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// No Close frame was sent or received.
    Active,
    /// We have closed, and messages still come.
    ClosedByUs,
    /// The peer has closed first.
    ClosedByPeer,
    /// The peer has answered our Close frame.
    CloseAcknowledged,
    /// The peer broke the protocol or went over a limit. Our Close frame says so.
    Failed,
    /// The end was reported.
    Terminated,
}

impl State {
    pub(super) fn can_read(self) -> bool {
        matches!(self, Self::Active | Self::ClosedByUs)
    }
}
