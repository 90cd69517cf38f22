//! The payload of compressed messages (RFC 7692 §6.2).

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::items::take;
use super::streaming::Hold;
use super::{Decoded, Decoder, Item};
use crate::config::{Config, Delivery};
use crate::error::Violation;
use crate::event::Chunk;
use crate::extensions::permessage_deflate::MessageInflater;
use crate::frame::mask;
use crate::memory::Memory;
use crate::time::Timestamp;

/// The number of compressed bytes that are unmasked at a time. Bytes that cannot be inflated yet are masked again.
const COMPRESSED: usize = 4 << 10;

impl Decoder {
    /// The time at which memory of the inflater is released.
    #[inline]
    pub(crate) fn idle_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.inflater.as_mut()?.idle_at(now)
    }

    pub(crate) fn release_idle(&mut self, now: Timestamp) {
        if let Some(inflater) = &mut self.inflater {
            inflater.release_idle(now);
        }
    }

    /// Inflates the payload of the current frame, as far as it is in `input`.
    pub(super) fn next_compressed<'i>(
        &mut self,
        config: &Config,
        memory: Option<&Arc<dyn Memory>>,
        input: &mut &'i mut [u8],
    ) -> Result<Decoded<'i>, Violation> {
        let (Some(mut frame), Some(assembly), Some(inflater)) =
            (self.frame.take(), &mut self.assembly, &mut self.inflater)
        else {
            return Ok(Decoded::FrameDone);
        };
        let is_whole = config.delivery == Delivery::Messages && !assembly.is_streamed();
        let may_hold = is_whole && self.hold == Hold::Open && config.limits.streams();
        loop {
            if may_hold
                && frame.left > 0
                && !input.is_empty()
                && assembly.may_exceed(MessageInflater::MOST, &config.limits)
            {
                let kind = assembly.kind();
                self.frame = Some(frame);
                self.hold = Hold::Held(kind);
                return Ok(Decoded::Item(Item::Held(kind)));
            }
            if inflater.is_budget_spent() && frame.left > 0 && !input.is_empty() {
                self.frame = Some(frame);
                return Ok(Decoded::NeedInput);
            }
            let n = input.len().min(COMPRESSED).min(usize::try_from(frame.left).unwrap_or(usize::MAX));
            let (piece, _) = input.split_at_mut_checked(n).unwrap_or_default();
            let key = frame.key;
            if let Some(key) = key {
                mask::apply(piece, key);
            }
            let mut rest = &*piece;
            let (inflated, is_all) = inflater.inflate(&mut rest)?;
            let taken = n - rest.len();
            let (_, rest) = piece.split_at_mut_checked(taken).unwrap_or_default();
            frame.key = key.map(|mut key| {
                key.rotate_left(taken % 4);
                // What is not taken yet goes back as it was.
                mask::apply(rest, key);
                key
            });
            frame.left -= taken as u64;
            self.progress.bytes += taken as u64;
            take(input, taken);
            let done = frame.left == 0;
            let last = frame.fin && done;
            assembly
                .count_inflated(inflated.len(), &config.limits)
                .inspect_err(|_| self.refused = assembly.inflated() as u64)?;

            if is_whole {
                let mut message = None;
                if last && is_all {
                    message = assembly.inflated_at_once(inflated)?;
                }
                if message.is_none() {
                    assembly.push_inflated(inflated, &config.limits, memory)?;
                }
                if last {
                    let tail = inflater.tail()?;
                    if !is_all {
                        assembly
                            .count_inflated(tail.len(), &config.limits)
                            .inspect_err(|_| self.refused = assembly.inflated() as u64)?;
                        assembly.push_inflated(tail, &config.limits, memory)?;
                    }
                    inflater.finish();
                    self.hold = Hold::Open;
                    self.progress.messages += 1;
                    let assembled = self.assembly.take().map(|assembly| assembly.finish()).transpose()?;
                    return Ok(message
                        .or(assembled)
                        .map_or(Decoded::FrameDone, |message| Decoded::Item(Item::Message(message))));
                }
            } else {
                assembly.check(inflated, last && is_all)?;
                let is_chunk = last || !inflated.is_empty();
                let mut payload = if is_chunk { inflated.to_vec() } else { Vec::new() };
                if last {
                    let tail = inflater.tail()?;
                    if !is_all {
                        assembly
                            .count_inflated(tail.len(), &config.limits)
                            .inspect_err(|_| self.refused = assembly.inflated() as u64)?;
                        assembly.check(tail, true)?;
                        payload.extend_from_slice(tail);
                    }
                    inflater.finish();
                }
                if is_chunk {
                    self.frame = (!done).then_some(frame);
                    let (kind, first) = (assembly.kind(), assembly.hand_out());
                    if last {
                        self.assembly = None;
                        self.progress.messages += 1;
                    }
                    return Ok(Decoded::Item(Item::Chunk(Chunk { kind, payload: Cow::Owned(payload), first, last })));
                }
            }
            if done {
                return Ok(Decoded::FrameDone);
            }
            if input.is_empty() {
                self.frame = Some(frame);
                return Ok(Decoded::NeedInput);
            }
        }
    }
}
