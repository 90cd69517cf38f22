//! Huffman codes for encoding (RFC 1951 §3.2.2).

use crate::codes::{self, MAX_BITS, at, put};

/// The fixed codes (RFC 1951 §3.2.6), built at compile time.
pub(super) static FIXED_LITERALS: EncodeTable<288> = fixed_literals();
pub(super) static FIXED_DISTANCES: EncodeTable<32> = fixed_distances();

/// The codes by symbol: their bits in the order of writing, lowest first, and their lengths.
#[derive(Clone, Copy)]
pub(super) struct EncodeTable<const N: usize> {
    lengths: [u8; N],
    bits: [u16; N],
}

impl<const N: usize> EncodeTable<N> {
    /// The table for symbols with these code lengths.
    pub(super) fn of(lengths: [u8; N]) -> Self {
        let mut next = [0_u16; MAX_BITS + 1];
        for &length in &lengths {
            if let Some(count) = next.get_mut(usize::from(length))
                && length > 0
            {
                *count += 1;
            }
        }
        let mut code = 0;
        for slot in &mut next {
            code = (code + core::mem::replace(slot, code)) << 1;
        }
        let mut bits = [0; N];
        for (bits, &length) in bits.iter_mut().zip(&lengths) {
            if length > 0 {
                let code = at(&next, usize::from(length));
                put(&mut next, usize::from(length), code.wrapping_add(1));
                *bits = code.reverse_bits() >> (16 - length);
            }
        }
        Self { lengths, bits }
    }

    /// The code of a symbol and its length.
    #[inline]
    pub(super) fn get(&self, symbol: u16) -> (u64, u32) {
        (u64::from(at(&self.bits, usize::from(symbol))), u32::from(at(&self.lengths, usize::from(symbol))))
    }
}

const fn fixed_literals() -> EncodeTable<288> {
    let mut bits = [0; 288];
    let mut left: &mut [u16] = &mut bits;
    let mut symbol = 0_u16;
    while let Some((code, rest)) = left.split_first_mut() {
        *code = match symbol {
            0..144 => (48 + symbol).reverse_bits() >> 8,
            144..256 => (400 - 144 + symbol).reverse_bits() >> 7,
            256..280 => (symbol - 256).reverse_bits() >> 9,
            _ => (symbol - (280 - 192)).reverse_bits() >> 8,
        };
        symbol += 1;
        left = rest;
    }
    EncodeTable { lengths: codes::FIXED_LITERALS, bits }
}

const fn fixed_distances() -> EncodeTable<32> {
    let mut bits = [0; 32];
    let mut left: &mut [u16] = &mut bits;
    let mut symbol = 0_u16;
    while let Some((code, rest)) = left.split_first_mut() {
        *code = symbol.reverse_bits() >> 11;
        symbol += 1;
        left = rest;
    }
    EncodeTable { lengths: codes::FIXED_DISTANCES, bits }
}

/// The lengths of optimal codes of at most `limit` bits, for the frequencies of the symbols. Frequencies are below 2^23: a
/// block has fewer than 2^16 symbols.
pub(super) fn lengths<const N: usize>(frequencies: &[u32; N], limit: usize) -> [u8; N] {
    let mut lengths = [0; N];
    // The used symbols with their frequencies above, rarest first.
    let mut used = [0_u32; N];
    let mut n = 0;
    for (symbol, &frequency) in (0_u32..).zip(frequencies) {
        if frequency > 0 {
            put(&mut used, n, frequency << 9 | symbol);
            n += 1;
        }
    }
    let used = used.get_mut(..n).unwrap_or_default();
    used.sort_unstable();

    let mut counts = match n {
        0 => return lengths,
        1 => core::array::from_fn(|length| u32::from(length == 1)),
        _ => depths::<N>(used, limit),
    };
    let mut length = limit;
    for &symbol in used.iter() {
        while length > 1 && at(&counts, length) == 0 {
            length -= 1;
        }
        let left = at(&counts, length);
        put(&mut counts, length, left.saturating_sub(1));
        put(&mut lengths, (symbol & 0x1FF) as usize, length as u8);
    }
    lengths
}

/// The number of codes of each length, up to `limit`, in an optimal tree for at least two symbols.
fn depths<const N: usize>(used: &[u32], limit: usize) -> [u32; MAX_BITS + 1] {
    let n = used.len();
    // Two queues: leaves by weight, and inner nodes, which are created in the order of weight. A node knows its parent.
    let leaf = |i: usize| used.get(i).map_or(u32::MAX, |symbol| symbol >> 9);
    let mut weights = [u32::MAX; N];
    let mut parents = [0_u16; N];
    let mut leaf_parents = [0_u16; N];
    let (mut next_leaf, mut next_node) = (0, 0);
    for node in 0..n - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            // Leaves go first among equal weights, which keeps the tree low. Missing nodes have the largest weight.
            if next_leaf < n && leaf(next_leaf) <= at(&weights, next_node) {
                weight += leaf(next_leaf);
                put(&mut leaf_parents, next_leaf, node as u16);
                next_leaf += 1;
            } else {
                weight += at(&weights, next_node);
                put(&mut parents, next_node, node as u16);
                next_node += 1;
            }
        }
        put(&mut weights, node, weight);
    }

    // From the root down.
    let mut depths = [0_u16; N];
    for node in (0..n - 2).rev() {
        let depth = at(&depths, usize::from(at(&parents, node))) + 1;
        put(&mut depths, node, depth);
    }
    let mut counts = [0_u32; MAX_BITS + 1];
    for &parent in leaf_parents.iter().take(n) {
        let depth = usize::from(at(&depths, usize::from(parent))) + 1;
        if let Some(count) = counts.get_mut(depth.min(limit)) {
            *count += 1;
        }
    }

    // Shortened codes take the place of others, which become longer until all fit again.
    let room = 1_usize << limit;
    let mut taken: usize =
        counts.iter().enumerate().skip(1).map(|(i, &count)| (count as usize) << (limit.saturating_sub(i))).sum();
    while taken > room {
        let Some(shorter) = (1..limit).rev().find(|&i| at(&counts, i) > 0) else { break };
        for (length, change) in [(limit, -1), (shorter, -1), (shorter + 1, 2)] {
            let count = at(&counts, length).saturating_add_signed(change);
            put(&mut counts, length, count);
        }
        taken -= 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kraft<const N: usize>(lengths: &[u8; N]) -> u32 {
        lengths.iter().filter(|&&length| length > 0).map(|&length| 1 << (15 - u32::from(length))).sum()
    }

    #[test]
    fn lengths_are_those_of_a_best_tree() {
        assert_eq!(lengths(&[0; 4], 15), [0; 4]);
        assert_eq!(lengths(&[0, 7, 0, 0], 15), [0, 1, 0, 0]);
        assert_eq!(lengths(&[3, 0, 1, 0], 15), [1, 0, 1, 0]);
        assert_eq!(lengths(&[45, 13, 12, 16, 9, 5], 15), [1, 3, 3, 3, 4, 4]);
        assert_eq!(lengths(&[1; 8], 15), [3; 8]);
    }

    #[test]
    fn codes_are_complete_and_within_the_limit_whatever_the_frequencies() {
        // Fibonacci numbers make the deepest trees.
        let mut frequencies = [0_u32; 24];
        let (mut a, mut b) = (1, 1);
        for frequency in &mut frequencies {
            (*frequency, a, b) = (a, b, a + b);
        }
        for limit in [6, 7, 15] {
            let lengths = lengths(&frequencies, limit);
            assert!(lengths.iter().all(|&length| (1..=limit).contains(&usize::from(length))), "{lengths:?}");
            assert_eq!(kraft(&lengths), 1 << 15, "{lengths:?}");
            assert!(lengths.is_sorted_by(|a, b| a >= b), "{lengths:?}");
        }
    }

    #[test]
    fn fixed_codes_are_those_of_their_lengths() {
        let literals = EncodeTable::of(codes::FIXED_LITERALS);
        assert!((0..288).all(|symbol| FIXED_LITERALS.get(symbol) == literals.get(symbol)));
        let distances = EncodeTable::of(codes::FIXED_DISTANCES);
        assert!((0..32).all(|symbol| FIXED_DISTANCES.get(symbol) == distances.get(symbol)));
    }

    #[test]
    fn codes_are_those_of_the_example() {
        // RFC 1951 §3.2.2: A to H.
        let codes = EncodeTable::of([3, 3, 3, 3, 3, 2, 4, 4]);
        let expected = [0b010, 0b011, 0b100, 0b101, 0b110, 0b00, 0b1110, 0b1111_u16];
        for (symbol, expected) in (0..).zip(expected) {
            let (bits, length) = codes.get(symbol);
            assert_eq!(bits as u16, expected.reverse_bits() >> (16 - length));
        }
    }
}
