//! Single messages in chunks, and messages that wait for the choice between chunks and a whole.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use super::items::kind_of;
use super::{Decoder, Item};
use crate::assemble::{Assembly, check_size, check_streamed};
use crate::config::{Delivery, Limits};
use crate::error::Violation;
use crate::event::Chunk;
#[cfg(feature = "deflate")]
use crate::extensions::permessage_deflate::RSV1;
use crate::frame::{FrameHeader, codec};
use crate::message::MessageKind;

/// The choice for a message that is longer than [`Limits::message`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hold {
    /// No message waits for the choice.
    #[default]
    Open,
    /// A message waits. Its next header, or its next compressed bytes, are still to be handled.
    Held(MessageKind),
    /// It is to be assembled, as far as the limits allow.
    Whole,
    /// It is to be delivered in chunks, and its first frame is the next.
    Streamed,
}

impl Decoder {
    /// Sets whether the beginning of each message that does not arrive at once is reported.
    pub(crate) fn set_announce(&mut self, announces: bool) {
        self.announces = announces;
    }

    /// Whether a message waits for the choice between chunks and a whole.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.hold, Hold::Held(_))
    }

    /// Chooses to assemble the message that waits.
    pub(crate) fn assemble_held(&mut self) {
        if self.is_held() {
            self.hold = Hold::Whole;
        }
    }

    /// Delivers the incomplete message in chunks from now on. Returns its beginning, or `None` if there is no such message.
    pub(crate) fn stream(&mut self, delivery: Delivery) -> Option<Chunk<'static>> {
        if delivery == Delivery::Chunks || self.is_complete() {
            return None;
        }
        let held = match self.hold {
            Hold::Held(kind) => Some(kind),
            _ => None,
        };
        match &mut self.assembly {
            Some(assembly) if assembly.is_streamed() => None,
            Some(assembly) => {
                self.hold = Hold::Open;
                let (kind, payload) = (assembly.kind(), assembly.stream());
                self.count_beginning(payload.len());
                Some(Chunk { kind, payload: Cow::Owned(payload), first: true, last: false })
            }
            None => held.map(|kind| {
                self.hold = Hold::Streamed;
                Chunk { kind, payload: Cow::Owned(Vec::new()), first: true, last: false }
            }),
        }
    }

    /// Holds the message if this frame makes it longer than a whole message may be, but not than one in chunks. Its header is
    /// decoded again when the choice is made.
    ///
    /// # Errors
    ///
    /// When it is longer than one in chunks may be.
    pub(super) fn hold(&mut self, header: &FrameHeader, limits: &Limits) -> Result<Option<Item<'static>>, Violation> {
        let (before, is_compressed, kind) = match &self.assembly {
            Some(assembly) if assembly.is_streamed() => return Ok(None),
            Some(assembly) => (assembly.declared(), assembly.is_compressed(), assembly.kind()),
            None => (0, header.rsv != 0, kind_of(header.opcode)),
        };
        if check_size(before, header.len, is_compressed, limits).is_ok() {
            return Ok(None);
        }
        check_streamed(before, header.len, is_compressed, limits)
            .inspect_err(|_| self.refused = (before as u64).saturating_add(header.len))?;
        let mut bytes = Vec::new();
        codec::encode(header, &mut bytes);
        if let Some(place) = self.header.bytes.get_mut(..bytes.len()) {
            place.copy_from_slice(&bytes);
            // At most `FrameHeader::MAX_SIZE`.
            self.header.len = bytes.len() as u8;
        }
        self.hold = Hold::Held(kind);
        Ok(Some(Item::Held(kind)))
    }

    /// The beginning of an assembly, as the frame with this header begins it.
    pub(super) fn begin(&mut self, header: &FrameHeader) -> Box<Assembly> {
        let kind = kind_of(header.opcode);
        let mut assembly = match header.rsv {
            #[cfg(feature = "deflate")]
            RSV1 => Box::new(Assembly::compressed(kind)),
            _ => Box::new(Assembly::new(kind)),
        };
        if self.hold == Hold::Streamed {
            self.hold = Hold::Open;
            assembly.stream();
        }
        assembly
    }
}
