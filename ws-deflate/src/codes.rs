//! The symbols of RFC 1951 §3.2.5 to §3.2.7, which both directions share.

/// The longest code of literals, lengths and distances, in bits.
pub(super) const MAX_BITS: usize = 15;

/// The lengths of the shortest and the longest match, in bytes.
pub(super) const MIN_MATCH: usize = 3;
pub(super) const MAX_MATCH: usize = 258;

/// The symbol for the end of a block. Symbols below it are literals, symbols above it are lengths.
pub(super) const END_OF_BLOCK: u16 = 256;

/// The order in which a block has the lengths of the code for code lengths.
pub(super) const CODE_LENGTH_ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The lengths of the fixed codes.
pub(super) const FIXED_LITERALS: [u8; 288] = fixed_literals();
pub(super) const FIXED_DISTANCES: [u8; 32] = [5; 32];

const fn fixed_literals() -> [u8; 288] {
    let mut lengths = [8; 288];
    let (_, mut high) = lengths.split_at_mut(144);
    let mut n = 144;
    while let Some((length, rest)) = high.split_first_mut() {
        *length = match n {
            144..256 => 9,
            256..280 => 7,
            _ => 8,
        };
        n += 1;
        high = rest;
    }
    lengths
}

/// The symbol of a match's length, the number of extra bits, and their value.
#[inline]
const fn length_symbol(len: usize) -> (u16, u32, u32) {
    let x = (len - MIN_MATCH) as u32;
    if len == MAX_MATCH {
        return (285, 0, 0);
    }
    if x < 4 {
        return (257 + x as u16, 0, 0);
    }
    let extra = x.ilog2() - 2;
    ((257 + (extra + 1) * 4 + (x >> extra & 3)) as u16, extra, x & ((1 << extra) - 1))
}

/// The encoding of every length, from [`MIN_MATCH`] on: the symbol in the low nine bits, and the extra bits above.
const LENGTHS: [u16; 256] = lengths();

const fn lengths() -> [u16; 256] {
    let mut lengths = [0; 256];
    let mut left: &mut [u16] = &mut lengths;
    let mut len = MIN_MATCH;
    while let Some((length, rest)) = left.split_first_mut() {
        let (symbol, _, extra) = length_symbol(len);
        *length = symbol | (extra as u16) << 9;
        len += 1;
        left = rest;
    }
    lengths
}

/// The symbol of a match's length in the low nine bits, and the extra bits above.
#[inline]
pub(super) fn packed_length(len: usize) -> u32 {
    u32::from(at(&LENGTHS, usize::from((len - MIN_MATCH) as u8)))
}

/// The numbers of extra bits of the length symbols, from 257 on.
pub(super) const LENGTH_EXTRA: [u8; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];

/// The numbers of extra bits of the distance symbols.
pub(super) const DISTANCE_EXTRA: [u8; 30] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];

/// The shortest length of a symbol, and the number of extra bits that add to it. `None` for an undefined symbol.
#[inline]
pub(super) fn length_of(symbol: u16) -> Option<(usize, u32)> {
    let s = u32::from(symbol.checked_sub(257)?);
    match s {
        0..4 => Some((MIN_MATCH + s as usize, 0)),
        4..28 => {
            let extra = s / 4 - 1;
            Some((MIN_MATCH + ((4 + s as usize % 4) << extra), extra))
        }
        28 => Some((MAX_MATCH, 0)),
        _ => None,
    }
}

/// The symbol of a match's distance, the number of extra bits, and their value.
#[inline]
pub(super) fn distance_symbol(distance: usize) -> (u16, u32, u32) {
    let x = (distance - 1) as u32;
    if x < 2 {
        return (x as u16, 0, 0);
    }
    let extra = x.ilog2() - 1;
    (((extra + 1) * 2 + (x >> extra & 1)) as u16, extra, x & ((1 << extra) - 1))
}

/// The shortest distance of a symbol, and the number of extra bits that add to it. `None` for an undefined symbol.
#[inline]
pub(super) fn distance_of(symbol: u16) -> Option<(usize, u32)> {
    let s = u32::from(symbol);
    match s {
        0..2 => Some((1 + s as usize, 0)),
        2..30 => {
            let extra = s / 2 - 1;
            Some((1 + ((2 + s as usize % 2) << extra), extra))
        }
        _ => None,
    }
}

/// An element of a table whose index is known to be in it.
#[inline]
pub(super) fn at<T: Copy + Default>(table: &[T], index: usize) -> T {
    table.get(index).copied().unwrap_or_default()
}

/// Sets an element of a table whose index is known to be in it.
#[inline]
pub(super) fn put<T>(table: &mut [T], index: usize, value: T) {
    if let Some(slot) = table.get_mut(index) {
        *slot = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_distance_has_its_symbol() {
        for len in MIN_MATCH..=MAX_MATCH {
            let (symbol, extra, bits) = length_symbol(len);
            assert_eq!(length_of(symbol).map(|(base, n)| (base + bits as usize, n)), Some((len, extra)));
            assert_eq!(packed_length(len), u32::from(symbol) | bits << 9);
            assert_eq!(u32::from(LENGTH_EXTRA[usize::from(symbol) - 257]), extra);
        }
        for distance in 1..=32_768 {
            let (symbol, extra, bits) = distance_symbol(distance);
            assert_eq!(distance_of(symbol).map(|(base, n)| (base + bits as usize, n)), Some((distance, extra)));
            assert_eq!(u32::from(DISTANCE_EXTRA[usize::from(symbol)]), extra);
        }
        assert_eq!([length_of(256), length_of(286), length_of(287)], [None; 3]);
        assert_eq!([distance_of(30), distance_of(31)], [None; 2]);
        // The corners of the tables in RFC 1951 §3.2.5.
        assert_eq!(
            [10, 11, 12, 13, 257].map(length_symbol),
            [(264, 0, 0), (265, 1, 0), (265, 1, 1), (266, 1, 0), (284, 5, 30)]
        );
        assert_eq!(
            [4, 5, 6, 24_577, 32_768].map(distance_symbol),
            [(3, 0, 0), (4, 1, 0), (4, 1, 1), (29, 13, 0), (29, 13, 8191)]
        );
    }
}
