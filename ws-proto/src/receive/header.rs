//! Frame headers that arrive whole or in pieces (RFC 6455 §5.2).

use super::Decoder;
use super::items::take;
use crate::config::{Config, Delivery, Limits, Role};
use crate::error::Violation;
#[cfg(feature = "deflate")]
use crate::extensions::permessage_deflate::RSV1;
use crate::frame::codec::{FirstByte, decode_checked};
use crate::frame::{FrameHeader, OpCode};
use crate::sizes::SHORT_UP_TO;

/// The beginning of an incomplete header.
#[derive(Debug, Default)]
pub(super) struct PartialHeader {
    pub(super) bytes: [u8; FrameHeader::MAX_SIZE],
    pub(super) len: u8,
}

impl PartialHeader {
    /// Its bytes.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl Decoder {
    /// Reads a header, directly from the input if it is complete there.
    #[inline]
    pub(super) fn next_header(&mut self, input: &mut &mut [u8]) -> Result<Option<FrameHeader>, Violation> {
        if self.header.len == 0
            && let Some((header, size)) = self.decode(input)?
        {
            take(input, size);
            return Ok(Some(header));
        }
        self.next_header_slow(input)
    }

    /// Adds to a partial header byte by byte until it is complete.
    fn next_header_slow(&mut self, input: &mut &mut [u8]) -> Result<Option<FrameHeader>, Violation> {
        loop {
            let bytes = self.header.bytes();
            // The header of a message that was held is complete at once.
            if let Some((header, _)) = self.decode(bytes)? {
                self.header.len = 0;
                return Ok(Some(header));
            }
            let Some(&byte) = input.first() else { return Ok(None) };
            take(input, 1);
            if let Some(slot) = self.header.bytes.get_mut(usize::from(self.header.len)) {
                *slot = byte;
                self.header.len += 1;
            }
        }
    }

    /// Decodes a header with the rules of this connection: masking by role, reserved bits of extensions, and fragments only of an
    /// incomplete message.
    #[inline]
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, Violation> {
        decode_checked(
            bytes,
            |FirstByte { rsv, opcode, .. }| match opcode {
                _ if rsv != 0 && !self.means(rsv, opcode) => Err(Violation::ReservedBits),
                OpCode::Continuation if self.assembly.is_none() => Err(Violation::UnexpectedContinuation),
                OpCode::Text | OpCode::Binary if self.assembly.is_some() => Err(Violation::UnfinishedMessage),
                _ => Ok(()),
            },
            |masked| match (self.role, masked) {
                (Role::Server, false) if !self.accepts_unmasked => Err(Violation::Unmasked),
                (Role::Client, true) => Err(Violation::Masked),
                _ => Ok(()),
            },
        )
    }

    /// Whether reserved bits are allowed on this frame, because they mark the beginning of a compressed message.
    #[cold]
    fn means(&self, rsv: u8, opcode: OpCode) -> bool {
        #[cfg(feature = "deflate")]
        return rsv == RSV1 && matches!(opcode, OpCode::Text | OpCode::Binary) && self.inflater.is_some();
        #[cfg(not(feature = "deflate"))]
        return matches!((rsv, opcode), (0, _));
    }

    /// The header that `input` completes, and the number of bytes of `input` that it takes.
    pub(super) fn peek_header(&self, input: &[u8]) -> Option<(FrameHeader, usize)> {
        let mut bytes = self.header.bytes;
        let before = usize::from(self.header.len);
        let size = input.len().min(bytes.len() - before);
        bytes.get_mut(before..before + size)?.copy_from_slice(input.get(..size)?);
        let (header, size) = self.decode(bytes.get(..before + size)?).ok()??;
        Some((header, size.checked_sub(before)?))
    }
}

/// The size in bytes below which a payload exceeds no limit and may take the short path.
pub(super) fn short_below(config: &Config) -> u8 {
    let Limits { message, frame, .. } = config.limits;
    let longest = message.unwrap_or(usize::MAX).min(frame.unwrap_or(usize::MAX)).min(SHORT_UP_TO);
    // Where messages are counted, each takes the long path.
    let is_short = config.delivery == Delivery::Messages && !config.limits.has_rates();
    // At most 126.
    if is_short { longest as u8 + 1 } else { 0 }
}
