//! Bytes in, DEFLATE out (RFC 1951).

use alloc::vec::Vec;
use core::fmt;

use super::blocks::{BitWriter, Block};
use super::codes::{MAX_MATCH, at, put};

/// Matches are looked for by so many bytes; shorter ones hardly pay.
const HASHED: usize = 4;

/// Compresses messages (RFC 7692 §7.2.1), each one looking back on those before it.
///
/// It holds what was compressed last, twice its window at most, and two tables: 2 bytes for each byte of the window and
/// 2 to the power of 8 + `mem_level` bytes. At window 12 and memory level 5 that is 24 KiB. It works without a window
/// larger than what it has been given yet: for a single short message it takes little more than that message.
pub struct Compressor {
    /// How far back it looks, and one more.
    window: usize,
    effort: Effort,
    hash_bits: u32,
    /// What can be looked back on, and then what is being compressed.
    bytes: Vec<u8>,
    /// The position of the first of `bytes` in all that there ever was. Only the last 16 bits of positions count: what
    /// the tables hold is a guess, which the bytes themselves confirm.
    base: usize,
    /// Up to here positions are in the tables.
    hashed: usize,
    /// By hash, the last position where such bytes stood.
    heads: Vec<u16>,
    /// By position, the one before it with such bytes.
    chains: Vec<u16>,
    block: Block,
}

/// How hard matches are looked for.
#[derive(Clone, Copy)]
struct Effort {
    /// How many places are tried.
    tries: u32,
    /// A match as long as this is good enough.
    enough: usize,
    /// A match shorter than this may yet be given up for a longer one that begins a byte later.
    lazy: usize,
}

#[derive(Clone, Copy)]
struct Match {
    len: usize,
    distance: usize,
}

impl Compressor {
    /// For a window of 2^`window_bits` bytes, 8 to 15. `level` is from 1, fast, to 9, small; `mem_level` from 1 to 9.
    pub fn new(window_bits: u8, level: u8, mem_level: u8) -> Self {
        let mem_level = mem_level.clamp(1, 9);
        Self {
            window: 1 << window_bits.clamp(8, 15),
            effort: Effort::of(level),
            hash_bits: u32::from(mem_level) + 7,
            bytes: Vec::new(),
            base: 0,
            hashed: 0,
            heads: Vec::new(),
            chains: Vec::new(),
            block: Block::new(1 << (mem_level + 6)),
        }
    }

    /// For one message of `len` bytes and nothing after it: no larger than that needs.
    pub fn for_one(len: usize, window_bits: u8, level: u8, mem_level: u8) -> Self {
        let mut this = Self::new(window_bits, level, mem_level);
        let enough = len.max(256).next_power_of_two();
        this.window = this.window.min(enough);
        this.hash_bits = this.hash_bits.min(enough.ilog2());
        this
    }

    /// Compresses `input` and appends it to `out`, up to the end of an empty stored block: `00 00 FF FF`. All of it can be
    /// decompressed then.
    pub fn compress(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        if self.heads.is_empty() {
            self.heads = alloc::vec![0; 1 << self.hash_bits];
            self.chains = alloc::vec![0; self.window];
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

    /// What it holds, in bytes.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + 2 * (self.heads.capacity() + self.chains.capacity())
    }

    /// Room for more bytes behind those that can be looked back on: for `wanted`, or for some of them. The oldest go.
    fn make_room(&mut self, wanted: usize, writer: &mut BitWriter<'_>) -> usize {
        let (len, most) = (self.bytes.len(), 2 * self.window);
        if len + wanted > most && len > self.window {
            if self.block.may_be_stored() {
                self.block.write(&self.bytes, writer);
            }
            let gone = len - self.window;
            self.bytes.drain(..gone);
            self.base += gone;
            self.hashed -= gone.min(self.hashed);
        }
        most - self.bytes.len()
    }

    /// Takes `bytes` apart from `start` on, into literals and matches.
    fn find_matches(&mut self, start: usize, writer: &mut BitWriter<'_>) {
        let end = self.bytes.len();
        let mut at = start;
        while at < end {
            if self.block.is_full() {
                self.block.write(self.bytes.get(..at).unwrap_or_default(), writer);
            }
            let Some(mut found) = self.longest(at, 0) else {
                self.literal(at);
                at += 1;
                continue;
            };
            while found.len < self.effort.lazy
                && let Some(longer) = self.longest(at + 1, found.len)
            {
                self.literal(at);
                at += 1;
                found = longer;
            }
            self.block.push_match(found.len, found.distance);
            at += found.len;
            self.hash_up_to(at);
        }
    }

    #[inline]
    fn literal(&mut self, position: usize) {
        self.block.push_literal(at(&self.bytes, position));
    }

    /// The longest match at a position that is longer than `least`. The position enters the tables.
    #[inline]
    fn longest(&mut self, position: usize, least: usize) -> Option<Match> {
        self.hash_up_to(position);
        let here = four_bytes(&self.bytes, position)?;
        let mut candidate = self.hash(position, here);
        let absolute = (self.base + position) as u16;
        let furthest = position.min(self.window - 1);
        let (before, rest) = self.bytes.split_at(position);
        let longest = rest.len().min(MAX_MATCH);

        let mut found = Match { len: least.max(HASHED - 1), distance: 0 };
        let mut nearer = 0;
        for _ in 0..self.effort.tries {
            let distance = usize::from(absolute.wrapping_sub(candidate));
            // Further and further back, until there is nothing, or what is left over from long ago.
            if distance <= nearer || distance > furthest || found.len >= longest {
                break;
            }
            nearer = distance;
            let from = before.len() - distance;
            // Only what goes on for longer than the best so far is worth a look.
            if at(&self.bytes, from + found.len) == at(rest, found.len) && four_bytes(&self.bytes, from) == Some(here) {
                let len = common(self.bytes.get(from..).unwrap_or_default(), rest, longest);
                if len > found.len {
                    found = Match { len, distance };
                    if len >= self.effort.enough {
                        break;
                    }
                }
            }
            candidate = at(&self.chains, (self.base + from) & (self.chains.len() - 1));
        }
        (found.distance > 0).then_some(found)
    }

    /// Enters the positions before `end` in the tables, as far as the bytes are there.
    #[inline]
    fn hash_up_to(&mut self, end: usize) {
        while self.hashed < end
            && let Some(bytes) = four_bytes(&self.bytes, self.hashed)
        {
            self.hash(self.hashed, bytes);
        }
    }

    /// Enters a position where `bytes` stand in the tables; the last one before it where they may stand.
    #[inline]
    fn hash(&mut self, position: usize, bytes: u32) -> u16 {
        let hash = bytes.wrapping_mul(0x9E37_79B1) >> (32 - self.hash_bits);
        let absolute = self.base + position;
        let Some(head) = self.heads.get_mut(hash as usize) else { return 0 };
        let before = core::mem::replace(head, absolute as u16);
        let slot = absolute & (self.chains.len() - 1);
        put(&mut self.chains, slot, before);
        self.hashed = position + 1;
        before
    }
}

impl Effort {
    const fn of(level: u8) -> Self {
        let (tries, enough, lazy) = match level {
            0 | 1 => (1, 16, 0),
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

#[inline]
fn four_bytes(bytes: &[u8], position: usize) -> Option<u32> {
    bytes.get(position..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// How many bytes two slices begin with in common, up to `limit`, which `b` has.
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
