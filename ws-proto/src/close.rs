//! Close codes (RFC 6455 §7.4) and Close frames.

use core::fmt;

use bytestring::ByteString;

use crate::escaped::Escaped;

/// A close code (RFC 6455 §7.4.1 and the IANA registry).
///
/// Three codes are never sent: [`NO_STATUS`](Self::NO_STATUS), [`ABNORMAL`](Self::ABNORMAL) and
/// [`TLS_HANDSHAKE`](Self::TLS_HANDSHAKE) describe an end locally.
///
/// Not every peer knows the codes that were registered after RFC 6455, 1012 to 1014. These treat 1012 as a protocol error
/// (measured in 2026): libwebsockets 4.1, Qt 6, libsoup 3.2, Tomcat 10.1, OkHttp 3.13, faye-websocket on Ruby and Node,
/// lua-http 0.4, ws4py 0.6 and eventlet 0.41. Their applications see 1002 or an error, and the answer to the Close frame is
/// 1002. uWebSockets 20 answers 1012 and 3000 without a code. No client refused 3000 or 4999. Where such peers may
/// connect, close with [`GOING_AWAY`](Self::GOING_AWAY), [`INTERNAL_ERROR`](Self::INTERNAL_ERROR) or an application code
/// from 4000 to 4999.
///
/// A code does not tell every client whether to reconnect. The clients of graphql-ws, Phoenix, SignalR and Centrifuge reconnect
/// after 1000; [`INTERNAL_ERROR`](Self::INTERNAL_ERROR) is fatal to graphql-ws. `docs/peers.md` in the repository has
/// the versions, and what ends their subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server shuts down, or a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a message of a kind that the endpoint does not accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005, internal: the Close frame held no code.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006, internal: the connection ended without a Close frame.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: payload that contradicts the message's type, such as text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a policy was violated.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message is too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client requires an extension that the server did not negotiate.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition on the endpoint.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts. [Some peers](Self) take it for a protocol error.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; try again later. [Some peers](Self) take it for a protocol error.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid response upstream. [Some peers](Self) take it for a protocol error.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015, internal: the TLS handshake failed.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Whether the code may stand in a Close frame (RFC 6455 §7.4.1, §7.4.2): 1000–1003, 1007–1014, 3000–4999.
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Whether the code reports no error: 1000, 1001, or no code at all.
    pub const fn is_normal(self) -> bool {
        matches!(self.0, 1000 | 1001 | 1005)
    }

    /// The meaning of the code in two or three words. Empty for an undefined code.
    pub const fn meaning(self) -> &'static str {
        match self.0 {
            1000 => "OK",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1005 => "no status received [internal]",
            1006 => "abnormal closure [internal]",
            1007 => "invalid frame payload data",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "mandatory extension",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS handshake failure [internal]",
            3000..=3999 => "registered",
            4000..=4999 => "private use",
            _ => "",
        }
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl PartialEq<u16> for CloseCode {
    fn eq(&self, code: &u16) -> bool {
        self.0 == *code
    }
}

impl PartialEq<CloseCode> for u16 {
    fn eq(&self, code: &CloseCode) -> bool {
        *self == code.0
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            "" => write!(f, "{}", self.0),
            meaning => write!(f, "{} ({meaning})", self.0),
        }
    }
}

/// The content of a Close frame (RFC 6455 §5.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// The code; [`CloseCode::NO_STATUS`] for a Close frame without a body.
    pub code: CloseCode,
    /// The reason, for people who read a log: at most [`CloseFrame::MAX_REASON`] bytes on the wire. A peer's reason may hold
    /// line ends and escape sequences: show it [`Escaped`].
    pub reason: ByteString,
}

impl CloseFrame {
    /// The maximum length of a reason, in bytes: 125 for a control frame, less 2 for the code (RFC 6455 §5.5).
    pub const MAX_REASON: usize = 123;

    /// A Close frame without a code and a reason.
    pub const EMPTY: Self = Self { code: CloseCode::NO_STATUS, reason: ByteString::new() };

    /// A Close frame with a code and a reason. A reason over [`MAX_REASON`](Self::MAX_REASON) bytes is cut at a character
    /// boundary.
    pub fn new(code: CloseCode, reason: impl Into<ByteString>) -> Self {
        let reason: ByteString = reason.into();
        let mut end = reason.len().min(Self::MAX_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        match reason.get(..end) {
            Some(cut) if end < reason.len() => Self { code, reason: cut.into() },
            _ => Self { code, reason },
        }
    }

    /// Whether the frame has no body.
    pub fn is_empty(&self) -> bool {
        self.code == CloseCode::NO_STATUS
    }
}

/// Writes the code and, if there is one, the [escaped](Escaped) reason.
impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.is_empty() {
            true => write!(f, "{}", self.code),
            false => write!(f, "{} {}", self.code, Escaped(&self.reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let reason = "é".repeat(62); // 124 bytes
        assert_eq!(CloseFrame::new(CloseCode::NORMAL, reason.as_str()).reason, "é".repeat(61).as_str());
        assert_eq!(CloseFrame::new(CloseCode::NORMAL, "x".repeat(123)).reason.len(), 123);
        assert_eq!(CloseFrame::new(CloseCode::NORMAL, "x".repeat(124)).reason.len(), 123);
    }

    #[test]
    fn codes_print_their_names() {
        assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001 (going away)");
        assert_eq!(CloseCode::from(4001).to_string(), "4001 (private use)");
        assert_eq!(CloseCode::from(3000).to_string(), "3000 (registered)");
        assert_eq!(CloseCode::from(2999).to_string(), "2999");
        assert!(CloseCode::NORMAL == 1000 && 1001 == CloseCode::GOING_AWAY && CloseCode::NORMAL != 1001);
    }

    #[test]
    fn codes_that_may_travel() {
        let travel = (0..=u16::MAX).filter(|&code| CloseCode::from(code).may_be_sent()).count();
        assert_eq!(travel, 4 + 8 + 2000);
        for code in [999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
            assert!(!CloseCode::from(code).may_be_sent(), "{code}");
        }
    }
}
