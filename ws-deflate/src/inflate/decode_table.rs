//! Huffman codes for decoding (RFC 1951 §3.2.2).

use super::Corrupt;
use crate::codes::{self, END_OF_BLOCK, MAX_BITS};

/// The fixed codes (RFC 1951 §3.2.6), built at compile time: a peer can begin a block with them with three bits, any number of
/// times.
pub(super) static FIXED_LITERALS: DecodeTable<LITERALS> =
    DecodeTable { short: fixed_literals(), mask: 511, ..DecodeTable::new() };
pub(super) static FIXED_DISTANCES: DecodeTable<DISTANCES> =
    DecodeTable { short: fixed_distances(), mask: 31, ..DecodeTable::new() };

/// The sizes of the tables, in entries.
pub(super) const LITERALS: usize = 1024;
pub(super) const DISTANCES: usize = 256;

/// A table for decoding a Huffman code. Codes of at most log2(`SIZE`) bits are found with one look-up. Longer ones are compared
/// with the first code of each length.
pub(super) struct DecodeTable<const SIZE: usize> {
    /// The symbols by the next bits, with the code length in the low four bits. 0 for a longer code, or none.
    short: [u16; SIZE],
    /// The used size of `short` less one: no more than the longest code needs.
    mask: usize,
    /// The codes by length.
    lengths: [CodesOfLength; MAX_BITS + 1],
    /// The symbols, sorted by code length and then by value.
    symbols: [u16; 288],
}

/// The range of codes of one length.
#[derive(Clone, Copy)]
struct CodesOfLength {
    /// The end of the range: the first longer code, in the high bits of 16.
    end: u32,
    /// The offset from a code to the index of its symbol.
    place: u16,
}

/// The kinds of incomplete codes that are accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Incomplete {
    Refused,
    /// A single code of one bit is accepted.
    OneCode,
    /// A single code of one bit, or no code, is accepted.
    OneCodeOrNone,
}

impl<const SIZE: usize> DecodeTable<SIZE> {
    pub(super) const fn new() -> Self {
        Self {
            short: [0; SIZE],
            mask: 0,
            lengths: [CodesOfLength { end: 0, place: 0 }; MAX_BITS + 1],
            symbols: [0; 288],
        }
    }

    /// Builds the table for symbols with these code lengths.
    pub(super) fn build(&mut self, lengths: &[u8], incomplete: Incomplete) -> Result<(), Corrupt> {
        let mut counts = [0_u16; MAX_BITS + 1];
        for &length in lengths {
            if let Some(count) = counts.get_mut(usize::from(length)) {
                *count += 1;
            }
        }
        let (mut left, mut index, mut first, mut longest) = (1_i32, 0_u16, 0_u16, 1);
        let mut next_index = [0_u16; MAX_BITS + 1];
        let all = counts.iter().zip(&mut self.lengths).zip(&mut next_index).enumerate();
        for (length, ((&count, codes), next_index)) in all.skip(1) {
            left = 2 * left - i32::from(count);
            if left < 0 {
                return Err(Corrupt);
            }
            let end = first + count;
            *codes = CodesOfLength { end: u32::from(end) << (16 - length), place: index.wrapping_sub(first) };
            *next_index = index;
            (index, first) = (index + count, end << 1);
            if count > 0 {
                longest = length;
            }
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

        for (symbol, &length) in (0_u16..).zip(lengths) {
            if length > 0
                && let Some(next) = next_index.get_mut(usize::from(length))
            {
                codes::put(&mut self.symbols, usize::from(*next), symbol);
                *next += 1;
            }
        }

        // One length after the other: the entries of shorter codes are doubled for the next bit above, and the codes of this
        // length fill the gaps.
        let bits = longest.min(SIZE.ilog2() as usize);
        self.mask = (1 << bits) - 1;
        let (mut code, mut symbols) = (0_u16, self.symbols.iter());
        codes::put(&mut self.short, 0, 0);
        for (length, &count) in (1..=bits as u16).zip(counts.iter().skip(1)) {
            let (shorter, more) = self.short.split_at_mut(1 << (length - 1));
            if let Some(more) = more.get_mut(..shorter.len()) {
                more.copy_from_slice(shorter);
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

    /// Decodes the next symbol. Returns it with its code length, or `None` when there are too few bits.
    #[inline]
    pub(super) fn decode(&self, bits: u64, available: u32) -> Result<Option<(u16, u32)>, Corrupt> {
        let entry = codes::at(&self.short, bits as usize & self.mask & (SIZE - 1));
        let length = u32::from(entry & 15);
        if entry == 0 {
            return self.decode_long(bits, available);
        }
        Ok((length <= available).then_some((entry >> 4, length)))
    }

    /// Decodes the next symbol if it is a literal with a short code. Returns it with its code length. There must be enough bits.
    #[inline]
    pub(super) fn short_literal(&self, bits: u64) -> Option<(u8, u32)> {
        let entry = codes::at(&self.short, bits as usize & self.mask & (SIZE - 1));
        (1..END_OF_BLOCK << 4).contains(&entry).then_some(((entry >> 4) as u8, u32::from(entry & 15)))
    }

    /// Decodes a symbol with a long code. Missing bits count as zeros: the result is then at most the right code, and so not
    /// longer.
    #[cold]
    fn decode_long(&self, bits: u64, available: u32) -> Result<Option<(u16, u32)>, Corrupt> {
        let next = (bits as u16).reverse_bits();
        let longer = self.mask.count_ones() as usize + 1;
        for (length, codes) in self.lengths.iter().enumerate().skip(longer) {
            if u32::from(next) < codes.end {
                let place = codes.place.wrapping_add(next >> (16 - length));
                let length = length as u32;
                return Ok((length <= available).then_some((codes::at(&self.symbols, usize::from(place)), length)));
            }
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

    /// Looked up bit by bit, as RFC 1951 §3.2.2 says it.
    fn decode_slowly(lengths: &[u8], bits: u64) -> Option<(u16, u32)> {
        let (mut code, mut first) = (0, 0);
        for length in 1..=15 {
            code |= bits >> (length - 1) & 1;
            let symbols = (0..).zip(lengths).filter(|(_, other)| u64::from(**other) == length);
            if let Some((symbol, _)) = symbols.clone().nth(code.wrapping_sub(first) as usize) {
                return Some((symbol, length as u32));
            }
            first = (first + symbols.count() as u64) << 1;
            code <<= 1;
        }
        None
    }

    fn assert_decodes<const SIZE: usize>(code: &DecodeTable<SIZE>, lengths: &[u8]) {
        for bits in (0..1 << 15).step_by(11) {
            let expected = decode_slowly(lengths, bits);
            assert_eq!(code.decode(bits, 15), expected.map(Some).ok_or(Corrupt), "{bits:015b}");
            // What is not there yet is no reason to decide.
            let Some((_, length)) = expected else { continue };
            let there = bits & ((1 << (length - 1)) - 1);
            assert_eq!(code.decode(there, length - 1), Ok(None), "{bits:015b}, a bit less");
        }
    }

    #[test]
    fn fixed_codes_are_those_of_their_lengths() {
        assert_decodes(&FIXED_LITERALS, &codes::FIXED_LITERALS);
        assert_decodes(&FIXED_DISTANCES, &codes::FIXED_DISTANCES);
    }

    #[test]
    fn codes_of_every_length_are_decoded() {
        let (mut literals, mut distances) = (DecodeTable::<LITERALS>::new(), DecodeTable::<DISTANCES>::new());
        // One after the other, for what was there before must not be found.
        for (lengths, incomplete) in [
            (&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15][..], Incomplete::Refused),
            (&[15, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1], Incomplete::Refused),
            (&[2, 0, 2, 2, 0, 3, 3], Incomplete::Refused),
            (&[0, 1], Incomplete::OneCode),
            (&[0, 0], Incomplete::OneCodeOrNone),
            (&[9; 512][..286], Incomplete::Refused),
            (&[8; 256], Incomplete::Refused),
        ] {
            let complete = lengths.iter().filter(|n| **n > 0).map(|n| 1 << (15 - n)).sum::<u32>() == 1 << 15;
            let expected = if complete || incomplete != Incomplete::Refused { Ok(()) } else { Err(Corrupt) };
            assert_eq!(literals.build(lengths, incomplete), expected, "{lengths:?}");
            assert_eq!(distances.build(lengths, incomplete), expected, "{lengths:?}");
            if expected.is_ok() {
                assert_decodes(&literals, lengths);
                assert_decodes(&distances, lengths);
            }
        }
    }
}
