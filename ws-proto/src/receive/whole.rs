//! Long messages that keep the memory which they were read into.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::ops::RangeInclusive;

use super::{PartialFrame, Receiver};
use crate::assemble::{Assembly, LONG, REUSED_FROM, check_size};
use crate::config::{Config, Delivery, Role};
use crate::frame::{FrameHeader, OpCode, mask};
use crate::message::{Incoming, MessageKind};
use crate::payload::Payload;

/// How long messages are that are read into memory of their own at once. What is less costs no more to copy than to read
/// with a call of its own.
const WHOLE: RangeInclusive<u64> = REUSED_FROM as u64..=256 << 10;

impl Receiver {
    /// How much to read for the next message to be there as a whole, if it is as long as the last; and one byte more, for
    /// who reads less than there is room for knows that nothing is left.
    pub(crate) fn whole_size(&self) -> Option<usize> {
        if !WHOLE.contains(&self.last_len) || !self.is_between() || self.buffers.is_none() {
            return None;
        }
        let key = if self.role == Role::Server { 4 } else { 0 };
        let len_size = if self.last_len > 0xFFFF { 8 } else { 2 };
        Some(2 + len_size + key + self.last_len as usize + 1 - self.header.len)
    }

    /// The long binary message that `input` begins with, in one frame, if it takes up most of its memory: it keeps it, and
    /// what follows stays behind in another. One that is incomplete keeps it, too.
    pub(crate) fn whole(&mut self, config: &Config, input: &mut Vec<u8>) -> Option<Incoming<'static>> {
        let is_kept = self.buffers.is_some() && config.delivery == Delivery::Messages;
        let (header, start) = self.peek_header(input).filter(|_| is_kept && self.is_between())?;
        check_size(0, header.len, false, &config.limits).ok()?;
        let len = usize::try_from(header.len).ok()?;
        let came = input.len().checked_sub(start)?.min(len);
        let left = header.len - came as u64;
        let is_binary = header.opcode == OpCode::Binary && header.fin && header.rsv == 0;
        let most = if came < LONG { 2 * came } else { (16 * came).min(2 * len) };
        let is_worth_it = len >= REUSED_FROM && input.capacity() <= most + 2 * FrameHeader::MAX_SIZE;
        if !is_binary || !is_worth_it {
            return None;
        }
        self.header.len = 0;
        self.last_len = header.len;
        let behind = input.get(start + came..).unwrap_or_default().to_vec();
        let mut memory = mem::replace(input, behind);
        memory.truncate(start + came);
        let key = match header.mask {
            Some(key) => Some(mask::move_to_front(&mut memory, start, key)),
            None => {
                memory.copy_within(start.., 0);
                None
            }
        };
        memory.truncate(came);
        if left == 0 {
            self.progress.messages += 1;
            return Some(Incoming::Binary(memory.into()));
        }
        let mut assembly = Box::new(Assembly::new(MessageKind::Binary));
        assembly.begin_frame(header.len, &config.limits).ok()?;
        assembly.begin_with(Payload::all(memory));
        self.assembly = Some(assembly);
        self.frame = Some(PartialFrame { opcode: header.opcode, fin: true, key, left });
        self.progress.bytes += came as u64;
        None
    }

    /// Whether no frame is open, and no message.
    fn is_between(&self) -> bool {
        self.frame.is_none() && self.assembly.is_none()
    }
}
