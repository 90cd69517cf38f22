//! The sending side of permessage-deflate (RFC 7692 §7.2.1).

use alloc::boxed::Box;
use alloc::vec::Vec;

use ws_deflate::{Compressor, TAIL};

use super::idle::Idle;
use super::{Compress, Compressed, DeflateParams, Variants};
use crate::message::Message;
use crate::time::Timestamp;

/// Compresses messages. It keeps a compressor between two messages only with context takeover.
#[derive(Debug)]
pub(crate) struct MessageCompressor {
    agreed: DeflateParams,
    compressor: Option<Box<Compressor>>,
    /// Whether the current fragmented message is compressed.
    in_message: bool,
    idle: Idle,
    /// The bytes that were compressed, before and after.
    uncompressed: u64,
    compressed: u64,
}

impl MessageCompressor {
    pub(crate) fn new(agreed: DeflateParams) -> Self {
        Self { agreed, compressor: None, in_message: false, idle: Idle::default(), uncompressed: 0, compressed: 0 }
    }

    /// The size of what was sent compressed: with compression, and without.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.compressed, self.uncompressed)
    }

    /// Releases all memory: nothing more is compressed.
    pub(crate) fn release(&mut self) {
        self.compressor = None;
    }

    /// The time at which memory is released, after a round of I/O.
    pub(crate) fn idle_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.idle.poll(now)
    }

    /// Releases the memory if it was not used for long. Nothing obliges a sender to refer to earlier messages (RFC 7692 §7.1.1).
    pub(crate) fn release_idle(&mut self, now: Timestamp) {
        if self.idle.is_due(now) && !self.in_message {
            self.compressor = None;
        }
    }

    fn count(&mut self, uncompressed: usize, compressed: usize) {
        self.uncompressed += uncompressed as u64;
        self.compressed += compressed as u64;
    }

    /// Compresses a whole message. `None` when it is to be sent uncompressed.
    pub(crate) fn message(&mut self, payload: &[u8], compress: Compress) -> Option<Vec<u8>> {
        if !self.wants(payload.len(), compress) {
            return None;
        }
        let mut out = Vec::with_capacity(payload.len() / 2 + 64);
        if self.agreed.send_context_takeover {
            self.compressor().compress(payload, &mut out);
        } else {
            Compressor::for_message(payload.len(), self.agreed.settings()).compress(payload, &mut out);
        }
        out.truncate(out.len() - TAIL.len());
        // What has been compressed with takeover must be sent so: the next message looks back on it.
        let must = self.agreed.send_context_takeover || compress == Compress::Always;
        if !must && out.len() >= payload.len() {
            return None;
        }
        self.count(payload.len(), out.len());
        Some(out)
    }

    /// Compresses a message once for many connections. `None` when it is to be sent uncompressed.
    pub(crate) fn prepared(&mut self, message: &Message, variants: &Variants) -> Option<Compressed> {
        let payload = message.as_bytes();
        if !self.wants(payload.len(), Compress::Default) {
            return None;
        }
        let compressed = variants.get(message, &self.agreed)?;
        if self.agreed.send_context_takeover {
            self.compressor().remember(payload);
        }
        self.count(payload.len(), compressed.payload.len());
        Some(compressed)
    }

    /// Begins a message in fragments. Returns whether it is to be compressed.
    pub(crate) fn begin(&mut self, len: usize, last: bool, compress: Compress) -> bool {
        self.in_message = match compress {
            // What is sent in fragments is long.
            Compress::Default if !last => true,
            compress => self.wants(len, compress),
        };
        self.in_message
    }

    /// Compresses a fragment. `None` when its message is sent uncompressed.
    pub(crate) fn fragment(&mut self, payload: &[u8], last: bool) -> Option<Vec<u8>> {
        if !self.in_message {
            return None;
        }
        let mut out = Vec::with_capacity(payload.len() / 2 + 64);
        self.compressor().compress(payload, &mut out);
        if last {
            out.truncate(out.len() - TAIL.len());
            self.in_message = false;
            if !self.agreed.send_context_takeover {
                self.compressor = None;
            }
        }
        self.count(payload.len(), out.len());
        Some(out)
    }

    fn wants(&self, len: usize, compress: Compress) -> bool {
        match compress {
            Compress::Default => len >= self.agreed.threshold,
            Compress::Always => true,
            Compress::Never => false,
        }
    }

    fn compressor(&mut self) -> &mut Compressor {
        self.idle.touch();
        let settings = self.agreed.settings();
        self.compressor.get_or_insert_with(|| Box::new(Compressor::new(settings)))
    }
}
