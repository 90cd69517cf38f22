//! The dynamic codes of a block (RFC 1951 §3.2.7).

use alloc::boxed::Box;

use super::Corrupt;
use super::bit_reader::BitReader;
use super::decode_table::{DISTANCES, DecodeTable, Incomplete, LITERALS};
use crate::codes::{self, END_OF_BLOCK};

/// The maximum size of a code length in bits, including its repetition.
const LONGEST_LENGTH: u32 = 14;

/// The dynamic codes of a block.
pub(super) struct DynamicCodes {
    /// The code lengths from the block's header, while they are read.
    lengths: [u8; 320],
    pub(super) literals: DecodeTable<LITERALS>,
    pub(super) distances: DecodeTable<DISTANCES>,
}

/// The number of lengths of each code in a block's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LengthCounts {
    pub(super) literals: usize,
    pub(super) distances: usize,
}

impl DynamicCodes {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self { lengths: [0; 320], literals: DecodeTable::new(), distances: DecodeTable::new() })
    }

    /// Begins a block: clears the lengths.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.lengths = [0; 320];
    }

    /// Adds the length of a symbol of the code for code lengths.
    #[inline]
    pub(super) fn push_code_length(&mut self, symbol: u8, length: u8) {
        codes::put(&mut self.lengths, usize::from(symbol), length);
    }

    /// Builds the code for code lengths. It uses the table of the distances until their lengths are read.
    #[inline]
    pub(super) fn use_code_lengths(&mut self) -> Result<(), Corrupt> {
        self.distances.build(self.lengths.get(..19).unwrap_or_default(), Incomplete::Refused)?;
        self.lengths = [0; 320];
        Ok(())
    }

    /// Reads lengths and repetitions of them (RFC 1951 §3.2.7) until there are `count`. Returns whether there are. `at` is the
    /// number of lengths so far.
    #[inline]
    pub(super) fn read_lengths(
        &mut self,
        at: &mut usize,
        count: usize,
        reader: &mut BitReader,
        input: &mut &[u8],
    ) -> Result<bool, Corrupt> {
        while *at < count {
            if reader.count < LONGEST_LENGTH {
                reader.refill(input);
            }
            let Some((symbol, used)) = self.distances.decode(reader.bits, reader.count)? else { return Ok(false) };
            if symbol < 16 {
                reader.skip(used);
                codes::put(&mut self.lengths, *at, symbol as u8);
                *at += 1;
                continue;
            }
            let (extra, least) = match symbol {
                16 => (2, 3),
                17 => (3, 3),
                _ => (7, 11),
            };
            if used + extra > reader.count {
                return Ok(false);
            }
            let length = match symbol {
                16 => at.checked_sub(1).map(|before| codes::at(&self.lengths, before)).ok_or(Corrupt)?,
                _ => 0,
            };
            let end = *at + least + (reader.bits >> used & ((1 << extra) - 1)) as usize;
            reader.skip(used + extra);
            if end > count {
                return Err(Corrupt);
            }
            self.lengths.get_mut(*at..end).unwrap_or_default().fill(length);
            *at = end;
        }
        Ok(true)
    }

    /// Builds the codes of literals and distances from their lengths.
    #[inline]
    pub(super) fn use_lengths(&mut self, counts: LengthCounts) -> Result<(), Corrupt> {
        let (literals, rest) = self.lengths.split_at_checked(counts.literals).ok_or(Corrupt)?;
        if codes::at(literals, usize::from(END_OF_BLOCK)) == 0 {
            return Err(Corrupt);
        }
        self.literals.build(literals, Incomplete::OneCode)?;
        self.distances.build(rest.get(..counts.distances).unwrap_or_default(), Incomplete::OneCodeOrNone)
    }
}
