//! Decoding of messages and control frames (RFC 6455 §5). It is independent of the sending direction.

mod close;
#[cfg(feature = "deflate")]
mod compressed;
mod counting;
mod header;
mod items;
mod own;
mod streaming;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use crate::assemble::{Assembly, check_size};
use crate::config::{Config, Delivery, Limits, Role};
use crate::error::Violation;
use crate::event::Chunk;
#[cfg(feature = "deflate")]
use crate::extensions::permessage_deflate::MessageInflater;
use crate::frame::{FrameHeader, OpCode, mask};
use crate::memory::Memory;
use crate::message::{Incoming, MessageKind};
use crate::sizes::COPIED_FROM;

pub(crate) use self::close::ReceivedClose;

use self::counting::Counters;
use self::header::{PartialHeader, short_below};
use self::items::{control_item, kind_of, take, take_copy, take_payload, whole_message};
use self::streaming::Hold;

/// A decoded message, chunk or control frame.
#[derive(Debug)]
pub(crate) enum Item<'i> {
    Message(Incoming<'i>),
    Chunk(Chunk<'i>),
    Ping(Cow<'i, [u8]>),
    Pong(Cow<'i, [u8]>),
    Close(ReceivedClose),
    Begun(MessageKind),
    Held(MessageKind),
}

/// Decodes received bytes into messages and control frames.
#[derive(Debug)]
pub(crate) struct Decoder {
    role: Role,
    /// The size in bytes below which a payload exceeds no limit and may take the short path.
    short_below: u8,
    /// The beginning of an incomplete header.
    header: PartialHeader,
    /// The frame with incomplete payload.
    frame: Option<PartialFrame>,
    /// The beginning of a control frame's payload, at most 125 bytes, or the whole message that is returned next.
    held: Vec<u8>,
    /// The expected length of the next message, if it is to be read into memory of its own. Otherwise 0.
    expected: u32,
    /// The size of the last read that did not continue a message, in bytes.
    last_read: u32,
    /// The incomplete message. Boxed, because usually there is none.
    assembly: Option<Box<Assembly>>,
    progress: ReceivedCounts,
    counters: Counters,
    /// The size at which a frame or message was refused, in bytes.
    refused: u64,
    /// Whether a server accepts frames that are not masked.
    accepts_unmasked: bool,
    /// Whether the beginning of each message that does not arrive at once is reported.
    announces: bool,
    hold: Hold,
    /// The inflater of compressed messages, if compression was negotiated.
    #[cfg(feature = "deflate")]
    inflater: Option<Box<MessageInflater>>,
}

#[derive(Debug)]
struct PartialFrame {
    opcode: OpCode,
    fin: bool,
    /// The key for the next byte.
    key: Option<[u8; 4]>,
    /// The number of bytes that are still to be received.
    left: u64,
}

/// The progress of receiving. It is only compared with an earlier value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReceivedCounts {
    /// The number of completed messages.
    pub(crate) messages: u64,
    /// The number of completed control frames.
    pub(crate) controls: u64,
    /// The number of payload bytes that did not complete a message at once.
    pub(crate) bytes: u64,
}

impl Decoder {
    pub(crate) fn new(role: Role, config: &Config) -> Self {
        Self {
            role,
            short_below: short_below(config),
            header: PartialHeader::default(),
            frame: None,
            held: Vec::new(),
            expected: 0,
            last_read: 0,
            assembly: None,
            progress: ReceivedCounts::default(),
            counters: Counters::default(),
            refused: 0,
            accepts_unmasked: false,
            announces: false,
            hold: Hold::Open,
            #[cfg(feature = "deflate")]
            inflater: None,
        }
    }

    pub(crate) fn set_config(&mut self, config: &Config) {
        self.short_below = short_below(config);
    }

    pub(crate) fn set_accept_unmasked(&mut self, accepts_unmasked: bool) {
        self.accepts_unmasked = accepts_unmasked;
    }

    /// The size at which a frame or message was refused, in bytes. 0 when none was.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether there is an incomplete frame or, where messages are assembled, an incomplete message.
    pub(crate) fn is_midway(&self, delivery: Delivery) -> bool {
        let is_assembled = |assembly: &Assembly| delivery == Delivery::Messages && !assembly.is_streamed();
        self.header.len > 0 || self.frame.is_some() || self.assembly.as_deref().is_some_and(is_assembled)
    }

    /// Whether there is an incomplete message, and not only an incomplete header or control frame.
    pub(crate) fn is_in_message(&self) -> bool {
        self.assembly.is_some()
    }

    pub(crate) fn progress(&self) -> ReceivedCounts {
        self.progress
    }

    /// Releases all memory: nothing more will be received.
    pub(crate) fn release(&mut self) {
        self.header.len = 0;
        self.frame = None;
        self.held = Vec::new();
        self.assembly = None;
        self.hold = Hold::Open;
        #[cfg(feature = "deflate")]
        if let Some(inflater) = &mut self.inflater {
            inflater.release();
        }
    }

    /// Sets the inflater of compressed messages, whose first frame has RSV1 set (RFC 7692 §6).
    #[cfg(feature = "deflate")]
    pub(crate) fn set_inflater(&mut self, inflater: Option<Box<MessageInflater>>) {
        self.inflater = inflater;
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn set_inflate_budget(&mut self, budget: Option<usize>) {
        if let Some(inflater) = &mut self.inflater {
            inflater.set_budget(budget);
        }
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn is_inflate_budget_spent(&self) -> bool {
        self.inflater.as_ref().is_some_and(|inflater| inflater.is_budget_spent())
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn has_inflated(&self) -> bool {
        self.inflater.as_ref().is_some_and(|inflater| inflater.has_finished())
    }

    /// Sets the size of a read that did not continue a message, in bytes.
    #[inline]
    pub(crate) fn set_last_read(&mut self, n: usize) {
        self.last_read = n as u32;
    }

    /// The short path for the usual case: a whole message in one short frame, outside of another message. Try it before
    /// [`next`](Self::next). It takes nothing in any other case.
    #[inline(always)]
    pub(crate) fn short_message<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Result<Incoming<'i>, Violation>> {
        let [first, second, ..] = **input else { return None };
        let kind = match first {
            0x81 => MessageKind::Text,
            0x82 => MessageKind::Binary,
            _ => return None,
        };
        let (header_size, masked) = match self.role {
            Role::Server => (6, 0x80),
            Role::Client => (2, 0),
        };
        let len = second ^ masked;
        let is_between = self.header.len == 0 && self.frame.is_none() && self.assembly.is_none();
        let size = header_size + usize::from(len);
        if len >= self.short_below || !is_between || input.len() < size {
            return None;
        }
        let (header, payload) = take(input, size).split_at_mut_checked(header_size)?;
        if let [_, _, key @ ..] = header
            && let Some(key) = key.first_chunk()
        {
            mask::apply_short(payload, *key);
        }
        self.progress.messages += 1;
        self.counters.payload += payload.len() as u64;
        Some(whole_message(kind, payload))
    }

    /// Takes the bytes of the next item from the front of `input`. Takes all bytes if the item is incomplete.
    pub(crate) fn next<'i>(
        &mut self,
        config: &Config,
        memory: Option<&Arc<dyn Memory>>,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Item<'i>>, Violation> {
        if self.is_held() {
            return Ok(None);
        }
        loop {
            if self.frame.is_none() {
                let Some(header) = self.next_header(input)? else { return Ok(None) };
                if header.opcode.is_control() {
                    if input.len() as u64 >= header.len {
                        let payload = take_payload(input, &header);
                        self.progress.controls += 1;
                        return Ok(Some(control_item(header.opcode, Cow::Borrowed(payload))));
                    }
                } else if self.hold == Hold::Open
                    && config.limits.streams()
                    && config.delivery == Delivery::Messages
                    && let Some(held) = self.hold(&header, &config.limits)?
                {
                    return Ok(Some(held));
                } else if self.assembly.is_none()
                    && header.fin
                    && header.rsv == 0
                    && config.delivery == Delivery::Messages
                    && self.hold != Hold::Streamed
                {
                    check_size(0, header.len, false, &config.limits).inspect_err(|_| self.refused = header.len)?;
                    self.expect(&header);
                    if input.len() as u64 >= header.len {
                        self.progress.messages += 1;
                        if let Some(memory) = memory
                            && header.opcode == OpCode::Binary
                            && header.len >= COPIED_FROM as u64
                        {
                            let payload = take_copy(input, &header, memory);
                            return Ok(Some(Item::Message(Incoming::Binary(Cow::Owned(payload)))));
                        }
                        let payload = take_payload(input, &header);
                        return whole_message(kind_of(header.opcode), payload).map(Item::Message).map(Some);
                    }
                    self.begin_frame(&header, &config.limits)?;
                } else {
                    self.begin_frame(&header, &config.limits)?;
                }
                let FrameHeader { opcode, fin, mask: key, len: left, .. } = header;
                self.counters.fragments += u64::from(!fin && !opcode.is_control());
                // A fragment without payload ends with its header.
                let is_done = left == 0 && !fin && !opcode.is_control();
                self.frame = (!is_done).then_some(PartialFrame { opcode, fin, key, left });
                let is_incomplete = left > 0 || !fin;
                if self.announces && is_incomplete && matches!(opcode, OpCode::Text | OpCode::Binary) {
                    return Ok(Some(Item::Begun(kind_of(opcode))));
                }
                if is_done {
                    continue;
                }
            }
            match self.next_payload(config, memory, input)? {
                Decoded::Item(item) => return Ok(Some(item)),
                Decoded::FrameDone => {}
                Decoded::NeedInput => return Ok(None),
            }
        }
    }

    fn begin_frame(&mut self, header: &FrameHeader, limits: &Limits) -> Result<(), Violation> {
        let assembly = match self.assembly.take() {
            Some(assembly) => assembly,
            None => self.begin(header),
        };
        let assembly = self.assembly.insert(assembly);
        let size = assembly.declared() as u64;
        assembly.begin_frame(header.len, limits).inspect_err(|violation| {
            self.refused = match violation {
                Violation::MessageTooBig { .. } | Violation::StreamTooBig { .. } => size.saturating_add(header.len),
                _ => header.len,
            };
        })
    }

    /// Takes the payload of the current frame, as far as it is in `input`.
    fn next_payload<'i>(
        &mut self,
        config: &Config,
        memory: Option<&Arc<dyn Memory>>,
        input: &mut &'i mut [u8],
    ) -> Result<Decoded<'i>, Violation> {
        let Some(frame) = &mut self.frame else { return Ok(Decoded::FrameDone) };
        if input.is_empty() && frame.left > 0 {
            return Ok(Decoded::NeedInput);
        }
        #[cfg(feature = "deflate")]
        if !frame.opcode.is_control() && self.assembly.as_ref().is_some_and(|assembly| assembly.is_compressed()) {
            return self.next_compressed(config, memory, input);
        }
        let piece = take(input, usize::try_from(frame.left).unwrap_or(usize::MAX));
        frame.left -= piece.len() as u64;
        let (opcode, fin, done) = (frame.opcode, frame.fin, frame.left == 0);
        let mut key = frame.key;
        let in_chunks = config.delivery == Delivery::Chunks
            || self.assembly.as_ref().is_some_and(|assembly| assembly.is_streamed());
        if opcode.is_control() || in_chunks {
            frame.key = key.map(|key| mask::apply(piece, key));
        }
        if done {
            self.frame = None;
        }

        if opcode.is_control() {
            self.held.extend_from_slice(piece);
            if !done {
                return Ok(Decoded::NeedInput);
            }
            self.progress.controls += 1;
            return Ok(Decoded::Item(control_item(opcode, Cow::Owned(mem::take(&mut self.held)))));
        }

        self.progress.bytes += piece.len() as u64;
        let Some(assembly) = &mut self.assembly else { return Ok(Decoded::FrameDone) };
        let last = fin && done;
        if in_chunks {
            assembly.check(piece, last)?;
            if piece.is_empty() && !last {
                return Ok(Decoded::FrameDone);
            }
            let (kind, first) = (assembly.kind(), assembly.hand_out());
            if last {
                self.assembly = None;
                self.progress.messages += 1;
            }
            return Ok(Decoded::Item(Item::Chunk(Chunk { kind, payload: Cow::Borrowed(piece), first, last })));
        }
        let bound = assembly.bound(fin, &config.limits);
        assembly.push(piece, &mut key, bound, memory)?;
        if let Some(frame) = &mut self.frame {
            frame.key = key;
        }
        if last && let Some(assembly) = self.assembly.take() {
            self.progress.messages += 1;
            return Ok(Decoded::Item(Item::Message(assembly.finish()?)));
        }
        Ok(if done { Decoded::FrameDone } else { Decoded::NeedInput })
    }
}

enum Decoded<'i> {
    Item(Item<'i>),
    FrameDone,
    NeedInput,
}
