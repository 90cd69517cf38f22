//! Messages to an application that has given up receiving.

use ws_proto::{CloseCode, CloseFrame};

/// The reason in the Close frame that refuses a message.
const REASON: &str = "no messages are taken here";

/// The treatment of messages to an application that has given up receiving. See [`WebSocket::send_only_with`](crate::WebSocket::send_only_with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unwanted {
    /// Messages are discarded and counted: [`Sender::discarded`](crate::Sender::discarded).
    #[default]
    Discard,
    /// A message closes the connection with this code, such as [`CloseCode::UNSUPPORTED_DATA`] (1003) or
    /// [`CloseCode::POLICY_VIOLATION`] (1008). A code that must not be sent (RFC 6455 §7.4) is replaced by 1003.
    Refuse(CloseCode),
}

impl Unwanted {
    /// The Close frame for a refused message, if messages are refused.
    pub(super) fn refusal(self) -> Option<CloseFrame> {
        let Self::Refuse(code) = self else { return None };
        let code = if code.may_be_sent() { code } else { CloseCode::UNSUPPORTED_DATA };
        Some(CloseFrame::new(code, REASON))
    }
}
