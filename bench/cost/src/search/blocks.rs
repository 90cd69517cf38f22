//! Genes as blocks of DEFLATE (RFC 1951). All that comes of them is valid, and ends with a byte.

use ws_test_support::random::Random;

use super::Gene;
use crate::deflate::{Bits, canonical};

/// No distance is longer: so much is there whatever came before.
const DISTANCE: usize = 32;

pub(super) fn bytes_of(genes: &[Gene]) -> Vec<u8> {
    let mut bits = Bits::default();
    // What matches can look back on.
    bits.stored(&[b'a'; DISTANCE]);
    for gene in genes {
        let mut random = Random(gene.seed);
        // Now and then many, so that the block's header does not count.
        let symbols = usize::from(gene.a % 64) * if gene.a & 0x300 == 0 { 16 } else { 1 };
        match gene.kind % 8 {
            0 => _ = bits.stored(&vec![7; usize::from(gene.a % 9)]),
            1 | 2 => {
                let fixed = Codes::fixed();
                bits.fixed();
                fixed.symbols(&mut bits, symbols, gene.b, &mut random);
            }
            kind => {
                let codes = Codes::random(gene.b, &mut random);
                bits.dynamic(&codes.literals, &codes.distances, kind % 2 == 0);
                codes.symbols(&mut bits, symbols, gene.b >> 8, &mut random);
            }
        }
    }
    // A stored block fills the byte, and costs next to nothing.
    if !bits.is_aligned() {
        bits.stored(b"");
    }
    bits.finish()
}

struct Codes {
    literals: Vec<u8>,
    distances: Vec<u8>,
}

impl Codes {
    fn fixed() -> Self {
        let literals = [vec![8; 144], vec![9; 112], vec![7; 24], vec![8; 8]].concat();
        Self { literals, distances: vec![5; 32] }
    }

    /// Codes for a number of symbols, as deep as `shape` says.
    fn random(shape: u16, random: &mut Random) -> Self {
        let spread = |count: usize, among: usize, first: usize, random: &mut Random| {
            let mut lengths = vec![0; among];
            let mut depths = tree(count.min(among), shape, random);
            // Which of them get the short codes is chance.
            for i in (1..depths.len()).rev() {
                depths.swap(i, random.below(i + 1));
            }
            let mut symbols: Vec<usize> = (0..among).filter(|symbol| *symbol != first).collect();
            for i in 0..count.min(among) - 1 {
                let other = i + random.below(symbols.len() - i);
                symbols.swap(i, other);
            }
            let used = [first].into_iter().chain(symbols);
            used.zip(depths).for_each(|(symbol, depth)| lengths[symbol] = depth);
            lengths
        };
        let (literals, distances) = (2 + random.below(284), 2 + random.below(8));
        Self {
            literals: spread(literals, 286, 256, random),
            distances: if random.below(4) == 0 { vec![0] } else { spread(distances, 10, 0, random) },
        }
    }

    /// So many symbols, matches among them as `share` says, and the end of the block.
    fn symbols(&self, bits: &mut Bits, count: usize, share: u16, random: &mut Random) {
        let wide = |lengths: &[u8]| lengths.iter().map(|length| u32::from(*length)).collect::<Vec<_>>();
        let (literals, distances) = (wide(&self.literals), wide(&self.distances));
        let (literal_codes, distance_codes) = (canonical(&literals), canonical(&distances));
        // The longer ones more often: they are the dear ones.
        let pick = |lengths: &[u32], from: usize, to: usize, random: &mut Random| {
            let all: Vec<usize> = (from..to.min(lengths.len())).filter(|symbol| lengths[*symbol] > 0).collect();
            let longest = all.iter().map(|symbol| lengths[*symbol]).max()?;
            let long: Vec<usize> = all.iter().copied().filter(|symbol| lengths[*symbol] + 1 >= longest).collect();
            let among = if random.below(4) == 0 { &all } else { &long };
            Some(among[random.below(among.len())])
        };
        for _ in 0..count {
            let is_match = random.below(4) < usize::from(share % 5);
            // The first ten distances are up to 32 bytes.
            let (length, distance) = (pick(&literals, 257, 286, random), pick(&distances, 0, 10, random));
            if let (true, Some(length), Some(distance)) = (is_match, length, distance) {
                let s = length as u32 - 257;
                let length_extra = if (8..28).contains(&s) { s / 4 - 1 } else { 0 };
                let distance_extra = (distance as u32 / 2).saturating_sub(1);
                bits.code(literal_codes[length], literals[length]).put(0, length_extra);
                bits.code(distance_codes[distance], distances[distance]).put(0, distance_extra);
            } else if let Some(literal) = pick(&literals, 0, 256, random) {
                bits.code(literal_codes[literal], literals[literal]);
            }
        }
        bits.code(literal_codes[256], literals[256]);
    }
}

/// The depths of the leaves of a tree, at most 15: `shape` says how often the deepest leaf is the one that is split.
fn tree(leaves: usize, shape: u16, random: &mut Random) -> Vec<u8> {
    let mut depths = vec![1, 1];
    while depths.len() < leaves {
        let deepest = (0..depths.len()).filter(|i| depths[*i] < 15).max_by_key(|i| depths[*i]);
        let lowest = (0..depths.len()).min_by_key(|i| depths[*i]);
        let chosen = if random.below(16) < usize::from(shape % 17) { deepest.or(lowest) } else { lowest };
        let Some(i) = chosen else { break };
        depths[i] += 1;
        depths.push(depths[i]);
    }
    depths
}
