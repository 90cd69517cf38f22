//! Long messages that are read directly into memory of their own.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use super::{Decoder, PartialFrame};
use crate::assemble::{Assembly, check_size};
use crate::buffer::ReadBuffer;
use crate::config::{Config, Delivery, Role};
use crate::frame::{FrameHeader, OpCode, mask};
use crate::memory::Memory;
use crate::message::{Incoming, MessageKind};
use crate::payload::BinaryPayload;
use crate::sizes::{ALONE_ABOVE, DECLARED_FROM, DECLARED_TIMES, EXPECTED, MOST_CLEARED, MOST_SURPLUS, SUPPLIED_FROM};

impl Decoder {
    /// Whether the next read may use other memory than the shared one. In most cases it does not.
    #[inline]
    pub(crate) fn may_read_own(&self) -> bool {
        self.frame.is_some() || self.expected > 0
    }

    /// The memory for the next read, if messages are kept.
    #[inline]
    pub(crate) fn read_buffer<'b>(
        &'b mut self,
        config: &Config,
        memory: &Arc<dyn Memory>,
        buffer: &'b mut ReadBuffer,
    ) -> &'b mut [u8] {
        if self.frame.is_some()
            && let Some(room) = self.payload_room(config, memory)
        {
            buffer.for_payload();
            return self.assembly.as_mut().map(|assembly| assembly.room(room)).unwrap_or_default();
        }
        // A message that is read into memory of its own is not announced.
        match self.expected_size().filter(|_| !self.announces) {
            Some(size) => buffer.for_message(size, memory),
            None => buffer.shared(),
        }
    }

    /// The size of the next read of an incomplete long binary message into its own memory, in bytes.
    fn payload_room(&mut self, config: &Config, memory: &Arc<dyn Memory>) -> Option<usize> {
        let frame = self.frame.as_ref()?;
        if frame.opcode.is_control() || config.delivery != Delivery::Messages {
            return None;
        }
        let assembly = self.assembly.as_mut().filter(|assembly| !assembly.is_streamed())?;
        let bound = assembly.bound(frame.fin, &config.limits);
        assembly.make_room(usize::try_from(frame.left).unwrap_or(usize::MAX), bound, memory)
    }

    /// Takes in `n` bytes that were read into the message's own memory. The next event is the message if they complete it.
    pub(crate) fn payload_received(&mut self, n: usize) {
        let Some(frame) = self.frame.as_mut().filter(|frame| !frame.opcode.is_control()) else { return };
        let Some(assembly) = &mut self.assembly else { return };
        let n = n.min(usize::try_from(frame.left).unwrap_or(usize::MAX));
        let n = assembly.fill(n, &mut frame.key) as u64;
        frame.left -= n;
        self.progress.bytes += n;
        if frame.left == 0 && !frame.fin {
            self.frame = None;
        }
    }

    /// The size of a read for a whole message as long as the last one, in bytes, plus one: a read that does not fill its buffer
    /// shows that no more bytes are available.
    #[inline]
    fn expected_size(&self) -> Option<usize> {
        let len = self.expected as usize;
        if len == 0 || !self.is_between() {
            return None;
        }
        let key = if self.role == Role::Server { 4 } else { 0 };
        let len_size = if len > 0xFFFF { 8 } else { 2 };
        let size = 2 + len_size + key + len + 1 - usize::from(self.header.len);
        (ALONE_ABOVE < size || self.last_read as usize + 1 == size).then_some(size)
    }

    /// Takes in the first `n` bytes of `memory`. If they begin with a long binary message in one frame that takes up most of the
    /// memory, the message keeps it, complete or not. Then `memory` holds the bytes after the message.
    pub(crate) fn message_received<'b>(
        &mut self,
        config: &Config,
        n: usize,
        memory: &'b mut Vec<u8>,
        is_open: bool,
    ) -> &'b mut [u8] {
        if n < memory.len() / MOST_CLEARED || !is_open {
            let n = n.min(memory.len());
            return memory.get_mut(..n).unwrap_or_default();
        }
        memory.truncate(n);
        let _ = self.keep(config, memory);
        memory
    }

    fn keep(&mut self, config: &Config, input: &mut Vec<u8>) -> Option<()> {
        let (header, start) = self.peek_header(input).filter(|_| self.is_between())?;
        check_size(0, header.len, false, &config.limits).ok()?;
        let len = usize::try_from(header.len).ok()?;
        let came = input.len().checked_sub(start)?.min(len);
        let is_binary = header.opcode == OpCode::Binary && header.fin && header.rsv == 0;
        let most = match came < DECLARED_FROM {
            true => (1 + MOST_SURPLUS) * came,
            false => (DECLARED_TIMES * came).min((1 + MOST_SURPLUS) * len),
        };
        let is_worth_it = len >= SUPPLIED_FROM && input.capacity() <= most + 2 * FrameHeader::MAX_SIZE;
        if !is_binary || !is_worth_it || config.delivery != Delivery::Messages {
            return None;
        }
        self.header.len = 0;
        self.expect(&header);
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
        let left = (len - came) as u64;
        if left == 0 {
            self.held = memory;
        } else {
            let mut assembly = Box::new(Assembly::new(MessageKind::Binary));
            assembly.begin_frame(header.len, &config.limits).ok()?;
            assembly.begin_with(BinaryPayload::all(memory));
            self.assembly = Some(assembly);
            self.progress.bytes += came as u64;
        }
        self.frame = Some(PartialFrame { opcode: header.opcode, fin: true, key, left });
        Some(())
    }

    /// Whether a message that was read into its own memory is complete. It is the next event, without more input.
    #[inline]
    pub(crate) fn is_complete(&self) -> bool {
        self.frame.as_ref().is_some_and(|frame| frame.left == 0)
    }

    /// Takes that message.
    pub(crate) fn take_complete(&mut self) -> Option<Incoming<'static>> {
        self.frame = None;
        let message = match self.assembly.take() {
            // Only text can turn out to be invalid.
            Some(assembly) => assembly.finish().ok(),
            None => Some(Incoming::Binary(Cow::Owned(mem::take(&mut self.held)))),
        };
        self.progress.messages += 1;
        self.count_own(message.as_ref());
        message
    }

    /// Expects the next message to be as long as this one.
    #[inline]
    pub(super) fn expect(&mut self, header: &FrameHeader) {
        let is_expected = header.opcode == OpCode::Binary && EXPECTED.contains(&header.len);
        self.expected = if is_expected { header.len as u32 } else { 0 };
    }

    /// Whether there is neither an incomplete frame nor an incomplete message.
    fn is_between(&self) -> bool {
        self.frame.is_none() && self.assembly.is_none()
    }
}
