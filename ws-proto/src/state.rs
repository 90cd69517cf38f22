//! The states of a connection and the transitions of the closing handshake (RFC 6455 §7.1), independent of the role and of
//! the transport.

/// A state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionState {
    /// Messages go both ways.
    Open,
    /// Our Close is queued or sent, and the peer's has not been received. Messages are still received, and none is sent.
    CloseSent,
    /// The peer has closed or broken the protocol. Our Close is held until the application has answered the messages before.
    /// Input is discarded.
    CloseHeld,
    /// Writing has failed, and our Close cannot be sent. Messages that the peer sent before are still received.
    WriteFailed,
    /// Both Close frames are queued or received. Input is discarded.
    Exchanged,
    /// An error Close is queued or sent. Input is discarded.
    Failing,
    /// The connection is over, and the transport can be closed.
    Ended,
}

/// A transition from one state to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// The application closes the connection.
    LocalClose,
    /// The peer has closed or broken the protocol, and our Close is held.
    HoldClose,
    /// The peer's Close has been received. Ours is queued, unless it was before.
    PeerClose,
    /// The peer has broken the protocol or is silent. An error Close is queued, unless a Close was before.
    Fail,
    /// Writing has failed.
    WriteFail,
    /// The transport is gone, or the connection is aborted.
    End,
}

impl ConnectionState {
    /// The state after `transition`; `None` when it has no effect here.
    pub(crate) const fn after(self, transition: Transition) -> Option<Self> {
        use ConnectionState::*;
        use Transition::*;
        Some(match (self, transition) {
            (Open, LocalClose) => CloseSent,
            (Open, HoldClose) => CloseHeld,
            (Open | CloseSent | CloseHeld, PeerClose) => Exchanged,
            (Open | CloseSent | CloseHeld, Fail) => Failing,
            (Open | CloseSent, WriteFail) => WriteFailed,
            // No Close can be sent any more, and none is awaited.
            (WriteFailed, PeerClose | Fail) => Ended,
            (CloseHeld | Exchanged | Failing, WriteFail) => Ended,
            (Open | CloseSent | CloseHeld | WriteFailed | Exchanged | Failing, End) => Ended,
            _ => return None,
        })
    }

    /// Whether messages are still received.
    pub(crate) const fn receives(self) -> bool {
        matches!(self, Self::Open | Self::CloseSent | Self::WriteFailed)
    }

    /// Whether the end has been reported, or is being reported now.
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Exchanged | Self::Failing | Self::Ended)
    }

    /// Whether our Close is queued or sent, and the transport is still open.
    pub(crate) const fn is_closing(self) -> bool {
        matches!(self, Self::CloseSent | Self::Exchanged | Self::Failing)
    }

    /// Whether messages can still be sent.
    pub(crate) const fn sends(self) -> bool {
        matches!(self, Self::Open | Self::CloseHeld)
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectionState::*;
    use super::Transition::*;

    #[test]
    fn the_table() {
        //           LocalClose       HoldClose        PeerClose        Fail           WriteFail    End
        for (state, rows) in [
            (Open, [Some(CloseSent), Some(CloseHeld), Some(Exchanged), Some(Failing), Some(WriteFailed), Some(Ended)]),
            (CloseSent, [None, None, Some(Exchanged), Some(Failing), Some(WriteFailed), Some(Ended)]),
            (CloseHeld, [None, None, Some(Exchanged), Some(Failing), Some(Ended), Some(Ended)]),
            (WriteFailed, [None, None, Some(Ended), Some(Ended), None, Some(Ended)]),
            (Exchanged, [None, None, None, None, Some(Ended), Some(Ended)]),
            (Failing, [None, None, None, None, Some(Ended), Some(Ended)]),
            (Ended, [None, None, None, None, None, None]),
        ] {
            let transitions = [LocalClose, HoldClose, PeerClose, Fail, WriteFail, End];
            assert_eq!(transitions.map(|transition| state.after(transition)), rows, "{state:?}");
        }
    }
}
