//! Outcomes of connections.

use alloc::boxed::Box;
use core::fmt;

use crate::close::{CloseCode, CloseFrame};
use crate::error::Violation;

/// The outcome of a connection: its Close frames, and the cause of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The Close frame we sent, if any. `None` also when the transport ended before it had taken all of a queued one.
    pub sent: Option<CloseFrame>,
    /// The Close frame the peer sent, if any. A [malformed](Self::malformed) frame is reported as far as it can be read: an
    /// invalid code unchanged, and a reason with U+FFFD in place of bytes that are not UTF-8.
    pub received: Option<CloseFrame>,
    /// The raw body of the peer's Close frame, at most 125 bytes, when the frame is malformed (RFC 6455 §5.5.1, §7.4): one
    /// byte, a code that must not be sent, or a reason that is not UTF-8. Such a frame is a
    /// [`Violation`](Cause::Violation), unless it answers our Close frame: any Close frame completes the closing handshake.
    pub malformed: Option<Box<[u8]>>,
    /// The cause of the end.
    pub cause: Cause,
}

impl Outcome {
    /// An outcome with these Close frames and a well-formed frame of the peer's. For tests of code that handles outcomes.
    pub const fn new(sent: Option<CloseFrame>, received: Option<CloseFrame>, cause: Cause) -> Self {
        Self { sent, received, malformed: None, cause }
    }

    /// The connection's close code (RFC 6455 §7.1.5): the code in the peer's Close frame. 1005 when that frame has no code,
    /// and 1006 when no Close frame was received.
    pub fn code(&self) -> CloseCode {
        self.received.as_ref().map_or(CloseCode::ABNORMAL, |frame| frame.code)
    }

    /// The connection's close reason (RFC 6455 §7.1.6): the reason in the peer's Close frame, or empty. Show it
    /// [`Escaped`](crate::Escaped).
    pub fn reason(&self) -> &str {
        self.received.as_ref().map_or("", |frame| &frame.reason)
    }

    /// The side that ended the connection. See [`Cause::closed_by`].
    pub fn closed_by(&self) -> ClosedBy {
        self.cause.closed_by()
    }

    /// Whether the peer's Close frame was received and neither end reported an error of the other (RFC 6455 §7.1.4).
    ///
    /// [`sent`](Self::sent) may be `None` even so: a peer that closes the transport right after its Close frame cannot be
    /// answered.
    pub fn is_clean(&self) -> bool {
        self.received.is_some() && matches!(self.cause, Cause::Local | Cause::Peer)
    }

    /// Whether the end is [clean](Self::is_clean) and no Close frame reports an error: see [`CloseCode::is_normal`].
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

/// The cause of a connection's end.
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
    /// An incomplete message made no progress ([`Deadlines::message_progress`](crate::Deadlines::message_progress)).
    MessageTimeout,
    /// The transport took no bytes for too long ([`Deadlines::write_stall`](crate::Deadlines::write_stall)).
    WriteStall,
    /// The peer did not answer our Close in time ([`Deadlines::close`](crate::Deadlines::close)).
    CloseTimeout,
    /// The transport ended without a Close frame.
    Eof,
    /// The transport ended after our Close frame had been written, and the peer sent none. Some peers end the transport
    /// instead of an answer. Whether such a peer has read the messages before our Close frame is unknown.
    Unanswered,
    /// The transport failed.
    TransportFailed,
    /// The application aborted the connection.
    Aborted,
}

impl Cause {
    /// The side that ended the connection. [`ClosedBy::Us`] includes the ends that the peer is to blame for, such as a
    /// violation or a missing pong.
    pub const fn closed_by(&self) -> ClosedBy {
        match self {
            Self::Local
            | Self::Violation(_)
            | Self::KeepaliveTimeout
            | Self::MessageTimeout
            | Self::WriteStall
            | Self::CloseTimeout
            | Self::Unanswered
            | Self::Aborted => ClosedBy::Us,
            Self::Peer | Self::Eof => ClosedBy::Peer,
            Self::TransportFailed => ClosedBy::Transport,
        }
    }
}

/// The side that ended a connection: it closed first, or gave the connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ClosedBy {
    /// This end.
    Us,
    /// The peer: by a Close frame, or by the end of the transport without one.
    Peer,
    /// Neither: the transport failed.
    Transport,
}

impl fmt::Display for ClosedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Us => "us",
            Self::Peer => "peer",
            Self::Transport => "transport",
        })
    }
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
            Self::Unanswered => "the transport ended without an answer to our Close frame",
            Self::TransportFailed => "the transport failed",
            Self::Aborted => "aborted by us",
        })
    }
}
