//! The encoding of literals and matches as blocks (RFC 1951 §3.2.3).

use alloc::vec::Vec;

use crate::codes::{
    CODE_LENGTH_ORDER, DISTANCE_EXTRA, END_OF_BLOCK, FIXED_DISTANCES, FIXED_LITERALS, LENGTH_EXTRA, MAX_BITS, at,
    distance_symbol, packed_length, put,
};
use crate::encode_table::{self, EncodeTable};

/// The maximum length of a stored block in bytes: its length field has 16 bits.
const LONGEST_STORED: usize = 0xFFFF;

/// The number of literals that may be added to a nearly full block before a lazily chosen match. Levels above 6 may add more.
const LAZY: usize = 32;

/// The symbols of the next block.
pub(super) struct Block {
    /// From the low bits up: the literal, or the length's symbol in nine bits and its extra bits in five, then the distance's
    /// symbol in five bits and its extra bits in 13.
    symbols: Vec<u32>,
    /// The maximum number of symbols in a block.
    most: usize,
    /// The number of bytes that the symbols encode.
    len: usize,
    literals: [u32; 286],
    distances: [u32; 30],
}

impl Block {
    pub(super) fn new(most: usize) -> Self {
        Self { symbols: Vec::new(), most, len: 0, literals: [0; 286], distances: [0; 30] }
    }

    /// Reserves memory for the symbols of `len` bytes.
    pub(super) fn expect(&mut self, len: usize) {
        self.symbols.reserve_exact(len.min(self.most + LAZY));
    }

    pub(super) fn is_full(&self) -> bool {
        self.symbols.len() >= self.most
    }

    #[inline]
    pub(super) fn push_literal(&mut self, byte: u8) {
        self.symbols.push(u32::from(byte));
        self.len += 1;
        count(&mut self.literals, u16::from(byte));
    }

    #[inline]
    pub(super) fn push_match(&mut self, len: usize, distance: usize) {
        let length = packed_length(len);
        let (symbol, _, extra) = distance_symbol(distance);
        self.symbols.push(length | u32::from(symbol) << 14 | extra << 19);
        self.len += len;
        count(&mut self.literals, length as u16 & 0x1FF);
        count(&mut self.distances, symbol);
    }

    /// Writes the block in its shortest form and begins another. Writes nothing for an empty block. `bytes` end with the bytes
    /// that the block encodes, as far as they are still available.
    pub(super) fn write(&mut self, bytes: &[u8], writer: &mut BitWriter<'_>) {
        if self.symbols.is_empty() {
            return;
        }
        count(&mut self.literals, END_OF_BLOCK);
        // The lengths give the cost. Codes are built only for the form that is written.
        let literals = encode_table::lengths(&self.literals, MAX_BITS);
        let distances = encode_table::lengths(&self.distances, MAX_BITS);
        let header = DynamicHeader::new(&literals, &distances);
        let extra = self.extra_bits();
        let dynamic = header.cost() + cost(&literals, &self.literals) + cost(&distances, &self.distances) + extra;
        let fixed = cost(&FIXED_LITERALS, &self.literals) + cost(&FIXED_DISTANCES, &self.distances) + extra;
        let stored = bytes.len().checked_sub(self.len).and_then(|start| bytes.get(start..));

        match stored {
            Some(bytes) if 8 * bytes.len() + 40 < dynamic.min(fixed) => writer.stored(bytes),
            _ if dynamic < fixed => {
                writer.put(0b100, 3);
                header.write(writer);
                self.write_symbols(&EncodeTable::of(literals), &EncodeTable::of(distances), writer);
            }
            _ => {
                writer.put(0b010, 3);
                self.write_symbols(&encode_table::FIXED_LITERALS, &encode_table::FIXED_DISTANCES, writer);
            }
        }
        self.symbols.clear();
        self.len = 0;
        self.literals = [0; 286];
        self.distances = [0; 30];
    }

    /// Whether the encoded bytes should be available when the block is written, because they hardly compress.
    pub(super) fn may_be_stored(&self) -> bool {
        8 * self.symbols.len() > 7 * self.len
    }

    /// Releases the memory of the block, which must have been written.
    pub(super) fn release(&mut self) {
        self.symbols = Vec::new();
    }

    fn extra_bits(&self) -> usize {
        let lengths = self.literals.get(usize::from(END_OF_BLOCK) + 1..).unwrap_or_default();
        cost(&LENGTH_EXTRA, lengths) + cost(&DISTANCE_EXTRA, &self.distances)
    }

    fn write_symbols<const L: usize, const D: usize>(
        &self,
        literals: &EncodeTable<L>,
        distances: &EncodeTable<D>,
        writer: &mut BitWriter<'_>,
    ) {
        for &symbol in &self.symbols {
            let low = symbol as u16 & 0x1FF;
            let (bits, n) = literals.get(low);
            if low < END_OF_BLOCK {
                writer.put(bits, n);
                continue;
            }
            let extra = at(&LENGTH_EXTRA, usize::from(low) - 257);
            writer.put(bits | u64::from(symbol >> 9 & 31) << n, n + u32::from(extra));
            let high = (symbol >> 14 & 31) as u16;
            let extra = at(&DISTANCE_EXTRA, usize::from(high));
            let (bits, n) = distances.get(high);
            writer.put(bits | u64::from(symbol >> 19) << n, n + u32::from(extra));
        }
        let (bits, n) = literals.get(END_OF_BLOCK);
        writer.put(bits, n);
    }
}

#[inline]
fn count(frequencies: &mut [u32], symbol: u16) {
    if let Some(frequency) = frequencies.get_mut(usize::from(symbol)) {
        *frequency += 1;
    }
}

/// The size in bits with codes of these lengths.
fn cost(lengths: &[u8], frequencies: &[u32]) -> usize {
    lengths.iter().zip(frequencies).map(|(&length, &n)| u32::from(length) * n).sum::<u32>() as usize
}

/// The header of a block with dynamic codes (RFC 1951 §3.2.7): the code lengths, run-length encoded in a code of their own.
struct DynamicHeader {
    literals: usize,
    distances: usize,
    /// Code length symbols, each with the value of its extra bits above the low 8.
    symbols: [u16; 316],
    len: usize,
    /// The lengths of that code.
    lengths: [u8; 19],
    /// The number of them that are written.
    told: usize,
    frequencies: [u32; 19],
}

impl DynamicHeader {
    fn new(literals: &[u8; 286], distances: &[u8; 30]) -> Self {
        let told = |lengths: &[u8], least: usize| lengths.iter().rposition(|&n| n > 0).map_or(0, |i| i + 1).max(least);
        let (literal_count, distance_count) = (told(literals, 257), told(distances, 1));
        let mut this = Self {
            literals: literal_count,
            distances: distance_count,
            symbols: [0; 316],
            len: 0,
            lengths: [0; 19],
            told: 0,
            frequencies: [0; 19],
        };
        let mut lengths = literals.iter().take(literal_count).chain(distances.iter().take(distance_count)).peekable();
        while let Some(&length) = lengths.next() {
            let mut run = 1;
            while lengths.next_if_eq(&&length).is_some() {
                run += 1;
            }
            this.push_run(length, run);
        }
        this.lengths = encode_table::lengths(&this.frequencies, 7);
        let of = |&symbol: &u8| at(&this.lengths, usize::from(symbol));
        this.told = CODE_LENGTH_ORDER.iter().rposition(|symbol| of(symbol) > 0).map_or(0, |i| i + 1).max(4);
        this
    }

    fn push_run(&mut self, length: u8, mut run: usize) {
        if length > 0 {
            self.push(length, 0);
            run -= 1;
        }
        while run > 0 {
            let (symbol, least, most) = match (length, run) {
                (0, 11..) => (18, 11, 138),
                (0, 3..) => (17, 3, 10),
                (1.., 3..) => (16, 3, 6),
                _ => (length, 1, 1),
            };
            let n = run.min(most);
            self.push(symbol, (n - least) as u16);
            run -= n;
        }
    }

    fn push(&mut self, symbol: u8, extra: u16) {
        put(&mut self.symbols, self.len, extra << 8 | u16::from(symbol));
        self.len += 1;
        count(&mut self.frequencies, u16::from(symbol));
    }

    fn cost(&self) -> usize {
        let extra: usize =
            (0_u16..).zip(&self.frequencies).map(|(symbol, &n)| repeat_bits(symbol) as usize * n as usize).sum();
        17 + 3 * self.told + cost(&self.lengths, &self.frequencies) + extra
    }

    fn write(&self, writer: &mut BitWriter<'_>) {
        writer.put((self.literals - 257) as u64, 5);
        writer.put((self.distances - 1) as u64, 5);
        writer.put((self.told - 4) as u64, 4);
        for &symbol in CODE_LENGTH_ORDER.iter().take(self.told) {
            writer.put(u64::from(at(&self.lengths, usize::from(symbol))), 3);
        }
        let codes = EncodeTable::of(self.lengths);
        for &symbol in self.symbols.iter().take(self.len) {
            let (symbol, extra) = (symbol & 0xFF, symbol >> 8);
            let (bits, n) = codes.get(symbol);
            writer.put(bits | u64::from(extra) << n, n + repeat_bits(symbol));
        }
    }
}

/// The number of extra bits of a code length symbol.
fn repeat_bits(symbol: u16) -> u32 {
    match symbol {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    }
}

/// Appends bits, the first one lowest (RFC 1951 §3.1.1).
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    bits: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, bits: 0, count: 0 }
    }

    /// Appends `n` bits, at most 32.
    #[inline]
    fn put(&mut self, bits: u64, n: u32) {
        self.bits |= bits << self.count;
        self.count += n;
        if self.count >= 32 {
            self.out.extend_from_slice(&(self.bits as u32).to_le_bytes());
            self.bits >>= 32;
            self.count -= 32;
        }
    }

    /// Pads to the next byte boundary.
    fn align(&mut self) {
        let bytes = self.bits.to_le_bytes();
        self.out.extend(bytes.iter().take(self.count.div_ceil(8) as usize));
        (self.bits, self.count) = (0, 0);
    }

    fn stored(&mut self, bytes: &[u8]) {
        for bytes in bytes.chunks(LONGEST_STORED) {
            self.stored_header(bytes.len() as u16);
            self.out.extend_from_slice(bytes);
        }
    }

    fn stored_header(&mut self, len: u16) {
        self.put(0, 3);
        self.align();
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out.extend_from_slice(&(!len).to_le_bytes());
    }

    /// Appends an empty stored block, which flushes all bits before it (RFC 7692 §7.2.1).
    pub(super) fn sync(mut self) {
        self.stored_header(0);
    }
}
