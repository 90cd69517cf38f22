//! Faults of the peer ([`Violation`]) and of the caller ([`SendError`], [`CloseError`]).

use core::fmt;

use crate::close::CloseCode;
use crate::rate::Rate;

/// A violation of the protocol or of a limit by the peer.
///
/// It is never returned as an `Err` of a [`Connection`](crate::Connection). The connection answers with a Close frame with
/// the [`close_code`](Self::close_code), and ends with [`Cause::Violation`](crate::Cause::Violation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A reserved bit without a negotiated extension that defines it (RFC 6455 §5.2).
    ReservedBits,
    /// A reserved opcode (RFC 6455 §5.2).
    ReservedOpcode(u8),
    /// A control frame that is not final (RFC 6455 §5.4).
    FragmentedControl,
    /// A control frame longer than 125 bytes (RFC 6455 §5.5).
    ControlTooLong,
    /// A client's frame that is not masked (RFC 6455 §5.1).
    Unmasked,
    /// A server's frame that is masked (RFC 6455 §5.1).
    Masked,
    /// A payload length in more bytes than needed (RFC 6455 §5.2).
    NonMinimalLength,
    /// A payload length of 2^63 or more (RFC 6455 §5.2).
    LengthTooLarge,
    /// A continuation frame outside a fragmented message (RFC 6455 §5.4).
    UnexpectedContinuation,
    /// A new message inside a fragmented one (RFC 6455 §5.4).
    UnfinishedMessage,
    /// A frame over [`Limits::frame`](crate::Limits::frame).
    FrameTooBig {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A message over [`Limits::message`](crate::Limits::message). The inflated size of a compressed message counts.
    MessageTooBig {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A message over [`Limits::streamed`](crate::Limits::streamed), which applies to messages in chunks.
    StreamTooBig {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A message in more frames than [`Limits::fragments`](crate::Limits::fragments).
    TooManyFragments {
        /// The limit, in frames.
        limit: u32,
    },
    /// More messages than [`Limits::message_rate`](crate::Limits::message_rate) allows.
    TooManyMessages {
        /// The limit, in messages and control frames.
        rate: Rate,
    },
    /// More bytes than [`Limits::byte_rate`](crate::Limits::byte_rate) allows.
    TooManyBytes {
        /// The limit, in bytes.
        rate: Rate,
    },
    /// Text that is not UTF-8 (RFC 6455 §8.1).
    InvalidUtf8,
    /// A compressed message that is not DEFLATE, ends too early, or refers to bytes before the agreed window (RFC 7692
    /// §7.2.2).
    CorruptData,
    /// A Close frame with a body of one byte (RFC 6455 §5.5.1).
    TruncatedCloseCode,
    /// A close code that must not be sent (RFC 6455 §7.4).
    InvalidCloseCode(u16),
    /// A close reason that is not UTF-8 (RFC 6455 §5.5.1, §8.1).
    InvalidCloseReason,
}

impl Violation {
    /// The close code of our answer: 1002, 1007, 1008 or 1009 (RFC 6455 §7.4.1).
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::FrameTooBig { .. }
            | Self::MessageTooBig { .. }
            | Self::StreamTooBig { .. }
            | Self::TooManyFragments { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::TooManyMessages { .. } | Self::TooManyBytes { .. } => CloseCode::POLICY_VIOLATION,
            Self::InvalidUtf8 | Self::InvalidCloseReason | Self::CorruptData => CloseCode::INVALID_DATA,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits => f.write_str("reserved bit set without an extension"),
            Self::ReservedOpcode(opcode) => write!(f, "reserved opcode 0x{opcode:X}"),
            Self::FragmentedControl => f.write_str("fragmented control frame"),
            Self::ControlTooLong => f.write_str("control frame longer than 125 bytes"),
            Self::Unmasked => f.write_str("client frame not masked"),
            Self::Masked => f.write_str("server frame masked"),
            Self::NonMinimalLength => f.write_str("frame length not in its shortest form"),
            Self::LengthTooLarge => f.write_str("frame length of 2^63 or more"),
            Self::UnexpectedContinuation => f.write_str("continuation frame without a message to continue"),
            Self::UnfinishedMessage => f.write_str("new message before the fragmented one was finished"),
            Self::FrameTooBig { limit } => write!(f, "frame over the receiver's limit of {limit} bytes (limits.frame)"),
            Self::MessageTooBig { limit } => {
                write!(f, "message over the receiver's limit of {limit} bytes (limits.message)")
            }
            Self::StreamTooBig { limit } => {
                write!(f, "streamed message over the receiver's limit of {limit} bytes (limits.streamed)")
            }
            Self::TooManyFragments { limit } => {
                write!(f, "message over the receiver's limit of {limit} fragments (limits.fragments)")
            }
            Self::TooManyMessages { rate } => {
                write!(f, "messages over the receiver's limit of {rate} (limits.message_rate)")
            }
            Self::TooManyBytes { rate } => write!(f, "bytes over the receiver's limit of {rate} (limits.byte_rate)"),
            Self::InvalidUtf8 => f.write_str("text is not UTF-8"),
            Self::CorruptData => f.write_str("corrupt compressed message"),
            Self::TruncatedCloseCode => f.write_str("Close frame with one byte of body"),
            Self::InvalidCloseCode(code) => write!(f, "close code {code} must not be sent"),
            Self::InvalidCloseReason => f.write_str("close reason is not UTF-8"),
        }
    }
}

impl core::error::Error for Violation {}

/// An error of sending. Nothing was queued, and the error holds the message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError<M> {
    /// A Close frame has been sent, or the connection has ended. Nothing may follow (RFC 6455 §5.5.1).
    Closed(M),
    /// The outgoing queue is full ([`Limits::hard_cap`](crate::Limits::hard_cap)), or too many pings are unanswered.
    Full(M),
    /// A fragmented message has been begun, and this is not its next fragment (RFC 6455 §5.4).
    Unfinished(M),
}

impl<M> SendError<M> {
    /// The message that was not sent.
    pub fn into_message(self) -> M {
        match self {
            Self::Closed(message) | Self::Full(message) | Self::Unfinished(message) => message,
        }
    }

    /// Converts the message inside the error.
    pub fn map<N>(self, into: impl FnOnce(M) -> N) -> SendError<N> {
        match self {
            Self::Closed(message) => SendError::Closed(into(message)),
            Self::Full(message) => SendError::Full(into(message)),
            Self::Unfinished(message) => SendError::Unfinished(into(message)),
        }
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed(_) => "the connection is closing",
            Self::Full(_) => "the outgoing queue is at its cap (limits.hard_cap)",
            Self::Unfinished(_) => "a fragmented message is being sent",
        })
    }
}

impl<M: fmt::Debug> core::error::Error for SendError<M> {}

/// An error of closing: this close code must not be sent (RFC 6455 §7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseError(pub CloseCode);

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "close code {} must not be sent", self.0)
    }
}

impl core::error::Error for CloseError {}
