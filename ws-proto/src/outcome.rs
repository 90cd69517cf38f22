//! How a connection ended.

use alloc::boxed::Box;
use core::fmt;

use crate::close::{CloseCode, CloseFrame};
use crate::error::Violation;

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

    /// The connection's close reason (RFC 6455 §7.1.6): the peer's as it came, or empty. Show it [`Escaped`](crate::Escaped).
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
