//! A message compressed once for many connections.

use alloc::vec::Vec;

use bytes::Bytes;
use ws_deflate::{Compressor, TAIL};

use super::{Agreed, RSV1};
use crate::frame::FrameHeader;
use crate::message::Message;
use crate::prepared::encode;
use crate::send::opcode_of;

/// The compressed forms of one message: one for each way of compressing that connections ask for. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variants {
    #[cfg(feature = "handshake")]
    shared: std::sync::Arc<std::sync::Mutex<Vec<Variant>>>,
}

#[cfg(feature = "handshake")]
#[derive(Clone, Debug)]
struct Variant {
    way: Way,
    compressed: Option<Compressed>,
}

/// What the bytes of a compressed message depend on, when it looks back on nothing before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    window_bits: u8,
    level: u8,
    mem_level: u8,
}

/// A compressed message.
#[derive(Clone, Debug)]
pub(crate) struct Compressed {
    /// Header and payload as a server sends them,
    pub(crate) frame: Bytes,
    /// and the payload alone. It shares the frame's memory.
    pub(crate) payload: Bytes,
}

impl Variants {
    /// The message as this connection sends it; `None` when it does not become smaller.
    #[cfg(feature = "handshake")]
    pub(crate) fn get(&self, message: &Message, agreed: &Agreed) -> Option<Compressed> {
        let way = Way::of(agreed);
        // Nothing that is done under this lock can fail half way.
        let mut all = self.shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(variant) = all.iter().find(|variant| variant.way == way) {
            return variant.compressed.clone();
        }
        let compressed = way.compress(message);
        all.push(Variant { way, compressed: compressed.clone() });
        compressed
    }

    /// The message as this connection sends it; `None` when it does not become smaller.
    #[cfg(not(feature = "handshake"))]
    pub(crate) fn get(&self, message: &Message, agreed: &Agreed) -> Option<Compressed> {
        Way::of(agreed).compress(message)
    }
}

impl Way {
    fn of(agreed: &Agreed) -> Self {
        Self { window_bits: agreed.send_window_bits, level: agreed.level, mem_level: agreed.mem_level }
    }

    fn compress(self, message: &Message) -> Option<Compressed> {
        let payload = message.as_bytes();
        let mut out = Vec::with_capacity(payload.len() / 2 + 64);
        Compressor::for_one(payload.len(), self.window_bits, self.level, self.mem_level).compress(payload, &mut out);
        out.truncate(out.len() - TAIL.len());
        if out.len() >= payload.len() {
            return None;
        }
        let header = FrameHeader { rsv: RSV1, ..FrameHeader::new(opcode_of(message.kind()), out.len() as u64) };
        let frame = encode(&header, &out);
        Some(Compressed { payload: frame.slice(frame.len() - out.len()..), frame })
    }
}
