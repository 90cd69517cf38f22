//! Frames (RFC 6455 §5.2).

pub mod coding;

#[expect(clippy::module_inception, reason = "the frame itself, beside its codes and its text")]
mod frame;
mod socket;
mod utf8;

pub use self::frame::{CloseFrame, Frame, FrameHeader};
pub use self::socket::FrameSocket;
pub use self::utf8::Utf8Bytes;
