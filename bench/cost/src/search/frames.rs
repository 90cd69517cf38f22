//! Genes as frames of a client. All that comes of them is valid, and ends between messages.

use ws_test_support::frames::masked;
use ws_test_support::random::Random;

use super::Gene;
use crate::deflate::Bits;

pub(super) fn bytes_of(genes: &[Gene]) -> Vec<u8> {
    let mut bytes = vec![];
    // The first byte of a frame that goes on with the open message.
    let mut is_open = false;
    for gene in genes {
        let mut random = Random(gene.seed);
        let payload = payload(gene, &mut random);
        let text = payload.is_ascii();
        for _ in 0..1 + gene.b % 4 {
            match gene.kind % 8 {
                0 => bytes.extend(masked(0x89, &payload)),
                1 => bytes.extend(masked(0x8a, &payload)),
                2 if is_open => bytes.extend(masked(0x00, &payload)),
                3 if is_open => {
                    bytes.extend(masked(0x80, &payload));
                    is_open = false;
                }
                4 if !is_open => {
                    bytes.extend(masked(0x02, &payload));
                    is_open = true;
                }
                5 if !is_open => bytes.extend(masked(0xc2, compressed(gene, &mut random))),
                6 if !is_open => {
                    let compressed = compressed(gene, &mut random);
                    let (front, back) = compressed.split_at(random.below(compressed.len() + 1));
                    bytes.extend(masked(0x42, front));
                    bytes.extend(masked(0x80, back));
                }
                _ if !is_open => bytes.extend(masked(if text { 0x81 } else { 0x82 }, &payload)),
                _ => bytes.extend(masked(0x00, &payload)),
            }
        }
    }
    if is_open {
        bytes.extend(masked(0x80, b""));
    }
    bytes
}

fn payload(gene: &Gene, random: &mut Random) -> Vec<u8> {
    let len = match gene.a % 4 {
        0 => 0,
        1 => 1,
        2 => random.below(16),
        _ => random.below(126),
    };
    let first = if gene.b & 0x100 == 0 { b'a' } else { 0xe9 };
    vec![first; len]
}

/// A message that inflates to little.
fn compressed(gene: &Gene, random: &mut Random) -> Vec<u8> {
    let mut bits = Bits::default();
    match gene.a % 4 {
        0 => {}
        1 => _ = bits.stored(b"a"),
        _ => {
            bits.fixed();
            for _ in 0..random.below(8) {
                bits.fixed_literal(random.next() as u8);
            }
            bits.fixed_end();
        }
    }
    // The header of the empty block whose end the inflater adds.
    bits.put(0, 3).finish()
}
