//! Opcodes and close codes (RFC 6455 §5.2, §7.4).

use std::fmt;

/// The opcode of a frame (RFC 6455 §5.2).
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum OpCode {
    /// A data frame.
    Data(Data),
    /// A control frame.
    Control(Control),
}

/// The opcodes of data frames.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Data {
    /// 0x0: the next fragment of a message.
    Continue,
    /// 0x1: a text message, or its first fragment.
    Text,
    /// 0x2: a binary message, or its first fragment.
    Binary,
    /// 0x3 to 0x7, which are reserved.
    Reserved(u8),
}

/// The opcodes of control frames.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Control {
    /// 0x8: the closing handshake.
    Close,
    /// 0x9: a ping.
    Ping,
    /// 0xA: a pong.
    Pong,
    /// 0xB to 0xF, which are reserved.
    Reserved(u8),
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continue => f.write_str("CONTINUE"),
            Self::Text => f.write_str("TEXT"),
            Self::Binary => f.write_str("BINARY"),
            Self::Reserved(bits) => write!(f, "RESERVED_DATA_{bits}"),
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close => f.write_str("CLOSE"),
            Self::Ping => f.write_str("PING"),
            Self::Pong => f.write_str("PONG"),
            Self::Reserved(bits) => write!(f, "RESERVED_CONTROL_{bits}"),
        }
    }
}

impl fmt::Display for OpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(data) => data.fmt(f),
            Self::Control(control) => control.fmt(f),
        }
    }
}

impl From<OpCode> for u8 {
    fn from(opcode: OpCode) -> Self {
        match opcode {
            OpCode::Data(Data::Continue) => 0x0,
            OpCode::Data(Data::Text) => 0x1,
            OpCode::Data(Data::Binary) => 0x2,
            OpCode::Control(Control::Close) => 0x8,
            OpCode::Control(Control::Ping) => 0x9,
            OpCode::Control(Control::Pong) => 0xA,
            OpCode::Data(Data::Reserved(bits)) | OpCode::Control(Control::Reserved(bits)) => bits,
        }
    }
}

impl From<u8> for OpCode {
    /// # Panics
    ///
    /// When `bits` is above 15: an opcode has four bits.
    fn from(bits: u8) -> Self {
        match bits {
            0x0 => Self::Data(Data::Continue),
            0x1 => Self::Data(Data::Text),
            0x2 => Self::Data(Data::Binary),
            0x3..=0x7 => Self::Data(Data::Reserved(bits)),
            0x8 => Self::Control(Control::Close),
            0x9 => Self::Control(Control::Ping),
            0xA => Self::Control(Control::Pong),
            0xB..=0xF => Self::Control(Control::Reserved(bits)),
            _ => panic!("an opcode has four bits: {bits:#x}"),
        }
    }
}

/// A close code (RFC 6455 §7.4).
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
#[expect(clippy::manual_non_exhaustive, reason = "the variants are those that callers know")]
pub enum CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    Normal,
    /// 1001: a server shuts down, or a browser leaves the page.
    Away,
    /// 1002: the peer broke the protocol.
    Protocol,
    /// 1003: a message of a kind that the endpoint does not accept.
    Unsupported,
    /// 1005, never sent: the Close frame held no code.
    Status,
    /// 1006, never sent: the connection ended without a Close frame.
    Abnormal,
    /// 1007: payload that contradicts the message's type, such as text that is not UTF-8.
    Invalid,
    /// 1008: a policy was violated.
    Policy,
    /// 1009: a message is too big to process.
    Size,
    /// 1010: the client requires an extension that the server did not negotiate.
    Extension,
    /// 1011: an unexpected condition on the endpoint.
    Error,
    /// 1012: the service restarts.
    Restart,
    /// 1013: the service is overloaded; try again later.
    Again,
    /// 1015, never sent: the TLS handshake failed.
    #[doc(hidden)]
    Tls,
    /// 1016 to 2999, reserved for RFC 6455 and its extensions.
    #[doc(hidden)]
    Reserved(u16),
    /// 3000 to 3999, registered with IANA.
    #[doc(hidden)]
    Iana(u16),
    /// 4000 to 4999, for private use.
    #[doc(hidden)]
    Library(u16),
    /// A code that means nothing.
    #[doc(hidden)]
    Bad(u16),
}

impl CloseCode {
    /// Whether the code may stand in a Close frame.
    pub fn is_allowed(self) -> bool {
        !matches!(self, Self::Bad(_) | Self::Reserved(_) | Self::Status | Self::Abnormal | Self::Tls)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        u16::from(*self).fmt(f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        match code {
            CloseCode::Normal => 1000,
            CloseCode::Away => 1001,
            CloseCode::Protocol => 1002,
            CloseCode::Unsupported => 1003,
            CloseCode::Status => 1005,
            CloseCode::Abnormal => 1006,
            CloseCode::Invalid => 1007,
            CloseCode::Policy => 1008,
            CloseCode::Size => 1009,
            CloseCode::Extension => 1010,
            CloseCode::Error => 1011,
            CloseCode::Restart => 1012,
            CloseCode::Again => 1013,
            CloseCode::Tls => 1015,
            CloseCode::Reserved(code) | CloseCode::Iana(code) | CloseCode::Library(code) | CloseCode::Bad(code) => code,
        }
    }
}

impl From<&CloseCode> for u16 {
    fn from(code: &CloseCode) -> Self {
        Self::from(*code)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        match code {
            1000 => Self::Normal,
            1001 => Self::Away,
            1002 => Self::Protocol,
            1003 => Self::Unsupported,
            1005 => Self::Status,
            1006 => Self::Abnormal,
            1007 => Self::Invalid,
            1008 => Self::Policy,
            1009 => Self::Size,
            1010 => Self::Extension,
            1011 => Self::Error,
            1012 => Self::Restart,
            1013 => Self::Again,
            1015 => Self::Tls,
            1016..=2999 => Self::Reserved(code),
            3000..=3999 => Self::Iana(code),
            4000..=4999 => Self::Library(code),
            _ => Self::Bad(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_their_numbers() {
        for code in 0..=u16::MAX {
            assert_eq!(u16::from(CloseCode::from(code)), code);
            let core = ws_proto::CloseCode::from(code).may_be_sent();
            // 1014 was registered after the names were given.
            assert_eq!(CloseCode::from(code).is_allowed(), core && code != 1014, "{code}");
        }
        for bits in 0..16 {
            assert_eq!(u8::from(OpCode::from(bits)), bits);
        }
    }
}
