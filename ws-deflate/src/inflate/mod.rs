//! The inflater (RFC 1951): incremental, with bounded output and an exact window.

mod bit_reader;
mod decode_table;
mod dynamic;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use self::bit_reader::BitReader;
use self::decode_table::{DISTANCES, DecodeTable, FIXED_DISTANCES, FIXED_LITERALS, LITERALS};
use self::dynamic::{DynamicCodes, LengthCounts};
use crate::TAIL;
use crate::codes::{self, CODE_LENGTH_ORDER, END_OF_BLOCK};

/// The maximum size of a literal, or of a length and distance with all extra bits, in bits.
const LONGEST_SYMBOL: u32 = 48;

/// The maximum size of a literal, in bits.
const LONGEST_LITERAL: u32 = 15;

/// Inflates messages one after the other, in pieces of any size.
///
/// It keeps no window. The data refers to the bytes that the caller's vector already holds. Keep at least the window in the
/// vector between calls, or all bytes if there are fewer.
///
/// # Memory
///
/// It allocates 5 KiB for the first block with dynamic codes, which short messages rarely have. The memory is kept for the next
/// such block.
pub struct Inflater {
    /// The longest allowed distance.
    window: usize,
    state: State,
    /// Whether the current block is marked as the last one.
    is_final: bool,
    reader: BitReader,
    /// The dynamic codes of a block. The next block reuses the memory.
    codes: Option<Box<DynamicCodes>>,
}

/// The error of an [`Inflater`]: the data is not DEFLATE, ends inside a block, or refers to bytes before the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Corrupt;

/// The part of the data to be read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    StoredSize,
    Stored { left: usize },
    Counts,
    CodeLengths { at: usize, count: usize, counts: LengthCounts },
    Lengths { at: usize, counts: LengthCounts },
    Symbols { codes: BlockCodes },
    Corrupt,
}

/// The kind of codes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockCodes {
    Fixed,
    Dynamic,
}

impl Inflater {
    /// The most bytes that a call of [`inflate`](Self::inflate) appends beyond `room`.
    pub const OVERSHOOT: usize = 1536;

    /// An inflater for a window of 2 to the power of `window_bits` bytes. A value outside of 8 to 15 becomes the nearest one in
    /// that range.
    #[inline]
    pub fn new(window_bits: u8) -> Self {
        Self {
            window: 1 << window_bits.clamp(8, 15),
            state: State::Header,
            is_final: false,
            reader: BitReader { bits: 0, count: 0 },
            codes: None,
        }
    }

    /// Takes bytes from the front of `input`, and appends the inflated bytes to `out`. It returns when the input is used up, or
    /// when `room` bytes (0 counts as 1) have been appended.
    ///
    /// Up to [`OVERSHOOT`](Self::OVERSHOOT) bytes more than `room` may be appended. When the input is used up, all of its output
    /// has been appended. Otherwise the rest of `input` is left: call again, or refuse the message.
    ///
    /// `out` is also the history: the data may refer to the bytes that it already holds, within the window.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] at the first bit that shows the error, and from then on in every call. The bytes inflated before it have been
    /// appended.
    pub fn inflate(&mut self, input: &mut &[u8], out: &mut Vec<u8>, room: usize) -> Result<(), Corrupt> {
        let whole = *input;
        let end = out.len().saturating_add(room.max(1));
        loop {
            match self.step(input, out, end) {
                Ok(true) => {}
                Ok(false) => break,
                Err(corrupt) => {
                    self.state = State::Corrupt;
                    return Err(corrupt);
                }
            }
        }
        // Bytes that were read ahead go back when there is no room for them. They are of this input: what was left of
        // another has been used up first.
        if out.len() >= end {
            let unread = (self.reader.count / 8) as usize;
            let taken = (whole.len() - input.len()).saturating_sub(unread);
            *input = whole.get(taken..).unwrap_or_default();
            self.reader.count %= 8;
            self.reader.bits &= (1 << self.reader.count) - 1;
        }
        Ok(())
    }

    /// Ends a message whose sender omitted [`TAIL`] (RFC 7692 §7.2.2). The next message may follow. After a message
    /// with its tail, this does nothing.
    ///
    /// In unusual data, the tail can inflate to a few bytes. They are appended to `out`.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] when the data ends inside a block.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        // A last block may have no empty block after it, and an empty message may have no block.
        if self.is_between_blocks() {
            return Ok(());
        }
        let mut tail = TAIL.as_slice();
        self.inflate(&mut tail, out, usize::MAX)?;
        if self.is_between_blocks() { Ok(()) } else { Err(Corrupt) }
    }

    /// Whether [`finish`](Self::finish) would succeed and append nothing if the message ended here. This is so at the end of every
    /// message of a common compressor.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.is_between_blocks() || (self.state == State::StoredSize && self.reader.count == 0)
    }

    fn is_between_blocks(&self) -> bool {
        self.state == State::Header && self.reader.count == 0
    }

    /// Runs one state. Returns whether there is more to do.
    fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>, end: usize) -> Result<bool, Corrupt> {
        match self.state {
            State::Header => {
                let Some(bits) = self.reader.peek(input, 3) else { return Ok(false) };
                self.reader.skip(3);
                self.is_final = bits & 1 != 0;
                self.state = match bits >> 1 {
                    0 => {
                        self.reader.skip(self.reader.count % 8);
                        State::StoredSize
                    }
                    1 => State::Symbols { codes: BlockCodes::Fixed },
                    2 => State::Counts,
                    _ => return Err(Corrupt),
                };
            }
            State::StoredSize => {
                let Some(bits) = self.reader.peek(input, 32) else { return Ok(false) };
                self.reader.skip(32);
                let (len, complement) = (bits as u16, (bits >> 16) as u16);
                if len != !complement {
                    return Err(Corrupt);
                }
                self.state = State::Stored { left: usize::from(len) };
            }
            State::Stored { left: 0 } => self.end_block(),
            State::Stored { left } => return Ok(self.stored(left, input, out, end)),
            State::Counts => {
                let Some(bits) = self.reader.peek(input, 14) else { return Ok(false) };
                self.reader.skip(14);
                let counts =
                    LengthCounts { literals: (bits & 31) as usize + 257, distances: (bits >> 5 & 31) as usize + 1 };
                if counts.literals > 286 || counts.distances > 30 {
                    return Err(Corrupt);
                }
                self.codes.get_or_insert_with(DynamicCodes::new).begin();
                self.state = State::CodeLengths { at: 0, count: (bits >> 10) as usize + 4, counts };
            }
            State::CodeLengths { at, count, counts } if at == count => {
                self.codes.as_mut().ok_or(Corrupt)?.use_code_lengths()?;
                self.state = State::Lengths { at: 0, counts };
            }
            State::CodeLengths { at, count, counts } => {
                let Some(bits) = self.reader.peek(input, 3) else { return Ok(false) };
                self.reader.skip(3);
                let symbol = CODE_LENGTH_ORDER.get(at).copied().unwrap_or_default();
                self.codes.as_mut().ok_or(Corrupt)?.push_code_length(symbol, bits as u8);
                self.state = State::CodeLengths { at: at + 1, count, counts };
            }
            State::Lengths { at, counts } if at == counts.literals + counts.distances => {
                self.codes.as_mut().ok_or(Corrupt)?.use_lengths(counts)?;
                self.state = State::Symbols { codes: BlockCodes::Dynamic };
            }
            State::Lengths { at, counts } => return self.code_lengths(at, counts, input),
            State::Symbols { codes } => return self.symbols(codes, input, out, end),
            State::Corrupt => return Err(Corrupt),
        }
        Ok(true)
    }

    fn end_block(&mut self) {
        // After a last block there may be others: the window goes on, and so does the message (RFC 7692 §7.2.3.4).
        if self.is_final {
            self.reader.skip(self.reader.count % 8);
        }
        self.state = State::Header;
    }

    /// Copies stored bytes, beginning with the ones read ahead.
    fn stored(&mut self, mut left: usize, input: &mut &[u8], out: &mut Vec<u8>, end: usize) -> bool {
        while left > 0 && self.reader.count >= 8 && out.len() < end {
            out.push(self.reader.bits as u8);
            self.reader.skip(8);
            left -= 1;
        }
        if self.reader.count == 0 {
            let n = left.min(input.len()).min(end.saturating_sub(out.len()));
            let (bytes, rest) = input.split_at_checked(n).unwrap_or_default();
            out.extend_from_slice(bytes);
            *input = rest;
            left -= n;
        }
        self.state = State::Stored { left };
        left == 0
    }

    /// Reads the code lengths of a block. Returns whether all were read.
    fn code_lengths(&mut self, mut at: usize, counts: LengthCounts, input: &mut &[u8]) -> Result<bool, Corrupt> {
        let codes = self.codes.as_deref_mut().ok_or(Corrupt)?;
        // Apart from the rest, so that registers can hold them.
        let (mut reader, mut rest) = (self.reader, *input);
        let done = codes.read_lengths(&mut at, counts.literals + counts.distances, &mut reader, &mut rest);
        (self.reader, *input) = (reader, rest);
        self.state = State::Lengths { at, counts };
        done
    }

    /// Decodes literals and matches until the block ends. A symbol with missing bits is left for the next call.
    fn symbols(
        &mut self,
        codes: BlockCodes,
        input: &mut &[u8],
        out: &mut Vec<u8>,
        end: usize,
    ) -> Result<bool, Corrupt> {
        let (literals, distances) = match (codes, &self.codes) {
            (BlockCodes::Dynamic, Some(codes)) => (&codes.literals, &codes.distances),
            _ => (&FIXED_LITERALS, &FIXED_DISTANCES),
        };
        // Apart from the rest, so that registers can hold them.
        let (mut reader, mut rest) = (self.reader, *input);
        let ended = self.symbols_from(literals, distances, &mut reader, &mut rest, out, end);
        (self.reader, *input) = (reader, rest);
        if ended? {
            self.end_block();
            return Ok(true);
        }
        Ok(false)
    }

    /// Decodes symbols as [`symbols`](Self::symbols) does. Returns whether the block has ended.
    #[inline(always)]
    fn symbols_from(
        &self,
        literals: &DecodeTable<LITERALS>,
        distances: &DecodeTable<DISTANCES>,
        reader: &mut BitReader,
        input: &mut &[u8],
        out: &mut Vec<u8>,
        end: usize,
    ) -> Result<bool, Corrupt> {
        loop {
            if reader.count < LONGEST_SYMBOL {
                reader.refill(input);
            }
            // Remaining bits of less than a byte are always used up, so that no output waits for more input.
            if out.len() >= end && (reader.count >= 8 || !input.is_empty()) {
                return Ok(false);
            }
            let Some((symbol, used)) = literals.decode(reader.bits, reader.count)? else { return Ok(false) };
            if symbol < END_OF_BLOCK {
                reader.skip(used);
                out.push(symbol as u8);
                // Literals often come in rows, and the bits for several are available.
                while reader.count >= LONGEST_LITERAL
                    && out.len() < end
                    && let Some((literal, used)) = literals.short_literal(reader.bits)
                {
                    reader.skip(used);
                    out.push(literal);
                }
                continue;
            }
            if symbol == END_OF_BLOCK {
                reader.skip(used);
                return Ok(true);
            }
            let (len, extra) = codes::length_of(symbol).ok_or(Corrupt)?;
            let len = len + (reader.bits >> used & ((1 << extra) - 1)) as usize;
            let used = used + extra;
            if used > reader.count {
                return Ok(false);
            }
            let decoded = distances.decode(reader.bits >> used, reader.count - used)?;
            let Some((symbol, more)) = decoded else { return Ok(false) };
            let (distance, extra) = codes::distance_of(symbol).ok_or(Corrupt)?;
            let used = used + more;
            let distance = distance + (reader.bits >> used & ((1 << extra) - 1)) as usize;
            let used = used + extra;
            if used > reader.count {
                return Ok(false);
            }
            if distance > self.window || distance > out.len() {
                return Err(Corrupt);
            }
            reader.skip(used);
            repeat(out, distance, len);
        }
    }
}

/// Appends `len` bytes, each a copy of the byte `distance` before it. `distance` is at most `out.len()`.
#[inline]
fn repeat(out: &mut Vec<u8>, distance: usize, len: usize) {
    let from = out.len() - distance;
    if distance >= len {
        return out.extend_from_within(from..from + len);
    }
    // Copied bytes can be copied again: the available length doubles each time.
    let mut left = len;
    while left > 0 {
        let n = left.min(out.len() - from);
        out.extend_from_within(from..from + n);
        left -= n;
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("window", &self.window).field("state", &self.state).finish_non_exhaustive()
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("corrupt compressed data")
    }
}

impl core::error::Error for Corrupt {}
