//! Messages to an application that receives none.

use ws_proto::{CloseCode, CloseFrame};

/// The reason that a peer gets whose message is refused.
const REASON: &str = "no messages are taken here";

/// What is done with a message that comes to an application that receives none. See [`WebSocket::send_only_with`](crate::WebSocket::send_only_with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unwanted {
    /// It is discarded, and counted: [`Sender::discarded`](crate::Sender::discarded).
    #[default]
    Discard,
    /// The connection is closed with this code: [`CloseCode::UNSUPPORTED_DATA`] (1003) or [`CloseCode::POLICY_VIOLATION`]
    /// (1008), for instance. In place of a code that must not be sent (RFC 6455 §7.4) it is 1003.
    Refuse(CloseCode),
}

impl Unwanted {
    /// The Close frame that a message is answered with that nobody receives, if it is refused.
    pub(super) fn refusal(self) -> Option<CloseFrame> {
        let Self::Refuse(code) = self else { return None };
        let code = if code.may_be_sent() { code } else { CloseCode::UNSUPPORTED_DATA };
        Some(CloseFrame::new(code, REASON))
    }
}
