//! The closing handshake (RFC 6455 §7.1) as a table: which state follows which, whoever we are and whatever carries us.

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Messages go both ways.
    Open,
    /// Our Close is queued or sent, the peer's has not come: messages still come in, none goes out.
    CloseSent,
    /// Both Close frames are there. What comes in is thrown away.
    Exchanged,
    /// An error Close is queued or sent. What comes in is thrown away.
    Failing,
    /// Nothing is left to do but to let the transport go.
    Ended,
}

/// What moves a connection from one state to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The application closes.
    LocalClose,
    /// The peer's Close has come (and ours, if it was not there, is queued).
    PeerClose,
    /// The peer is at fault, or silent: an error Close, if none was sent before, is queued.
    Fail,
    /// The transport is gone or given up.
    End,
}

impl State {
    /// The state after `step`; `None` when the step has no effect here.
    pub(crate) const fn after(self, step: Step) -> Option<Self> {
        use State::*;
        use Step::*;
        Some(match (self, step) {
            (Open, LocalClose) => CloseSent,
            (Open | CloseSent, PeerClose) => Exchanged,
            (Open | CloseSent, Fail) => Failing,
            (Open | CloseSent | Exchanged | Failing, End) => Ended,
            _ => return None,
        })
    }

    /// Whether messages can still come in.
    pub(crate) const fn receives(self) -> bool {
        matches!(self, Self::Open | Self::CloseSent)
    }

    /// Whether messages can still go out.
    pub(crate) const fn sends(self) -> bool {
        matches!(self, Self::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::State::*;
    use super::Step::*;

    #[test]
    fn the_table() {
        //                 LocalClose       PeerClose        Fail           End
        for (state, rows) in [
            (Open, [Some(CloseSent), Some(Exchanged), Some(Failing), Some(Ended)]),
            (CloseSent, [None, Some(Exchanged), Some(Failing), Some(Ended)]),
            (Exchanged, [None, None, None, Some(Ended)]),
            (Failing, [None, None, None, Some(Ended)]),
            (Ended, [None, None, None, None]),
        ] {
            assert_eq!([LocalClose, PeerClose, Fail, End].map(|step| state.after(step)), rows, "{state:?}");
        }
    }
}
