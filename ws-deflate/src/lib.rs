//! DEFLATE (RFC 1951) for streams of short messages, such as those of WebSocket's permessage-deflate (RFC 7692).
//!
//! A [`Compressor`] turns each message into DEFLATE data that can be inflated without waiting for the next message. An
//! [`Inflater`] takes the data in pieces of any size, and stops at an output limit that the caller sets. Messages are
//! independent, or refer to earlier ones (*context takeover*). The crate is `no_std` and needs `alloc`.
//!
//! # An independent message
//!
//! ```
//! use ws_deflate::{Compressor, Inflater, Settings, TAIL};
//!
//! # fn main() -> Result<(), ws_deflate::Corrupt> {
//! let message = br#"{"id":1,"name":"alice"},{"id":2,"name":"bob"},{"id":3,"name":"carol"}"#;
//! let mut data = Vec::new();
//! Compressor::for_message(message.len(), Settings::new()).compress(message, &mut data);
//! // Every message ends with these four bytes. permessage-deflate omits them.
//! data.truncate(data.len() - TAIL.len());
//! assert!(data.len() < message.len());
//!
//! const LIMIT: usize = 1 << 20;
//! let mut inflater = Inflater::new(15);
//! let (mut input, mut inflated) = (data.as_slice(), Vec::new());
//! inflater.inflate(&mut input, &mut inflated, LIMIT)?;
//! assert!(input.is_empty(), "what is left would inflate to more than the limit");
//! inflater.finish(&mut inflated)?;
//! assert_eq!(inflated, message);
//! # Ok(())
//! # }
//! ```
//!
//! # Messages that refer to earlier ones
//!
//! The compressor keeps its own history. The inflater's history is the vector to which it appends. The caller decides how much
//! of it to keep: at least the window.
//!
//! ```
//! use ws_deflate::{Compressor, Inflater, Settings};
//!
//! # fn main() -> Result<(), ws_deflate::Corrupt> {
//! const WINDOW_BITS: u8 = 12;
//! let mut compressor = Compressor::new(Settings::new().window_bits(WINDOW_BITS).memory_level(5));
//! let mut inflater = Inflater::new(WINDOW_BITS);
//! let mut window = Vec::new();
//! let mut sizes = Vec::new();
//! for message in ["temperature 21.5 in the living room", "temperature 21.6 in the living room"] {
//!     let mut data = Vec::new();
//!     compressor.compress(message.as_bytes(), &mut data);
//!     sizes.push(data.len());
//!
//!     // Nothing refers to bytes before the window any more.
//!     window.drain(..window.len().saturating_sub(1 << WINDOW_BITS));
//!     let start = window.len();
//!     let mut input = data.as_slice();
//!     inflater.inflate(&mut input, &mut window, 1 << 20)?;
//!     inflater.finish(&mut window)?;
//!     assert_eq!(&window[start..], message.as_bytes());
//! }
//! assert!(sizes[1] < sizes[0]);
//! # Ok(())
//! # }
//! ```
//!
//! # Where things are
//!
//! | module | content |
//! | --- | --- |
//! | `settings` | the settings of a compressor |
//! | `compress`, `blocks`, `encode_table` | bytes to DEFLATE: matches, blocks, codes |
//! | `inflate` | DEFLATE to bytes |
//! | `codes` | the symbols of RFC 1951, which both share |

#![no_std]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

extern crate alloc;

mod blocks;
mod codes;
mod compress;
mod encode_table;
mod inflate;
mod settings;

pub use self::compress::Compressor;
pub use self::inflate::{Corrupt, Inflater};
pub use self::settings::Settings;

/// The last four bytes of every compressed message: those of an empty stored block (RFC 1951 §3.2.4) without its header.
///
/// permessage-deflate omits them on the wire (RFC 7692 §7.2.1). [`Inflater::finish`] replaces them.
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The programs in the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
