//! The compressor (RFC 1951): the search for matches.

use alloc::vec::Vec;
use core::fmt;

use crate::blocks::{BitWriter, Block};
use crate::codes::{self, MAX_MATCH, at, put};
use crate::settings::Settings;

/// The number of bytes that are hashed to find matches. Shorter matches hardly save anything.
const HASHED: usize = 4;

/// Compresses messages one after the other. Each may refer to the messages before it.
///
/// # Memory
///
/// Nothing is allocated before the first message. From then on it keeps the newest input, twice the window at most, and two
/// tables. They take 2 bytes for each byte of the window, and 2 to the power of 8 + [memory level](Settings::memory_level)
/// bytes. That is 24 KiB at window 12 and memory level 5, and 192 KiB at window 15
/// and memory level 8. While it compresses it also holds the symbols of a block, 4 bytes for each byte of the message and
/// 2 to the power of 8 + memory level bytes at most. The value itself has about 1.4 KiB: box it where that is too much.
pub struct Compressor {
    /// The size of the window plus one, in bytes.
    window: usize,
    effort: Effort,
    /// The history, and after it the input that is being compressed.
    bytes: Vec<u8>,
    tables: Tables,
    block: Block,
}

/// The earlier positions of bytes. Only the low 16 bits of positions are stored, so each entry is a guess that is checked
/// against the bytes.
struct Tables {
    hash_bits: u32,
    /// The absolute position of the first byte of the history.
    base: usize,
    /// The end of the positions that are in the tables.
    hashed: usize,
    /// The last position of bytes with a hash, by that hash.
    heads: Vec<u16>,
    /// The previous position of bytes with the same hash, by position.
    chains: Vec<u16>,
}

/// The effort of the search for matches.
#[derive(Clone, Copy)]
struct Effort {
    /// The number of candidates that are tried.
    tries: u32,
    /// The length from which on a match ends the search.
    enough: usize,
    /// The length below which a match is dropped for a longer one that begins one byte later.
    lazy: usize,
}

#[derive(Clone, Copy)]
struct Match {
    len: usize,
    /// The length, or 0 for no match.
    distance: usize,
}

impl Compressor {
    /// A compressor for any number of messages, with an empty history.
    pub fn new(settings: Settings) -> Self {
        Self {
            window: 1 << settings.window_bits,
            effort: Effort::of(settings.level),
            bytes: Vec::new(),
            tables: Tables {
                hash_bits: u32::from(settings.memory_level) + 7,
                base: 0,
                hashed: 0,
                heads: Vec::new(),
                chains: Vec::new(),
            },
            block: Block::new(1 << (settings.memory_level + 6)),
        }
    }

    /// A compressor for a single message of `len` bytes. It allocates no more than such a message needs.
    ///
    /// It also compresses longer messages, and more than one, but may miss matches in them.
    pub fn for_message(len: usize, settings: Settings) -> Self {
        let mut this = Self::new(settings);
        let enough = len.max(256).next_power_of_two();
        this.window = this.window.min(enough);
        this.tables.hash_bits = this.tables.hash_bits.min(enough.ilog2() + 1);
        this
    }

    /// Compresses a message, or the next part of one, and appends the result to `out`.
    ///
    /// The result ends with an empty stored block, whose last four bytes are [`TAIL`](crate::TAIL), so that all of `input`
    /// can be inflated at once. permessage-deflate omits those four bytes at the end of a message (RFC 7692 §7.2.1). Bytes that
    /// cannot be compressed are stored. The result is then longer than `input` by about 6 bytes for each block.
    pub fn compress(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        if self.tables.heads.is_empty() {
            self.tables.heads = alloc::vec![0; 1 << self.tables.hash_bits];
            self.tables.chains = alloc::vec![0; self.window];
        }
        self.block.expect(input.len());
        let mut writer = BitWriter::new(out);
        loop {
            let (piece, rest) = input.split_at(self.make_room(input.len(), &mut writer).min(input.len()));
            input = rest;
            let start = self.bytes.len();
            self.bytes.reserve_exact(piece.len());
            self.bytes.extend_from_slice(piece);
            self.find_matches(start, &mut writer);
            if input.is_empty() {
                break;
            }
        }
        self.block.write(&self.bytes, &mut writer);
        self.block.release();
        writer.sync();
    }

    /// Adds bytes to the history without compressing them, so that the next message can refer to them.
    ///
    /// Use it for bytes that the receiver has in its window from another source: a message that was compressed once for several
    /// receivers, or a dictionary that both ends start with. In the receiver's window, they must be directly before the next
    /// message.
    pub fn remember(&mut self, input: &[u8]) {
        // Bytes before the window are dropped. If the input is longer than the window, that is the whole history.
        let kept = if input.len() < self.window { self.window } else { 0 };
        let gone = self.bytes.len().saturating_sub(kept);
        self.bytes.drain(..gone);
        self.tables.forget(gone);
        let skipped = input.len().saturating_sub(self.window);
        self.tables.forget(skipped);
        let input = input.get(skipped..).unwrap_or_default();
        self.bytes.reserve_exact(input.len());
        self.bytes.extend_from_slice(input);
    }

    /// Makes room for `wanted` more bytes, or some of them, by dropping the oldest bytes before the window. Returns the room.
    fn make_room(&mut self, wanted: usize, writer: &mut BitWriter<'_>) -> usize {
        let (len, most) = (self.bytes.len(), 2 * self.window);
        if len + wanted > most && len > self.window {
            if self.block.may_be_stored() {
                self.block.write(&self.bytes, writer);
            }
            let gone = len - self.window;
            self.bytes.drain(..gone);
            self.tables.forget(gone);
        }
        most - self.bytes.len()
    }

    /// Splits the bytes from `start` on into literals and matches.
    fn find_matches(&mut self, start: usize, writer: &mut BitWriter<'_>) {
        let Self { window, effort, bytes, tables, block } = self;
        let (bytes, furthest) = (bytes.as_slice(), *window - 1);
        let mut at = start;
        while let Some(&byte) = bytes.get(at) {
            if block.is_full() {
                block.write(bytes.get(..at).unwrap_or_default(), writer);
            }
            let mut found = tables.longest(bytes, at, 0, furthest, *effort);
            if found.distance == 0 {
                block.push_literal(byte);
                at += 1;
                continue;
            }
            while found.len < effort.lazy {
                let longer = tables.longest(bytes, at + 1, found.len, furthest, *effort);
                if longer.distance == 0 {
                    break;
                }
                block.push_literal(codes::at(bytes, at));
                at += 1;
                found = longer;
            }
            block.push_match(found.len, found.distance);
            at += found.len;
        }
    }
}

impl Tables {
    /// Accounts for the first `gone` bytes of the history, which were dropped.
    fn forget(&mut self, gone: usize) {
        self.base += gone;
        self.hashed -= gone.min(self.hashed);
    }

    /// The longest match at a position, if longer than `least`. Enters all positions up to this one into the tables.
    fn longest(&mut self, bytes: &[u8], position: usize, least: usize, furthest: usize, effort: Effort) -> Match {
        if self.hashed < position {
            self.enter_up_to(bytes, position);
        }
        let mut found = Match { len: least.max(HASHED - 1), distance: 0 };
        let rest = bytes.get(position..).unwrap_or_default();
        let longest = rest.len().min(MAX_MATCH);
        if longest < HASHED {
            return found;
        }
        let mut candidate = self.enter(position, word(rest, 0));
        if found.len >= longest {
            return found;
        }
        let absolute = (self.base + position) as u16;
        let furthest = position.min(furthest) as u16;
        let enough = effort.enough.min(longest);
        let (chains, mask) = (self.chains.as_slice(), self.chains.len().wrapping_sub(1));

        // A candidate is compared only if the last four bytes of a longer match would agree.
        let position = position as u32;
        let mut offset = (found.len + 1 - HASHED) as u32;
        let mut end = word(rest, offset);
        let mut nearer = 0;
        for _ in 0..effort.tries {
            let distance = absolute.wrapping_sub(candidate);
            // Candidates go further back each time. A stale entry does not, and ends the search.
            if distance <= nearer || distance > furthest {
                break;
            }
            nearer = distance;
            let from = position - u32::from(distance);
            if word(bytes, from + offset) == end {
                let len = common(bytes.get(from as usize..).unwrap_or_default(), rest, longest);
                if len > found.len {
                    found = Match { len, distance: usize::from(distance) };
                    if len >= enough {
                        break;
                    }
                    offset = (len + 1 - HASHED) as u32;
                    end = word(rest, offset);
                }
            }
            candidate = at(chains, usize::from(candidate) & mask);
        }
        found
    }

    /// Enters the positions before `end` into the tables, as far as their bytes are available.
    #[inline]
    fn enter_up_to(&mut self, bytes: &[u8], end: usize) {
        let from = self.hashed;
        let last = bytes.len().min(end + HASHED - 1);
        let entered = bytes.get(from..last).unwrap_or_default().windows(HASHED);
        self.hashed += entered.len();
        let (shift, mask) = (32 - self.hash_bits, self.chains.len().wrapping_sub(1));
        let (heads, chains) = (self.heads.as_mut_slice(), self.chains.as_mut_slice());
        for (absolute, bytes) in (self.base + from..).zip(entered) {
            if let Some(&bytes) = bytes.first_chunk()
                && let Some(head) = heads.get_mut(hash(u32::from_le_bytes(bytes), shift))
            {
                put(chains, absolute & mask, core::mem::replace(head, absolute as u16));
            }
        }
    }

    /// Enters a position of `bytes` into the tables. Returns the last candidate before it.
    #[inline]
    fn enter(&mut self, position: usize, bytes: u32) -> u16 {
        self.hashed = position + 1;
        let absolute = self.base + position;
        let Some(head) = self.heads.get_mut(hash(bytes, 32 - self.hash_bits)) else { return 0 };
        let before = core::mem::replace(head, absolute as u16);
        let slot = absolute & self.chains.len().wrapping_sub(1);
        put(&mut self.chains, slot, before);
        before
    }
}

#[inline]
fn hash(bytes: u32, shift: u32) -> usize {
    (bytes.wrapping_mul(0x9E37_79B1) >> shift) as usize
}

/// The four bytes at a position, which must be in range.
#[inline]
fn word(bytes: &[u8], at: u32) -> u32 {
    let at = at as usize;
    bytes.get(at..at + 4).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

impl Effort {
    const fn of(level: u8) -> Self {
        let (tries, enough, lazy) = match level {
            ..=1 => (1, 16, 0),
            2 => (4, 16, 0),
            3 => (6, 32, 8),
            4 => (12, 32, 16),
            5 => (24, 64, 16),
            6 => (64, 128, 32),
            7 => (128, 128, 64),
            8 => (512, 258, 128),
            _ => (2048, 258, 258),
        };
        Self { tries, enough, lazy }
    }
}

/// The length of the common prefix of two slices, up to `limit`. `b` has at least `limit` bytes.
#[inline]
fn common(a: &[u8], b: &[u8], limit: usize) -> usize {
    let (a, b) = (a.get(..limit).unwrap_or(a), b.get(..limit).unwrap_or(b));
    let (a_words, b_words) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let mut len = 0;
    for (x, y) in a_words.iter().zip(b_words) {
        let differs = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differs != 0 {
            return len + (differs.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    let rest = a.iter().zip(b).skip(len);
    len + rest.take_while(|(x, y)| x == y).count()
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("window", &self.window)
            .field("held", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
