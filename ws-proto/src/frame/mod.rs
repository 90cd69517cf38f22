//! Frame headers (RFC 6455 §5.2). [`codec`] encodes and decodes them, and [`mask`] masks payloads.

pub mod codec;
pub mod mask;

/// The opcode of a frame (RFC 6455 §5.2, §11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpCode {
    /// The next fragment of a message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// A ping.
    Ping = 0x9,
    /// A pong.
    Pong = 0xA,
}

impl OpCode {
    /// Reads the low four bits of a frame's first byte; `None` for a reserved opcode.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits & 0x0F {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Whether it is a control frame: Close, Ping or Pong (RFC 6455 §5.5).
    pub const fn is_control(self) -> bool {
        self as u8 & 0x08 != 0
    }
}

/// A decoded frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether the frame ends its message.
    pub fin: bool,
    /// The three reserved bits, RSV1 the highest: 0b100, RSV2 0b010, RSV3 0b001.
    pub rsv: u8,
    /// The opcode.
    pub opcode: OpCode,
    /// The masking key, when the payload is masked.
    pub mask: Option<[u8; 4]>,
    /// The payload's length in bytes, below 2^63.
    pub len: u64,
}

impl FrameHeader {
    /// The maximum size of an encoded header, in bytes.
    pub const MAX_SIZE: usize = 14;

    /// The header of a final frame without reserved bits.
    pub const fn new(opcode: OpCode, len: u64) -> Self {
        Self { fin: true, rsv: 0, opcode, mask: None, len }
    }
}
