//! Compression of messages: permessage-deflate (RFC 7692). DEFLATE itself (RFC 1951) is in the crate `ws-deflate`.
//!
//! ```text
//!  Deflate ─► offer ─► Sec-WebSocket-Extensions ─► accept ─► DeflateParams ─► Connection::set_deflate
//!             confirm ◄───────────────────────────────┘
//! ```
//!
//! A client offers ([`Deflate::offer`]), a server chooses ([`Deflate::accept`]), the client checks what was chosen
//! ([`Deflate::confirm`]); what comes of it, [`DeflateParams`], is given to the [`Connection`](crate::Connection) before its
//! first byte. From then on messages that are long enough are compressed, and what comes in compressed is inflated as it
//! comes, within the connection's limits at every moment.
//!
//! # Memory
//!
//! Nothing is held before it is used. Without context takeover nothing is held between messages either. With it, a
//! connection keeps, from the first compressed message in that direction on:
//!
//! | window bits | receiving | sending, memory level 5 | sending, memory level 8 |
//! | --- | --- | --- | --- |
//! | 9 | 1 KiB | 10 KiB | 66 KiB |
//! | 10 | 2 KiB | 12 KiB | 68 KiB |
//! | 11 | 4 KiB | 16 KiB | 72 KiB |
//! | 12 | 8 KiB | 24 KiB | 80 KiB |
//! | 13 | 16 KiB | 40 KiB | 96 KiB |
//! | 14 | 32 KiB | 72 KiB | 128 KiB |
//! | 15 | 48 KiB | 136 KiB | 192 KiB |
//!
//! and 4 KiB more each way. While a message is being received the inflater takes 5 KiB, its window and what has just been
//! inflated up to 48 KiB, whatever is received; the message itself comes on top.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `negotiate` | offers and answers (RFC 7692 §7.1) |
//! | `compressor`, `inflater` | messages, with or without context takeover (RFC 7692 §7.2) |
//! | `variants` | a message that is compressed once for many connections |

mod compressor;
mod inflater;
#[cfg(feature = "handshake")]
mod negotiate;
mod variants;

use ws_deflate::Settings;

#[cfg(feature = "handshake")]
pub use self::negotiate::InvalidAnswer;

pub(crate) use self::compressor::MessageCompressor;
pub(crate) use self::inflater::MessageInflater;
pub(crate) use self::variants::{Compressed, Variants};

/// The reserved bit that the first frame of a compressed message has (RFC 7692 §6).
pub(crate) const RSV1: u8 = 0b100;

/// What an application wants of permessage-deflate. [`server`](Self::server) and [`client`](Self::client) give the
/// defaults of each role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deflate {
    /// How far back our compressor looks: 2 to the power of this many bytes, 8 to 15. The peer may ask for less.
    pub send_window_bits: u8,
    /// How far back the peer's compressor may look, and so what we keep of what was received: 8 to 15. A server can ask for
    /// less than 15 only of a client that says it can (`client_max_window_bits`). Another client's window is 15, and its
    /// messages are compressed each on its own, so that nothing is kept of them.
    pub receive_window_bits: u8,
    /// Whether our messages may look back on those before, unless the peer forbids it. It makes them smaller, and costs
    /// memory per connection.
    pub send_context_takeover: bool,
    /// The same for the peer's messages. A server allows it only where the client's window fits
    /// [`receive_window_bits`](Self::receive_window_bits).
    ///
    /// Tornado 6.6.1, which Jupyter and Bokeh use, does not understand `false`. A server that asks for it closes the
    /// connection with 1007 at such a client's second compressed message; a client that asks for it cannot connect.
    pub receive_context_takeover: bool,
    /// From 1, fast, to 9, small.
    pub level: u8,
    /// How much memory the compressor takes besides its window, 1 to 9: 2 to the power of 8 + this many bytes.
    pub mem_level: u8,
    /// Messages shorter than this many bytes are not compressed, unless [`Compress::Always`] is asked for.
    pub threshold: usize,
}

impl Deflate {
    /// A server's defaults: windows of 12 bits, context takeover unless the client forbids it or cannot limit its window,
    /// memory level 5. With takeover a connection keeps 32 KiB, and at most 40.
    pub const fn server() -> Self {
        Self {
            send_window_bits: 12,
            receive_window_bits: 12,
            send_context_takeover: true,
            receive_context_takeover: true,
            level: DEFAULT_LEVEL,
            mem_level: 5,
            threshold: DEFAULT_THRESHOLD,
        }
    }

    /// A client's defaults: windows of 15 bits, smaller ones when the server asks for them, and context takeover.
    pub const fn client() -> Self {
        Self { send_window_bits: 15, receive_window_bits: 15, ..Self::server() }
    }
}

const DEFAULT_LEVEL: u8 = 4;

/// Short messages hardly become shorter, and compressing costs more than sending a few bytes.
const DEFAULT_THRESHOLD: usize = 64;

/// What both sides have agreed on (RFC 7692 §7.1), and how to compress.
///
/// It comes from [`Deflate::accept`] or [`Deflate::confirm`]. For parameters that were negotiated elsewhere,
/// [`new`](Self::new) makes one, and its fields are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeflateParams {
    /// How far back our compressor looks: 2 to the power of this many bytes, 8 to 15.
    pub send_window_bits: u8,
    /// How far back the peer's compressor may look, 8 to 15. What looks back further is refused with 1007.
    pub receive_window_bits: u8,
    /// Whether our messages look back on those before.
    pub send_context_takeover: bool,
    /// Whether the peer's messages may.
    pub receive_context_takeover: bool,
    /// As in [`Deflate::level`].
    pub level: u8,
    /// As in [`Deflate::mem_level`].
    pub mem_level: u8,
    /// As in [`Deflate::threshold`].
    pub threshold: usize,
}

impl DeflateParams {
    /// What comes of a wish that the peer leaves as it is.
    pub const fn new(deflate: Deflate) -> Self {
        Self {
            send_window_bits: deflate.send_window_bits,
            receive_window_bits: deflate.receive_window_bits,
            send_context_takeover: deflate.send_context_takeover,
            receive_context_takeover: deflate.receive_context_takeover,
            level: deflate.level,
            mem_level: deflate.mem_level,
            threshold: deflate.threshold,
        }
    }

    fn settings(&self) -> Settings {
        Settings::new().window_bits(self.send_window_bits).level(self.level).memory_level(self.mem_level)
    }
}

/// Whether a message is compressed. Without [`DeflateParams`] none is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compress {
    /// When it is not shorter than the threshold. One that does not become smaller may go as it is.
    #[default]
    Default,
    /// Whatever its length.
    Always,
    /// Not at all: for what is compressed already, or must not be compressed together with what others can choose
    /// (RFC 7692 §8).
    Never,
}
