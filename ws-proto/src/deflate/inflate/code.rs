//! Huffman codes, to be decoded.

use super::Corrupt;
use crate::deflate::codes::{self, END_OF_BLOCK, MAX_BITS};

/// The codes that need not be told (RFC 1951 §3.2.6), made when this is compiled: a peer can begin such a block with three
/// bits, as often as it likes.
pub(super) static FIXED_LITERALS: Code<LITERALS> = Code { short: fixed_literals(), ..Code::new() };
pub(super) static FIXED_DISTANCES: Code<DISTANCES> = Code { short: fixed_distances(), ..Code::new() };

/// The sizes of the tables.
pub(super) const LITERALS: usize = 1024;
pub(super) const DISTANCES: usize = 256;

/// A Huffman code, to be decoded (RFC 1951 §3.2.2). Codes of at most log2(`SIZE`) bits are looked up at once, longer ones
/// bit by bit.
pub(super) struct Code<const SIZE: usize> {
    /// By the next bits: the symbol, and its length in the low four bits; 0 for what is longer, or no code.
    short: [u16; SIZE],
    /// How many codes there are of each length.
    counts: [u16; MAX_BITS + 1],
    /// The symbols by length, and then by value.
    symbols: [u16; 288],
}

/// What codes may be left unused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Incomplete {
    Refused,
    /// There may be one code alone, of one bit.
    OneCode,
    /// Or none, when there is nothing to say with it.
    OneCodeOrNone,
}

impl<const SIZE: usize> Code<SIZE> {
    pub(super) const fn new() -> Self {
        Self { short: [0; SIZE], counts: [0; MAX_BITS + 1], symbols: [0; 288] }
    }

    /// Makes the code whose symbols have these lengths.
    pub(super) fn build(&mut self, lengths: &[u8], incomplete: Incomplete) -> Result<(), Corrupt> {
        let mut counts = [0_u16; MAX_BITS + 1];
        for &length in lengths {
            if let Some(count) = counts.get_mut(usize::from(length)) {
                *count += 1;
            }
        }
        if let Some(unused) = counts.first_mut() {
            *unused = 0;
        }
        let (mut left, mut index) = (1_i32, 0_u16);
        let mut next_index = [0_u16; MAX_BITS + 1];
        for (length, &count) in counts.iter().enumerate().skip(1) {
            left = 2 * left - i32::from(count);
            if left < 0 {
                return Err(Corrupt);
            }
            codes::put(&mut next_index, length, index);
            index += count;
        }
        let is_fine = match incomplete {
            _ if left == 0 => true,
            Incomplete::Refused => false,
            Incomplete::OneCode => index == 1 && codes::at(&counts, 1) == 1,
            Incomplete::OneCodeOrNone => index == 0 || (index == 1 && codes::at(&counts, 1) == 1),
        };
        if !is_fine {
            return Err(Corrupt);
        }

        self.counts = counts;
        for (symbol, &length) in (0_u16..).zip(lengths) {
            if length > 0
                && let Some(next) = next_index.get_mut(usize::from(length))
            {
                codes::put(&mut self.symbols, usize::from(*next), symbol);
                *next += 1;
            }
        }

        // One length after the other: what shorter codes there are is said twice, with another bit above, and between
        // them there is room for those that are as long.
        let (mut code, mut symbols) = (0_u16, self.symbols.iter());
        codes::put(&mut self.short, 0, 0);
        for (length, &count) in (1..=SIZE.ilog2() as u16).zip(counts.iter().skip(1)) {
            let (shorter, more) = self.short.split_at_mut(1 << (length - 1));
            for (twice, &once) in more.iter_mut().zip(shorter.iter()) {
                *twice = once;
            }
            code <<= 1;
            for &symbol in symbols.by_ref().take(usize::from(count)) {
                let reversed = code.reverse_bits() >> (16 - length);
                codes::put(&mut self.short, usize::from(reversed), symbol << 4 | length);
                code += 1;
            }
        }
        Ok(())
    }

    /// The symbol that the next bits stand for, and how many bits those are; `None` when there are too few.
    #[inline]
    pub(super) fn decode(&self, bits: u64, available: u32) -> Result<Option<(u16, u32)>, Corrupt> {
        let entry = self.short.get(bits as usize & (SIZE - 1)).copied().unwrap_or_default();
        let length = u32::from(entry & 15);
        if entry == 0 {
            return self.decode_long(bits, available);
        }
        Ok((length <= available).then_some((entry >> 4, length)))
    }

    /// The literal that the next bits stand for, of which there are enough, and how many those are; `None` when it is
    /// something else, or its code is long.
    #[inline]
    pub(super) fn short_literal(&self, bits: u64) -> Option<(u8, u32)> {
        let entry = self.short.get(bits as usize & (SIZE - 1)).copied()?;
        (1..END_OF_BLOCK << 4).contains(&entry).then_some(((entry >> 4) as u8, u32::from(entry & 15)))
    }

    #[cold]
    fn decode_long(&self, mut bits: u64, available: u32) -> Result<Option<(u16, u32)>, Corrupt> {
        let (mut code, mut first, mut index) = (0_u16, 0_u16, 0_u16);
        for (length, &count) in (0..).zip(&self.counts).skip(1) {
            if length > available {
                return Ok(None);
            }
            code |= (bits & 1) as u16;
            bits >>= 1;
            if code.wrapping_sub(first) < count {
                return Ok(Some((codes::at(&self.symbols, usize::from(index + (code - first))), length)));
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(Corrupt)
    }
}

const fn fixed_literals() -> [u16; LITERALS] {
    let mut table = [0; LITERALS];
    let mut left: &mut [u16] = &mut table;
    let mut next_bits = 0_u16;
    while let Some((entry, rest)) = left.split_first_mut() {
        let nine = next_bits.reverse_bits() >> 7;
        let (symbol, length) = match nine {
            0..96 => (256 + (nine >> 2), 7),
            96..384 => ((nine >> 1) - 48, 8),
            384..400 => (280 - 192 + (nine >> 1), 8),
            _ => (144 + nine - 400, 9),
        };
        *entry = symbol << 4 | length;
        next_bits += 1;
        left = rest;
    }
    table
}

const fn fixed_distances() -> [u16; DISTANCES] {
    let mut table = [0; DISTANCES];
    let mut left: &mut [u16] = &mut table;
    let mut next_bits = 0_u16;
    while let Some((entry, rest)) = left.split_first_mut() {
        *entry = (next_bits.reverse_bits() >> 11) << 4 | 5;
        next_bits += 1;
        left = rest;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_codes_are_those_of_their_lengths() {
        let mut literals = Code::<LITERALS>::new();
        literals.build(&codes::FIXED_LITERALS, Incomplete::Refused).unwrap();
        assert_eq!(literals.short, FIXED_LITERALS.short);
        let mut distances = Code::<DISTANCES>::new();
        distances.build(&codes::FIXED_DISTANCES, Incomplete::Refused).unwrap();
        assert_eq!(distances.short, FIXED_DISTANCES.short);
    }
}
