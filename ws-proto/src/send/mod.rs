//! Encoding of messages and control frames (RFC 6455 §5). It is independent of the receiving direction.

#[cfg(feature = "deflate")]
mod compressed;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::config::Limits;
use crate::error::SendError;
#[cfg(feature = "deflate")]
use crate::extensions::permessage_deflate::{Compress, MessageCompressor, RSV1};
use crate::frame::mask::MaskKeys;
use crate::frame::{FrameHeader, OpCode};
use crate::message::{Message, MessageKind};
use crate::outgoing::Outgoing;
use crate::prepared::Prepared;
use crate::stats::Traffic;

/// Encodes messages and control frames into the outgoing queue.
pub(crate) struct Encoder {
    /// The source of masking keys of a client.
    keys: Option<Box<dyn MaskKeys + Send + Sync>>,
    outgoing: Outgoing,
    /// The kind of the fragmented message that is being sent.
    unfinished: Option<MessageKind>,
    /// The number of fragments that have been queued, of all messages, modulo 2^32.
    fragments: u32,
    /// The number of messages that have been queued as a whole.
    messages: u64,
    /// The bytes of messages that have been queued, before compression.
    payload: u64,
    /// The number of frames that have been queued and do not end a message: fragments and control frames.
    other_frames: u64,
    /// The pongs that have not been written, if any.
    pongs: Option<Box<Pongs>>,
    /// The compressor of messages, if compression was negotiated.
    #[cfg(feature = "deflate")]
    compressor: Option<Box<MessageCompressor>>,
}

/// The pongs that have not been written. Pongs that are not in the outgoing queue yet can be replaced.
#[derive(Debug, Default)]
struct Pongs {
    waiting: VecDeque<Box<[u8]>>,
    /// The positions where the queued pongs end, among all bytes that were ever queued.
    queued: VecDeque<u64>,
}

impl Encoder {
    pub(crate) fn new(keys: Option<Box<dyn MaskKeys + Send + Sync>>) -> Self {
        Self {
            keys,
            outgoing: Outgoing::default(),
            unfinished: None,
            fragments: 0,
            messages: 0,
            payload: 0,
            other_frames: 0,
            pongs: None,
            #[cfg(feature = "deflate")]
            compressor: None,
        }
    }

    pub(crate) fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    pub(crate) fn outgoing_mut(&mut self) -> &mut Outgoing {
        &mut self.outgoing
    }

    /// The number of bytes that wait to be written, including the pongs that can be replaced.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        let overhead = 2 + if self.keys.is_some() { 4 } else { 0 };
        let pongs = self.pongs.as_ref().map_or(0, |pongs| pongs.waiting.iter().map(|pong| pong.len() + overhead).sum());
        self.outgoing.len() + pongs
    }

    /// Whether nothing waits to be written.
    pub(crate) fn is_idle(&self) -> bool {
        self.outgoing.is_empty() && self.pongs.as_ref().is_none_or(|pongs| pongs.waiting.is_empty())
    }

    /// Counts a fragment of a message, which ends it or not.
    fn count(&mut self, last: bool, payload: usize) {
        match last {
            true => self.messages += 1,
            false => self.other_frames += 1,
        }
        self.payload += payload as u64;
    }

    pub(crate) fn stats(&self) -> Traffic {
        #[cfg(feature = "deflate")]
        let (compressed_bytes, uncompressed_bytes) =
            self.compressor.as_ref().map_or((0, 0), |compressor| compressor.counts());
        #[cfg(not(feature = "deflate"))]
        let (compressed_bytes, uncompressed_bytes) = (0, 0);
        Traffic {
            messages: self.messages,
            frames: self.messages + self.other_frames,
            payload_bytes: self.payload,
            wire_bytes: self.outgoing.written(),
            compressed_bytes,
            uncompressed_bytes,
        }
    }

    /// Checks whether a whole message of `len` bytes may be queued now. If so, counts it, and queues the pongs that go before
    /// it.
    #[inline]
    fn admit(&mut self, len: usize, limits: &Limits) -> Result<(), SendError<()>> {
        if self.unfinished.is_some() {
            return Err(SendError::Unfinished(()));
        }
        if !self.has_room(len, limits) {
            return Err(SendError::Full(()));
        }
        // Before the pongs, so that the length need not be kept.
        self.messages += 1;
        self.payload += len as u64;
        self.queue_pongs(limits);
        Ok(())
    }

    /// Queues a whole message.
    #[inline]
    pub(crate) fn message(&mut self, message: Message, limits: &Limits) -> Result<(), SendError<Message>> {
        if let Err(refused) = self.admit(message.len(), limits) {
            return Err(refused.map(|()| message));
        }
        let opcode = message.kind().opcode();
        #[cfg(feature = "deflate")]
        if self.push_compressed(opcode, message.as_bytes(), Compress::Default) {
            return Ok(());
        }
        self.push(true, opcode, message.into_bytes());
        Ok(())
    }

    /// Queues a whole message from a slice, which is copied.
    #[inline]
    pub(crate) fn slice(&mut self, kind: MessageKind, payload: &[u8], limits: &Limits) -> Result<(), SendError<()>> {
        self.admit(payload.len(), limits)?;
        #[cfg(feature = "deflate")]
        if self.push_compressed(kind.opcode(), payload, Compress::Default) {
            return Ok(());
        }
        self.push_copied(true, kind.opcode(), payload);
        Ok(())
    }

    /// Queues a message that is already encoded. A client encodes it again, to mask it.
    #[inline]
    pub(crate) fn prepared(&mut self, prepared: &Prepared, limits: &Limits) -> Result<(), SendError<()>> {
        let message = prepared.message();
        self.admit(message.len(), limits)?;
        #[cfg(feature = "deflate")]
        if let Some(compressor) = &mut self.compressor
            && let Some(compressed) = compressor.prepared(message, prepared.compressed())
        {
            match self.keys {
                None => self.outgoing.push_frame(&compressed.frame),
                Some(_) => self.push_with(true, message.kind().opcode(), RSV1, compressed.payload),
            }
            return Ok(());
        }
        match self.keys {
            None => self.outgoing.push_frame(prepared.frame()),
            Some(_) => self.push_copied(true, message.kind().opcode(), message.as_bytes()),
        }
        Ok(())
    }

    /// Queues the first or the next fragment of a message.
    pub(crate) fn fragment(
        &mut self,
        fragment: Message,
        last: bool,
        limits: &Limits,
    ) -> Result<(), SendError<Message>> {
        #[cfg(feature = "deflate")]
        if self.compressor.is_some() {
            return self.fragment_with(fragment, last, Compress::Default, limits);
        }
        let (opcode, fragment) = self.admit_fragment(fragment, last, limits)?;
        self.push(last, opcode, fragment.into_bytes());
        Ok(())
    }

    /// The opcode of the next fragment, if it may be queued now.
    fn admit_fragment(
        &mut self,
        fragment: Message,
        last: bool,
        limits: &Limits,
    ) -> Result<(OpCode, Message), SendError<Message>> {
        let kind = fragment.kind();
        let opcode = match self.unfinished {
            None => kind.opcode(),
            Some(begun) if begun == kind => OpCode::Continuation,
            Some(_) => return Err(SendError::Unfinished(fragment)),
        };
        if !self.has_room(fragment.len(), limits) {
            return Err(SendError::Full(fragment));
        }
        self.queue_pongs(limits);
        self.unfinished = (!last).then_some(kind);
        self.fragments = self.fragments.wrapping_add(1);
        self.count(last, fragment.len());
        Ok((opcode, fragment))
    }

    /// Whether a message of ours has begun in fragments and its last has not been queued.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished.is_some()
    }

    /// How many fragments have been queued, of all messages, modulo 2^32.
    pub(crate) fn fragments(&self) -> u32 {
        self.fragments
    }

    /// Queues a ping and returns where it ends; `None` at the cap.
    pub(crate) fn ping(&mut self, payload: &[u8], limits: &Limits) -> Option<u64> {
        if !self.has_room(payload.len(), limits) {
            return None;
        }
        self.queue_pongs(limits);
        self.push_copied(true, OpCode::Ping, payload);
        self.other_frames += 1;
        Some(self.outgoing.queued())
    }

    /// Queues a frame unchecked, behind the waiting pongs. `None` at the cap.
    pub(crate) fn frame(&mut self, frame: &FrameHeader, payload: Bytes, limits: &Limits) -> Option<()> {
        if !self.has_room(payload.len(), limits) {
            return None;
        }
        self.queue_pongs(limits);
        match frame.opcode.is_control() {
            true => self.other_frames += 1,
            false => self.count(frame.fin, payload.len()),
        }
        let mask = self.keys.as_mut().map(|keys| keys.next_key());
        let header = FrameHeader { mask, len: payload.len() as u64, ..*frame };
        match mask {
            None => self.outgoing.push_shared(&header, payload),
            Some(_) => self.outgoing.push_copied(&header, &payload),
        }
        Some(())
    }

    /// Answers a ping. At the limit, the newest pong replaces the last waiting one.
    pub(crate) fn pong(&mut self, payload: &[u8], limits: &Limits) {
        let pongs = self.pongs.get_or_insert_default();
        pongs.forget_written(self.outgoing.written());
        if pongs.waiting.len() + pongs.queued.len() >= limits.pending_pongs.max(2) {
            pongs.waiting.pop_back();
        }
        pongs.waiting.push_back(payload.into());
    }

    /// Moves waiting pongs into the queue, ahead of the frames that are queued later. One place always stays free for the newest
    /// pong.
    #[inline]
    pub(crate) fn queue_pongs(&mut self, limits: &Limits) {
        if self.pongs.is_some() {
            self.queue_waiting_pongs(limits);
        }
    }

    fn queue_waiting_pongs(&mut self, limits: &Limits) {
        let Some(mut pongs) = self.pongs.take() else { return };
        pongs.forget_written(self.outgoing.written());
        let limit = limits.pending_pongs.max(2);
        while self.outgoing.is_empty() || pongs.queued.len() + 1 < limit {
            let Some(payload) = pongs.waiting.pop_front() else { break };
            self.push_copied(true, OpCode::Pong, &payload);
            self.other_frames += 1;
            pongs.queued.push_back(self.outgoing.queued());
        }
        if !(pongs.waiting.is_empty() && pongs.queued.is_empty()) {
            self.pongs = Some(pongs);
        }
    }

    /// Queues a Close frame after all waiting frames. Nothing may be queued after it.
    pub(crate) fn close(&mut self, frame: &CloseFrame) {
        for payload in self.pongs.take().into_iter().flat_map(|pongs| pongs.waiting) {
            self.push_copied(true, OpCode::Pong, &payload);
            self.other_frames += 1;
        }
        self.unfinished = None;
        let mut body = Vec::new();
        if !frame.is_empty() {
            body.extend_from_slice(&u16::from(frame.code).to_be_bytes());
            body.extend_from_slice(frame.reason.as_bytes());
        }
        self.push_copied(true, OpCode::Close, &body);
        self.other_frames += 1;
        self.release_compressor();
    }

    /// The size of an encoded Close frame, in bytes.
    pub(crate) fn close_size(&self, frame: &CloseFrame) -> usize {
        let header = 2 + if self.keys.is_some() { 4 } else { 0 };
        let body = if frame.is_empty() { 0 } else { 2 + frame.reason.len() };
        header + body
    }

    /// Discards everything that waits to be written.
    pub(crate) fn release(&mut self) {
        self.outgoing.clear();
        self.pongs = None;
        self.release_compressor();
    }

    /// Releases the compressor: nothing is compressed any more.
    fn release_compressor(&mut self) {
        #[cfg(feature = "deflate")]
        {
            self.compressor.iter_mut().for_each(|compressor| compressor.release());
        }
    }

    /// Whether a frame with `payload` bytes may be queued: always below the high-water mark, and above it up to the cap.
    #[inline]
    fn has_room(&self, payload: usize, limits: &Limits) -> bool {
        let waiting = self.waiting();
        waiting < limits.high_water || waiting + payload + FrameHeader::MAX_SIZE <= limits.hard_cap
    }

    #[inline]
    fn push(&mut self, fin: bool, opcode: OpCode, payload: Bytes) {
        match self.keys {
            None => self.outgoing.push_shared(&header(fin, opcode, payload.len(), None), payload),
            Some(_) => self.push_copied(fin, opcode, &payload),
        }
    }

    #[inline]
    fn push_copied(&mut self, fin: bool, opcode: OpCode, payload: &[u8]) {
        let key = self.keys.as_mut().map(|keys| keys.next_key());
        self.outgoing.push_copied(&header(fin, opcode, payload.len(), key), payload);
    }
}

impl Pongs {
    fn forget_written(&mut self, written: u64) {
        while self.queued.front().is_some_and(|&end| end <= written) {
            self.queued.pop_front();
        }
    }
}

#[inline]
fn header(fin: bool, opcode: OpCode, len: usize, mask: Option<[u8; 4]>) -> FrameHeader {
    FrameHeader { fin, mask, ..FrameHeader::new(opcode, len as u64) }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("masks", &self.keys.is_some())
            .field("outgoing", &self.outgoing)
            .field("unfinished", &self.unfinished)
            .field("pongs", &self.pongs)
            .finish()
    }
}
