//! Items from complete payloads, and the splitting of input.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use super::{Item, ReceivedClose};
use crate::error::Violation;
use crate::frame::{FrameHeader, OpCode, mask};
use crate::memory::{Memory, supplied_for};
use crate::message::{Incoming, MessageKind};
use crate::payload::BinaryPayload;
use crate::sizes::SUPPLIED_FROM;

/// Splits at most `n` bytes off the front.
#[inline]
pub(super) fn take<'i>(input: &mut &'i mut [u8], n: usize) -> &'i mut [u8] {
    let all = mem::take(input);
    let (front, rest) = all.split_at_mut(n.min(all.len()));
    *input = rest;
    front
}

/// Splits off and unmasks a complete payload.
#[inline]
pub(super) fn take_payload<'i>(input: &mut &'i mut [u8], header: &FrameHeader) -> &'i [u8] {
    let payload = take(input, usize::try_from(header.len).unwrap_or(usize::MAX));
    if let Some(key) = header.mask {
        mask::apply(payload, key);
    }
    payload
}

/// Splits off a complete payload, and copies and unmasks it in one pass.
pub(super) fn take_copy(input: &mut &mut [u8], header: &FrameHeader, memory: &Arc<dyn Memory>) -> Vec<u8> {
    let payload = take(input, usize::try_from(header.len).unwrap_or(usize::MAX));
    let len = payload.len();
    let mut copy =
        BinaryPayload::within(if len < SUPPLIED_FROM { Vec::with_capacity(len) } else { supplied_for(memory, len) });
    copy.push(payload, header.mask);
    copy.into_vec()
}

#[inline]
pub(super) fn whole_message(kind: MessageKind, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    Ok(match kind {
        MessageKind::Text => Incoming::Text(Cow::Borrowed(check_text(payload)?)),
        MessageKind::Binary => Incoming::Binary(Cow::Borrowed(payload)),
    })
}

/// Not inlined, because it is large.
#[inline(never)]
pub(super) fn check_text(payload: &[u8]) -> Result<&str, Violation> {
    simdutf8::basic::from_utf8(payload).map_err(|_| Violation::InvalidUtf8)
}

pub(super) fn control_item(opcode: OpCode, payload: Cow<'_, [u8]>) -> Item<'_> {
    match opcode {
        OpCode::Ping => Item::Ping(payload),
        OpCode::Pong => Item::Pong(payload),
        _ => Item::Close(ReceivedClose::parse(&payload)),
    }
}

pub(super) fn kind_of(opcode: OpCode) -> MessageKind {
    match opcode {
        OpCode::Text => MessageKind::Text,
        _ => MessageKind::Binary,
    }
}
