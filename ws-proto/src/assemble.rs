//! The assembly of messages from frames and pieces of frames.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

#[cfg(feature = "deflate")]
use ws_deflate::Corrupt;

use crate::config::Limits;
use crate::error::Violation;
use crate::frame::mask;
use crate::memory::{Memory, supplied};
use crate::message::{Incoming, MessageKind};
use crate::payload::BinaryPayload;
use crate::sizes::{AT_ONCE, DECLARED_FROM, DECLARED_TIMES, MOST_SURPLUS, SUPPLIED_FROM};
use crate::utf8::{InvalidUtf8, Utf8Stream};

/// An incomplete message.
#[derive(Debug)]
pub(crate) struct Assembly {
    kind: MessageKind,
    /// The number of its frames so far.
    fragments: u32,
    /// The total of the payload lengths in their headers, in bytes. Never above the limit.
    declared: usize,
    /// Whether a chunk of it has been reported.
    handed_out: bool,
    /// Whether it is delivered in chunks, other than the messages around it.
    streamed: bool,
    /// The inflated size so far of a compressed message.
    #[cfg(feature = "deflate")]
    inflated: Option<InflatedSize>,
    utf8: Utf8Stream,
    content: Content,
}

/// The inflated size so far of a compressed message and of its last frame, in bytes.
#[cfg(feature = "deflate")]
#[derive(Clone, Copy, Debug, Default)]
struct InflatedSize {
    message: usize,
    frame: usize,
}

/// The payload so far. Text is kept as a `String`, so that it is checked only once, on arrival.
#[derive(Debug)]
enum Content {
    Text(String),
    Binary(BinaryPayload),
}

impl Assembly {
    pub(crate) fn new(kind: MessageKind) -> Self {
        let content = match kind {
            MessageKind::Text => Content::Text(String::new()),
            MessageKind::Binary => Content::Binary(BinaryPayload::default()),
        };
        Self {
            kind,
            fragments: 0,
            declared: 0,
            handed_out: false,
            streamed: false,
            #[cfg(feature = "deflate")]
            inflated: None,
            utf8: Utf8Stream::default(),
            content,
        }
    }

    /// Sets the beginning of the message.
    pub(crate) fn begin_with(&mut self, payload: BinaryPayload) {
        self.content = Content::Binary(payload);
    }

    pub(crate) fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Notes that a chunk is reported. Returns whether it is the first.
    pub(crate) fn hand_out(&mut self) -> bool {
        !mem::replace(&mut self.handed_out, true)
    }

    /// Whether it is delivered in chunks, other than the messages around it.
    pub(crate) fn is_streamed(&self) -> bool {
        self.streamed
    }

    /// Delivers it in chunks from now on. Returns the bytes so far.
    pub(crate) fn stream(&mut self) -> Vec<u8> {
        (self.streamed, self.handed_out) = (true, true);
        match mem::replace(&mut self.content, Content::Binary(BinaryPayload::default())) {
            Content::Binary(payload) => payload.into_vec(),
            Content::Text(text) => [text.as_bytes(), self.utf8.partial()].concat(),
        }
    }

    /// The size of the message by the headers that have arrived, in bytes.
    pub(crate) fn declared(&self) -> usize {
        self.declared
    }

    /// The size of its payload so far, in bytes: inflated, if that is longer.
    fn payload(&self) -> usize {
        #[cfg(feature = "deflate")]
        return self.declared.max(self.inflated());
        #[cfg(not(feature = "deflate"))]
        return self.declared;
    }

    pub(crate) fn is_compressed(&self) -> bool {
        #[cfg(feature = "deflate")]
        return self.inflated.is_some();
        #[cfg(not(feature = "deflate"))]
        return false;
    }

    /// Begins a frame of `len` bytes.
    ///
    /// # Errors
    ///
    /// When the frame takes the message over a limit (RFC 6455 §10.4).
    pub(crate) fn begin_frame(&mut self, len: u64, limits: &Limits) -> Result<(), Violation> {
        let check = if self.streamed { check_streamed } else { check_size };
        self.declared = check(self.declared, len, self.is_compressed(), limits)?;
        self.fragments = self.fragments.saturating_add(1);
        #[cfg(feature = "deflate")]
        if let Some(inflated) = &mut self.inflated {
            inflated.frame = 0;
        }
        // The fragments of a message in chunks are limited by their average length.
        let more = if self.streamed { u32::try_from(self.payload() >> 10).unwrap_or(u32::MAX) } else { 0 };
        match limits.fragments {
            Some(limit) if self.fragments > limit.max(1).saturating_add(more) => {
                Err(Violation::TooManyFragments { limit })
            }
            _ => Ok(()),
        }
    }

    /// Checks a piece of payload without keeping it.
    pub(crate) fn check(&mut self, piece: &[u8], last: bool) -> Result<(), Violation> {
        if self.kind == MessageKind::Text {
            self.utf8.push(piece)?;
            if last {
                self.utf8.finish()?;
            }
        }
        Ok(())
    }

    /// Adds and unmasks a piece of payload. `key` is the masking key for its first byte, and is advanced to the byte after it.
    /// `bound` is the maximum size of the message by its headers. Memory is allocated only as bytes arrive, and never beyond
    /// the bound.
    pub(crate) fn push(
        &mut self,
        piece: &mut [u8],
        key: &mut Option<[u8; 4]>,
        bound: usize,
        memory: Option<&Arc<dyn Memory>>,
    ) -> Result<(), Violation> {
        match self.kind {
            MessageKind::Text => {
                *key = key.map(|key| mask::apply(piece, key));
                self.push_text(piece, bound)?;
            }
            MessageKind::Binary => {
                if let Some(payload) = self.grow(piece.len(), bound, memory) {
                    *key = payload.push(piece, *key);
                }
            }
        }
        Ok(())
    }

    /// Makes room to read up to `most` bytes of a long binary message, and returns its size. 0 when a read of its own does not
    /// pay. `bound` as in [`push`](Self::push).
    pub(crate) fn make_room(&mut self, most: usize, bound: usize, memory: &Arc<dyn Memory>) -> Option<usize> {
        if self.is_compressed() || !AT_ONCE.contains(&most.min(*AT_ONCE.end())) {
            return None;
        }
        let payload = self.grow(1, bound, Some(memory))?;
        let most = most.min(*AT_ONCE.end()).min(payload.capacity() - payload.len());
        AT_ONCE.contains(&most).then_some(most)
    }

    /// The room for the next `n` bytes that [`make_room`](Self::make_room) has made.
    pub(crate) fn room(&mut self, n: usize) -> &mut [u8] {
        match &mut self.content {
            Content::Binary(payload) => payload.room(n),
            Content::Text(_) => &mut [],
        }
    }

    /// Takes in the first `n` bytes of the room, and returns their number. Otherwise as [`push`](Self::push).
    pub(crate) fn fill(&mut self, n: usize, key: &mut Option<[u8; 4]>) -> usize {
        let Content::Binary(payload) = &mut self.content else { return 0 };
        let (n, next) = payload.fill(n, *key);
        *key = next;
        n
    }

    fn push_text(&mut self, piece: &[u8], bound: usize) -> Result<(), Violation> {
        if let Content::Text(text) = &mut self.content {
            let (head, body) = self.utf8.push(piece)?;
            let more = head.map_or(0, char::len_utf8) + body.len();
            let grown = room(text.len(), text.capacity(), more, self.declared, bound);
            text.reserve_exact(grown);
            text.extend(head);
            text.push_str(body);
        }
        Ok(())
    }

    /// The payload of a binary message, with room for `more` bytes.
    fn grow(&mut self, more: usize, bound: usize, memory: Option<&Arc<dyn Memory>>) -> Option<&mut BinaryPayload> {
        let Content::Binary(payload) = &mut self.content else { return None };
        let grown = room(payload.len(), payload.capacity(), more, self.declared, bound);
        match memory {
            Some(memory) if grown > 0 && payload.len() + grown >= SUPPLIED_FROM => {
                let size = payload.len() + grown;
                // Room beyond what is expected is a guess. There is no surplus on top of it.
                let most = size.max(expected(payload.len() + more, self.declared).saturating_mul(1 + MOST_SURPLUS));
                payload.move_to(supplied(memory, size..=most));
            }
            _ if grown > 0 => payload.reserve_exact(grown),
            _ => {}
        }
        Some(payload)
    }

    /// The maximum size of the message. In its last frame, this is the exact size.
    pub(crate) fn bound(&self, fin: bool, limits: &Limits) -> usize {
        if fin { self.declared } else { limits.message.unwrap_or(usize::MAX) }
    }

    /// The whole message.
    pub(crate) fn finish(self) -> Result<Incoming<'static>, Violation> {
        self.utf8.finish()?;
        Ok(match self.content {
            Content::Text(text) => Incoming::Text(Cow::Owned(text)),
            Content::Binary(payload) => Incoming::Binary(Cow::Owned(payload.into_vec())),
        })
    }
}

#[cfg(feature = "deflate")]
impl Assembly {
    /// A compressed message.
    pub(crate) fn compressed(kind: MessageKind) -> Self {
        Self { inflated: Some(InflatedSize::default()), ..Self::new(kind) }
    }

    /// The number of inflated bytes.
    pub(crate) fn inflated(&self) -> usize {
        self.inflated.map_or(0, |inflated| inflated.message)
    }

    /// Counts `more` inflated bytes.
    ///
    /// # Errors
    ///
    /// When they take the message or its frame over a limit.
    pub(crate) fn count_inflated(&mut self, more: usize, limits: &Limits) -> Result<(), Violation> {
        let inflated = self.inflated.get_or_insert_default();
        inflated.message = inflated.message.saturating_add(more);
        inflated.frame = inflated.frame.saturating_add(more);
        if self.streamed && limits.streams() {
            return match limits.most_streamed() {
                Some(limit) if inflated.message > limit => Err(Violation::StreamTooBig { limit }),
                _ => Ok(()),
            };
        }
        if let Some(limit) = limits.frame
            && inflated.frame > limit
        {
            return Err(Violation::FrameTooBig { limit });
        }
        match limits.message {
            Some(limit) if inflated.message > limit => Err(Violation::MessageTooBig { limit }),
            _ => Ok(()),
        }
    }

    /// Whether `more` inflated bytes may exceed a limit.
    pub(crate) fn may_exceed(&self, more: usize, limits: &Limits) -> bool {
        let InflatedSize { message, frame } = self.inflated.unwrap_or_default();
        let exceeds = |size: usize, limit: Option<usize>| limit.is_some_and(|limit| size.saturating_add(more) > limit);
        exceeds(message, limits.message) || exceeds(frame, limits.frame)
    }

    /// Adds inflated bytes.
    pub(crate) fn push_inflated(
        &mut self,
        piece: &[u8],
        limits: &Limits,
        memory: Option<&Arc<dyn Memory>>,
    ) -> Result<(), Violation> {
        let bound = limits.message.unwrap_or(usize::MAX);
        match self.kind {
            MessageKind::Text => self.push_text(piece, bound)?,
            MessageKind::Binary => {
                if let Some(payload) = self.grow(piece.len(), bound, memory) {
                    payload.push(piece, None);
                }
            }
        }
        Ok(())
    }

    /// The whole message, if `piece` is all of it and it is short.
    pub(crate) fn inflated_at_once(&self, piece: &[u8]) -> Result<Option<Incoming<'static>>, Violation> {
        if self.inflated.is_none_or(|inflated| inflated.message != piece.len()) || piece.len() >= DECLARED_FROM {
            return Ok(None);
        }
        Ok(Some(match self.kind {
            MessageKind::Text => {
                let text = simdutf8::basic::from_utf8(piece).map_err(|_| Violation::InvalidUtf8)?;
                Incoming::Text(Cow::Owned(text.into()))
            }
            MessageKind::Binary => Incoming::Binary(Cow::Owned(piece.into())),
        }))
    }
}

#[cfg(feature = "deflate")]
impl From<Corrupt> for Violation {
    fn from(_: Corrupt) -> Self {
        Self::CorruptData
    }
}

/// Checks a frame of `len` bytes against both size limits. Its message has `before` bytes already. Returns the size of the
/// message with this frame.
#[inline]
pub(crate) fn check_size(before: usize, len: u64, is_compressed: bool, limits: &Limits) -> Result<usize, Violation> {
    // What cannot be compressed is longer by the headers of its blocks.
    let most = |limit: usize| if is_compressed { limit.saturating_add(limit / 16 + 64) } else { limit };
    if let Some(limit) = limits.frame
        && len > most(limit) as u64
    {
        return Err(Violation::FrameTooBig { limit });
    }
    let limit = limits.message.unwrap_or(usize::MAX);
    usize::try_from(len)
        .ok()
        .and_then(|len| before.checked_add(len))
        .filter(|&size| size <= most(limit))
        .ok_or(Violation::MessageTooBig { limit })
}

/// [`check_size`] for a message that is delivered in chunks.
pub(crate) fn check_streamed(
    before: usize,
    len: u64,
    is_compressed: bool,
    limits: &Limits,
) -> Result<usize, Violation> {
    if !limits.streams() {
        return check_size(before, len, is_compressed, limits);
    }
    let limits = Limits { message: limits.most_streamed(), frame: None, ..*limits };
    // Without a limit, a size that cannot be counted is only used to count fragments.
    check_size(before, len, is_compressed, &limits).or_else(|violation| match (violation, limits.message) {
        (_, None) => Ok(usize::MAX),
        (Violation::MessageTooBig { limit }, _) => Err(Violation::StreamTooBig { limit }),
        (violation, _) => Err(violation),
    })
}

/// The number of bytes to reserve for `more` bytes beyond `len`: room for twice the received bytes, up to `bound`. A long
/// message gets room for sixteen times that, up to the `declared` size, so that it is rarely copied while it grows.
fn room(len: usize, capacity: usize, more: usize, declared: usize, bound: usize) -> usize {
    let arrived = len.saturating_add(more);
    if arrived <= capacity {
        return 0;
    }
    expected(arrived, declared).max(arrived.saturating_mul(2).min(bound)) - len
}

/// The size that a message of which so much has arrived is taken to reach at least.
fn expected(arrived: usize, declared: usize) -> usize {
    if arrived < DECLARED_FROM { arrived } else { arrived.saturating_mul(DECLARED_TIMES).min(declared).max(arrived) }
}

impl From<InvalidUtf8> for Violation {
    fn from(InvalidUtf8: InvalidUtf8) -> Self {
        Self::InvalidUtf8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_arrived_and_never_passes_the_bound() {
        let limits = Limits { message: Some(1000), ..Limits::default() };
        let mut assembly = Assembly::new(MessageKind::Binary);
        assembly.begin_frame(1000, &limits).unwrap();
        for arrived in 1..=1000 {
            assembly.push(&mut [7], &mut None, assembly.bound(true, &limits), None).unwrap();
            let Content::Binary(payload) = &assembly.content else { unreachable!() };
            assert!(payload.capacity() <= (2 * arrived).min(1000), "{} for {arrived}", payload.capacity());
        }
        assert_eq!(assembly.finish(), Ok(Incoming::Binary(Cow::Owned([7; 1000].into()))));
    }
}
