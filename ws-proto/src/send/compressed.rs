//! Sending of compressed messages (RFC 7692 §6). Only the first frame has the reserved bit.

use alloc::boxed::Box;

use bytes::Bytes;

use super::{Encoder, header};
use crate::config::Limits;
use crate::error::SendError;
use crate::extensions::permessage_deflate::{Compress, MessageCompressor, RSV1};
use crate::frame::{FrameHeader, OpCode};
use crate::message::Message;
use crate::time::Timestamp;

impl Encoder {
    pub(crate) fn set_compressor(&mut self, compressor: Option<Box<MessageCompressor>>) {
        self.compressor = compressor;
    }

    /// The time at which memory of the compressor is released.
    #[inline]
    pub(crate) fn idle_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.compressor.as_mut()?.idle_at(now)
    }

    pub(crate) fn release_idle(&mut self, now: Timestamp) {
        if let Some(compressor) = &mut self.compressor {
            compressor.release_idle(now);
        }
    }

    /// Queues a whole message, compressed or not.
    pub(crate) fn message_with(
        &mut self,
        message: Message,
        compress: Compress,
        limits: &Limits,
    ) -> Result<(), SendError<Message>> {
        if let Err(refused) = self.admit(message.len(), limits) {
            return Err(refused.map(|()| message));
        }
        let opcode = message.kind().opcode();
        if !self.push_compressed(opcode, message.as_bytes(), compress) {
            self.push(true, opcode, message.into_bytes());
        }
        Ok(())
    }

    /// Queues the first or the next fragment of a message. `compress` of the first one applies to all.
    pub(crate) fn fragment_with(
        &mut self,
        fragment: Message,
        last: bool,
        compress: Compress,
        limits: &Limits,
    ) -> Result<(), SendError<Message>> {
        let (opcode, fragment) = self.admit_fragment(fragment, last, limits)?;
        let Some(compressor) = &mut self.compressor else {
            self.push(last, opcode, fragment.into_bytes());
            return Ok(());
        };
        let is_first = opcode != OpCode::Continuation;
        if is_first {
            compressor.begin(fragment.len(), last, compress);
        }
        match compressor.fragment(fragment.as_bytes(), last) {
            Some(compressed) => self.push_with(last, opcode, if is_first { RSV1 } else { 0 }, compressed.into()),
            None => self.push(last, opcode, fragment.into_bytes()),
        }
        Ok(())
    }

    /// Queues a message compressed, if it is to be compressed. Returns whether it was queued.
    #[inline]
    pub(super) fn push_compressed(&mut self, opcode: OpCode, payload: &[u8], compress: Compress) -> bool {
        let Some(compressor) = &mut self.compressor else { return false };
        let Some(compressed) = compressor.message(payload, compress) else { return false };
        self.push_with(true, opcode, RSV1, compressed.into());
        true
    }

    pub(super) fn push_with(&mut self, fin: bool, opcode: OpCode, rsv: u8, payload: Bytes) {
        let key = self.keys.as_mut().map(|keys| keys.next_key());
        let header = FrameHeader { rsv, ..header(fin, opcode, payload.len(), key) };
        match key {
            None => self.outgoing.push_shared(&header, payload),
            Some(_) => self.outgoing.push_copied(&header, &payload),
        }
    }
}
