//! Compression of messages: permessage-deflate (RFC 7692). DEFLATE itself (RFC 1951) is in the crate `ws-deflate`.
//!
//! ```text
//!  Deflate ─► offer ─► Sec-WebSocket-Extensions ─► accept ─► DeflateParams ─► Connection::set_deflate
//!             confirm ◄───────────────────────────────┘
//! ```
//!
//! A client offers parameters ([`Deflate::offer`]), a server accepts an offer ([`Deflate::accept`]), and the client checks the
//! answer ([`Deflate::confirm`]). Set the resulting [`DeflateParams`] on the [`Connection`](crate::Connection) before its
//! first byte. From then on, messages of at least [`threshold`](DeflateParams::threshold) bytes are compressed. Compressed
//! messages are inflated as they arrive, always within the connection's limits.
//!
//! # Memory
//!
//! No memory is allocated before the first compressed message. Without context takeover, none is kept between messages. With
//! it, a connection keeps, from the first compressed message in that direction on:
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
//! and 4 KiB more in each direction. After 10 s without a compressed message in a direction, a sender releases all of it, and its
//! next message refers to none before; a receiver keeps the window alone: 4 KiB at 12 bits, 32 KiB at 15.
//! While a message is received, the inflater takes 5 KiB, and its window with the newest
//! output takes up to 48 KiB. The memory of the message itself is not included.
//!
//! | file | content |
//! | --- | --- |
//! | `negotiate` | offers and answers (RFC 7692 §7.1) |
//! | `compressor`, `inflater` | messages, with or without context takeover (RFC 7692 §7.2) |
//! | `idle` | the time at which memory is released |
//! | `variants` | a message that is compressed once for many connections |

mod compressor;
mod idle;
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

/// The settings of permessage-deflate for one end. [`server`](Self::server) and [`client`](Self::client) have the defaults of
/// each role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deflate {
    /// The size of our compressor's window as a power of two: 8 to 15, for 256 bytes to 32 KiB. The peer may ask for less.
    pub send_window_bits: u8,
    /// The size of the peer's window as a power of two, 8 to 15. With context takeover, we keep as many received bytes. A server
    /// can ask for less than 15 only if the client allows it (`client_max_window_bits`). The window of another client is 15,
    /// and its messages are compressed without context takeover, so that no bytes are kept.
    pub receive_window_bits: u8,
    /// Whether our messages may refer to earlier ones (context takeover), unless the peer forbids it. They become smaller, and
    /// each connection needs memory.
    pub send_context_takeover: bool,
    /// Whether the peer's messages may refer to earlier ones. A server allows it only if the client's window fits
    /// [`receive_window_bits`](Self::receive_window_bits).
    ///
    /// Tornado 6.6.1, which Jupyter and Bokeh use, does not understand `false`. A server that asks for it closes the
    /// connection with 1007 at such a client's second compressed message; a client that asks for it cannot connect.
    pub receive_context_takeover: bool,
    /// The compression level, from 1 (fast) to 9 (small).
    pub level: u8,
    /// The memory of the compressor besides its window, 1 to 9: 2 to the power of 8 + `mem_level` bytes.
    pub mem_level: u8,
    /// Messages shorter than this many bytes are not compressed, unless [`Compress::Always`] is asked for.
    pub threshold: usize,
}

impl Deflate {
    /// A server's defaults: windows of 12 bits (4 KiB), context takeover, and memory level 5. There is no context takeover when
    /// the client forbids it or cannot limit its window. With it, a connection keeps 32 KiB, and at most 40 KiB.
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

    /// A client's defaults: windows of 15 bits (32 KiB), or smaller ones if the server asks for them, and context takeover.
    pub const fn client() -> Self {
        Self { send_window_bits: 15, receive_window_bits: 15, ..Self::server() }
    }
}

const DEFAULT_LEVEL: u8 = 4;

/// In bytes. Short messages hardly become shorter, and compressing costs more than sending a few bytes.
const DEFAULT_THRESHOLD: usize = 64;

/// The negotiated parameters of permessage-deflate (RFC 7692 §7.1), and the settings of our compressor.
///
/// [`Deflate::accept`] and [`Deflate::confirm`] return them. For parameters that were negotiated elsewhere, start with
/// [`new`](Self::new) and set the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeflateParams {
    /// The size of our compressor's window as a power of two: 8 to 15, for 256 bytes to 32 KiB.
    pub send_window_bits: u8,
    /// The size of the peer's window as a power of two, 8 to 15. A reference to earlier bytes is refused with 1007.
    pub receive_window_bits: u8,
    /// Whether our messages refer to earlier ones (context takeover).
    pub send_context_takeover: bool,
    /// Whether the peer's messages may refer to earlier ones.
    pub receive_context_takeover: bool,
    /// As in [`Deflate::level`].
    pub level: u8,
    /// As in [`Deflate::mem_level`].
    pub mem_level: u8,
    /// As in [`Deflate::threshold`].
    pub threshold: usize,
}

impl DeflateParams {
    /// The parameters that result from `deflate` when the peer restricts nothing.
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

/// The choice whether a message is compressed. Without negotiated [`DeflateParams`] none is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compress {
    /// Compress from the threshold on. A message that does not become smaller may be sent uncompressed.
    #[default]
    Default,
    /// Compress a message of any length.
    Always,
    /// Do not compress: for data that is compressed already, and for secrets that must not be compressed together with data
    /// chosen by an attacker (RFC 7692 §8).
    Never,
}
