//! The closing handshake (RFC 6455 §7.1) as a table: which state follows which, whoever we are and whatever carries us.

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionState {
    /// Messages go both ways.
    Open,
    /// Our Close is queued or sent, the peer's has not come: messages still come in, none goes out.
    CloseSent,
    /// The peer has closed or is at fault, and our Close waits until the application has answered what came before.
    /// What comes in is thrown away.
    CloseHeld,
    /// The transport takes nothing more, and our Close cannot follow: messages that had come before still come in.
    WriteFailed,
    /// Both Close frames are there. What comes in is thrown away.
    Exchanged,
    /// An error Close is queued or sent. What comes in is thrown away.
    Failing,
    /// Nothing is left to do but to let the transport go.
    Ended,
}

/// What moves a connection from one state to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// The application closes.
    LocalClose,
    /// The peer has closed or is at fault, and our answer is put off.
    HoldClose,
    /// The peer's Close has come (and ours, if it was not there, is queued).
    PeerClose,
    /// The peer is at fault, or silent: an error Close, if none was sent before, is queued.
    Fail,
    /// Writing has failed.
    WriteFail,
    /// The transport is gone or given up.
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
            // Nobody can be told any more, and nobody is waited for.
            (WriteFailed, PeerClose | Fail) => Ended,
            (CloseHeld | Exchanged | Failing, WriteFail) => Ended,
            (Open | CloseSent | CloseHeld | WriteFailed | Exchanged | Failing, End) => Ended,
            _ => return None,
        })
    }

    /// Whether messages can still come in.
    pub(crate) const fn receives(self) -> bool {
        matches!(self, Self::Open | Self::CloseSent | Self::WriteFailed)
    }

    /// Whether the end has been reported, or is being reported now.
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Exchanged | Self::Failing | Self::Ended)
    }

    /// Whether our Close is queued or sent, and the transport still there.
    pub(crate) const fn is_closing(self) -> bool {
        matches!(self, Self::CloseSent | Self::Exchanged | Self::Failing)
    }

    /// Whether messages can still go out.
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
