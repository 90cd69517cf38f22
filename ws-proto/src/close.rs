//! Close codes (RFC 6455 §7.4), the Close frame's content, and how a connection ended.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use bytestring::ByteString;

use crate::error::Violation;
use crate::escaped::Escaped;

/// A close code (RFC 6455 §7.4.1 and the IANA registry).
///
/// Three codes never travel: [`NO_STATUS`](Self::NO_STATUS), [`ABNORMAL`](Self::ABNORMAL) and
/// [`TLS_HANDSHAKE`](Self::TLS_HANDSHAKE) only say locally what happened.
///
/// Not every peer knows the codes that were registered after RFC 6455, 1012 to 1014. These treat 1012 as a protocol error
/// (measured in 2026): libwebsockets 4.1, Qt 6, libsoup 3.2, Tomcat 10.1, OkHttp 3.13, faye-websocket on Ruby and Node,
/// lua-http 0.4, ws4py 0.6 and eventlet 0.41. Their applications see 1002 or an error, and the answer to the Close frame is
/// 1002. uWebSockets 20 answers 1012 and 3000 without a code. No client refused 3000 or 4999. So where such peers
/// may connect, close with [`GOING_AWAY`](Self::GOING_AWAY), [`INTERNAL_ERROR`](Self::INTERNAL_ERROR) or a code of your
/// own from 4000 on.
///
/// A code does not tell every client whether to come back. Those of graphql-ws, Phoenix, SignalR and Centrifuge reconnect
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
    /// 1003: a kind of data that cannot be accepted.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005, internal: the Close frame held no code.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006, internal: the connection ended without a Close frame.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that contradicts the message's type, such as text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a policy was violated.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message is too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client wanted an extension that the server did not negotiate.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition prevents going on.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts. [Some peers](Self) take it for a protocol error.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: overloaded; try again later. [Some peers](Self) take it for a protocol error.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid response upstream. [Some peers](Self) take it for a protocol error.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015, internal: the TLS handshake failed.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Whether the code may stand in a Close frame (RFC 6455 §7.4.1, §7.4.2): 1000–1003, 1007–1014, 3000–4999.
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Whether the code says that all went well: 1000, 1001, or no code at all.
    pub const fn is_normal(self) -> bool {
        matches!(self.0, 1000 | 1001 | 1005)
    }

    /// What the code means, in two or three words; empty where nobody has defined it.
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

/// What a Close frame says (RFC 6455 §5.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// The code; [`CloseCode::NO_STATUS`] for a Close frame without a body.
    pub code: CloseCode,
    /// Why, for people to read in a log; at most [`CloseFrame::MAX_REASON`] bytes on the wire. A peer's may hold line ends
    /// and escape sequences: show it [`Escaped`].
    pub reason: ByteString,
}

impl CloseFrame {
    /// The most bytes a reason has: what a control frame holds, less the code (RFC 6455 §5.5).
    pub const MAX_REASON: usize = 123;

    /// A Close frame without code and reason.
    pub const EMPTY: Self = Self { code: CloseCode::NO_STATUS, reason: ByteString::new() };

    /// A code and a reason; a reason over [`MAX_REASON`](Self::MAX_REASON) bytes is cut at a character boundary.
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

/// The code and, where there is one, the reason, [escaped](Escaped).
impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.is_empty() {
            true => write!(f, "{}", self.code),
            false => write!(f, "{} {}", self.code, Escaped(&self.reason)),
        }
    }
}

/// A Close frame of the peer's.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) frame: CloseFrame,
    /// What is wrong with it, and all of its body.
    pub(crate) fault: Option<(Violation, Box<[u8]>)>,
}

impl Received {
    /// Reads a Close frame's body (RFC 6455 §5.5.1, §7.4).
    pub(crate) fn parse(body: &[u8]) -> Self {
        let Some((code, reason)) = body.split_first_chunk::<2>() else {
            let fault = (!body.is_empty()).then(|| (Violation::TruncatedCloseCode, body.into()));
            return Self { frame: CloseFrame::EMPTY, fault };
        };
        let code = CloseCode::from(u16::from_be_bytes(*code));
        let utf8 = core::str::from_utf8(reason);
        let fault = match utf8 {
            _ if !code.may_be_sent() => Some(Violation::InvalidCloseCode(code.0)),
            Err(_) => Some(Violation::InvalidCloseReason),
            Ok(_) => None,
        };
        let reason = utf8.map_or_else(|_| String::from_utf8_lossy(reason).into_owned().into(), ByteString::from);
        Self { frame: CloseFrame { code, reason }, fault: fault.map(|violation| (violation, body.into())) }
    }
}

/// How a connection ended, or began to end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The Close frame we sent, if any. `None` when one was queued and the transport ended before it had taken it all.
    pub sent: Option<CloseFrame>,
    /// The Close frame the peer sent, if any. Of one against the rules, what can be read of it: a code that must not be
    /// sent as it is, and for what is not UTF-8 in the reason U+FFFD; see [`malformed`](Self::malformed).
    pub received: Option<CloseFrame>,
    /// The body of the peer's Close frame as it came, at most 125 bytes, when it was against the rules (RFC 6455 §5.5.1,
    /// §7.4): one byte, a code that must not be sent, a reason that is not UTF-8. Such a frame is a
    /// [`Violation`](Cause::Violation), unless it answers ours: then any ends the closing handshake.
    pub malformed: Option<Box<[u8]>>,
    /// What set it off.
    pub cause: Cause,
}

impl Outcome {
    /// An end with these Close frames, of which the peer's was as it should be. For tests of what is done with an outcome.
    pub const fn new(sent: Option<CloseFrame>, received: Option<CloseFrame>, cause: Cause) -> Self {
        Self { sent, received, malformed: None, cause }
    }

    /// The connection's close code (RFC 6455 §7.1.5): the peer's, whatever it is; 1005 when its Close frame held none, 1006
    /// when there was no Close frame.
    pub fn code(&self) -> CloseCode {
        self.received.as_ref().map_or(CloseCode::ABNORMAL, |frame| frame.code)
    }

    /// The connection's close reason (RFC 6455 §7.1.6): the peer's as it came, or empty. Show it [`Escaped`].
    pub fn reason(&self) -> &str {
        self.received.as_ref().map_or("", |frame| &frame.reason)
    }

    /// Whether the peer's Close frame came and neither side found fault with the other (RFC 6455 §7.1.4).
    ///
    /// Our own Close frame may be missing in [`sent`](Self::sent): a peer that lets go of TCP right after its Close frame
    /// cannot be answered, and has said all that it had to say.
    pub fn is_clean(&self) -> bool {
        self.received.is_some() && matches!(self.cause, Cause::Local | Cause::Peer)
    }

    /// Whether it is the end people expect: clean, and no Close frame says that something went wrong.
    pub fn is_normal(&self) -> bool {
        let normal = |frame: &Option<CloseFrame>| frame.as_ref().is_none_or(|frame| frame.code.is_normal());
        self.is_clean() && normal(&self.sent) && normal(&self.received)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        match &self.received {
            Some(frame) if self.malformed.is_some() => write!(f, "; received {frame}, against the protocol")?,
            Some(frame) => write!(f, "; received {frame}")?,
            None => write!(f, "; no Close frame received")?,
        }
        match &self.sent {
            Some(frame) => write!(f, "; sent {frame}"),
            None => write!(f, "; none sent"),
        }
    }
}

/// What set off the end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// We closed first.
    Local,
    /// The peer closed first.
    Peer,
    /// The peer broke the protocol or went over a limit.
    Violation(Violation),
    /// No pong came in time ([`Deadlines::pong`](crate::Deadlines::pong)).
    KeepaliveTimeout,
    /// A message stood still half-way ([`Deadlines::message_progress`](crate::Deadlines::message_progress)).
    MessageTimeout,
    /// The transport took no bytes for too long ([`Deadlines::write_stall`](crate::Deadlines::write_stall)).
    WriteStall,
    /// The peer did not answer our Close in time ([`Deadlines::close`](crate::Deadlines::close)).
    CloseTimeout,
    /// The transport ended without a Close frame.
    Eof,
    /// The transport ended after our Close frame had been written, without one of the peer's: some peers take it at its
    /// word and let go. Whether they have read what was sent before, nobody knows.
    Unanswered,
    /// The transport failed.
    TransportFailed,
    /// The application gave the connection up.
    Aborted,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "closed by us",
            Self::Peer => "closed by the peer",
            Self::Violation(violation) => return write!(f, "the peer broke the protocol: {violation}"),
            Self::KeepaliveTimeout => "keepalive ping timeout",
            Self::MessageTimeout => "a message did not arrive in time",
            Self::WriteStall => "the peer stopped reading",
            Self::CloseTimeout => "the peer did not answer our Close frame in time",
            Self::Eof => "the transport ended without a Close frame",
            Self::Unanswered => "ended without a Close after ours",
            Self::TransportFailed => "the transport failed",
            Self::Aborted => "aborted by us",
        })
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
