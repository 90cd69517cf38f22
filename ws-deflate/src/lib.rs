//! DEFLATE (RFC 1951) for messages, one after the other, with or without a view of those before.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `compress`, `blocks`, `huffman` | bytes to DEFLATE: matches, blocks, codes |
//! | `inflate` | DEFLATE to bytes |
//! | `codes` | what both share |

#![no_std]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

extern crate alloc;

mod blocks;
mod codes;
mod compress;
mod huffman;
mod inflate;

pub use self::compress::Compressor;
pub use self::inflate::{Corrupt, Inflater};

/// What follows every compressed message, an empty stored block's end, and is left out between two WebSocket peers
/// (RFC 7692 §7.2.1).
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
