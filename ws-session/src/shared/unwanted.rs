//! Messages to an application that receives none.

use ws_proto::{CloseCode, CloseFrame};

use super::State;

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

impl State {
    /// So many messages have come that nobody will receive.
    #[cold]
    pub(crate) fn discard_unwanted(&mut self, messages: usize) {
        self.discarded += messages as u64;
        if messages == 0 || self.is_closing() {
            return;
        }
        if let Unwanted::Refuse(code) = self.unwanted {
            let code = if code.may_be_sent() { code } else { CloseCode::UNSUPPORTED_DATA };
            self.close_request = Some(Box::new(CloseFrame::new(code, REASON)));
            self.news = true;
        }
    }
}
