//! The counters of receiving.

use super::{Decoder, Item};
use crate::config::Role;
use crate::message::Incoming;
use crate::stats::Traffic;

/// The counters beside [`ReceivedCounts`](super::ReceivedCounts).
///
/// The short path counts a message and its payload, and nothing else: its header has always the same size. The bytes on the
/// wire follow from these and from `surplus`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    /// The bytes of messages and chunks that were returned.
    pub(super) payload: u64,
    /// The number of fragments that did not end their message.
    pub(super) fragments: u64,
    /// The bytes on the wire, less the payload and less a short header for each message. Less than none is possible, because
    /// inflating makes payloads longer. So it wraps.
    surplus: u64,
}

/// A position in the input, before an item is decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    messages: u64,
    input: usize,
}

impl Decoder {
    /// Begins counting what the slow path takes from this many bytes of input.
    pub(crate) fn mark(&self, input: usize) -> Mark {
        Mark { messages: self.progress.messages, input }
    }

    /// Counts what the slow path has taken since `mark`, with the item that it returns.
    pub(crate) fn count_since(&mut self, mark: Mark, input: usize, item: Option<&Item<'_>>) {
        let payload = match item {
            Some(Item::Message(message)) => message.len(),
            Some(Item::Chunk(chunk)) => chunk.payload.len(),
            _ => 0,
        };
        self.count(mark.input - input, self.progress.messages - mark.messages, payload);
    }

    /// Counts a message that was read into memory of its own, whose bytes are counted already.
    pub(super) fn count_own(&mut self, message: Option<&Incoming<'_>>) {
        self.count(0, 1, message.map_or(0, Incoming::len));
    }

    /// Counts this much input that was read into memory of its own, or is discarded after the end.
    pub(crate) fn count_input(&mut self, wire: usize) {
        self.count(wire, 0, 0);
    }

    /// Counts the beginning of a message that is returned as its first chunk, and was counted as input.
    pub(super) fn count_beginning(&mut self, payload: usize) {
        self.count(0, 0, payload);
    }

    fn count(&mut self, wire: usize, messages: u64, payload: usize) {
        let expected = payload as u64 + messages * self.short_header();
        let counters = &mut self.counters;
        counters.payload += payload as u64;
        counters.surplus = counters.surplus.wrapping_add(wire as u64).wrapping_sub(expected);
    }

    /// The size of a header on the short path, in bytes.
    fn short_header(&self) -> u64 {
        match self.role {
            Role::Server => 6,
            Role::Client => 2,
        }
    }

    pub(crate) fn stats(&self) -> Traffic {
        let messages = self.progress.messages;
        let Counters { payload, fragments, surplus } = self.counters;
        let short = payload + messages * self.short_header();
        #[cfg(feature = "deflate")]
        let (compressed_bytes, uncompressed_bytes) =
            self.inflater.as_ref().map_or((0, 0), |inflater| inflater.counts());
        #[cfg(not(feature = "deflate"))]
        let (compressed_bytes, uncompressed_bytes) = (0, 0);
        Traffic {
            messages,
            frames: messages + fragments + self.progress.controls,
            payload_bytes: payload,
            wire_bytes: short.wrapping_add(surplus),
            compressed_bytes,
            uncompressed_bytes,
        }
    }
}
