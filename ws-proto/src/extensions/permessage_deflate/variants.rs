//! The compressed forms of a message that many connections share.

use alloc::vec::Vec;

use bytes::Bytes;
use ws_deflate::{Compressor, Settings, TAIL};

use super::{DeflateParams, RSV1};
use crate::frame::{FrameHeader, codec};
use crate::message::Message;

/// The compressed forms of one message, one for each of the connections' settings.
#[derive(Debug, Default)]
pub(crate) struct Variants {
    #[cfg(feature = "std")]
    all: std::sync::Mutex<Vec<Variant>>,
}

#[cfg(feature = "std")]
#[derive(Debug)]
struct Variant {
    settings: Settings,
    compressed: Option<Compressed>,
}

/// A compressed message.
#[derive(Clone, Debug)]
pub(crate) struct Compressed {
    /// The header and the payload as a server sends them.
    pub(crate) frame: Bytes,
    /// The payload alone. It shares the frame's memory.
    pub(crate) payload: Bytes,
}

impl Variants {
    /// The compressed form for a connection with these parameters. `None` when it is not smaller.
    #[cfg(feature = "std")]
    pub(crate) fn get(&self, message: &Message, agreed: &DeflateParams) -> Option<Compressed> {
        let settings = agreed.settings();
        // Nothing that is done under this lock can fail half way.
        let mut all = self.all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(variant) = all.iter().find(|variant| variant.settings == settings) {
            return variant.compressed.clone();
        }
        let compressed = compress(message, settings);
        all.push(Variant { settings, compressed: compressed.clone() });
        compressed
    }

    /// The compressed form for a connection with these parameters. `None` when it is not smaller.
    #[cfg(not(feature = "std"))]
    pub(crate) fn get(&self, message: &Message, agreed: &DeflateParams) -> Option<Compressed> {
        compress(message, agreed.settings())
    }
}

/// Compresses a message. `None` when the result is not smaller.
fn compress(message: &Message, settings: Settings) -> Option<Compressed> {
    let payload = message.as_bytes();
    let mut out = Vec::with_capacity(payload.len() / 2 + 64);
    Compressor::for_message(payload.len(), settings).compress(payload, &mut out);
    out.truncate(out.len() - TAIL.len());
    if out.len() >= payload.len() {
        return None;
    }
    let header = FrameHeader { rsv: RSV1, ..FrameHeader::new(message.kind().opcode(), out.len() as u64) };
    let frame = codec::frame(&header, &out);
    Some(Compressed { payload: frame.slice(frame.len() - out.len()..), frame })
}
