//! DEFLATE that is dear.

use super::{LEN, repeated};
use crate::deflate::{Bits, canonical};

/// A block with one code alone, that of its end; and the empty block whose end the inflater adds.
pub(super) fn shallow() -> Vec<u8> {
    Bits::default().dynamic(&SHALLOW, &[0], true).put(0, 1).put(0, 3).finish()
}

const SHALLOW: [u8; 257] = {
    let mut lengths = [0; 257];
    lengths[256] = 1;
    lengths
};

/// Streams of DEFLATE, each of blocks of one kind until they fill bytes.
pub(super) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let stream = |block: &dyn Fn(&mut Bits)| {
        let mut bits = Bits::default();
        for _ in 0..8 {
            block(&mut bits);
            if bits.is_aligned() {
                break;
            }
        }
        repeated(&bits.finish())
    };
    // All symbols there are, in codes as even as they can be.
    let even = [vec![8; 226], vec![9; 60]].concat();
    // One code of each length.
    let mut deep = vec![0; 286];
    for (i, length) in deep[242..257].iter_mut().enumerate() {
        *length = i as u8 + 1;
    }
    deep[257] = 15;
    let mut deep_distances = vec![0; 30];
    for (i, length) in deep_distances[..15].iter_mut().enumerate() {
        *length = i as u8 + 1;
    }
    deep_distances[15] = 15;
    let end = |bits: &mut Bits, literals: &[u8]| {
        let lengths: Vec<u32> = literals.iter().map(|length| u32::from(*length)).collect();
        bits.code(canonical(&lengths)[256], lengths[256]);
    };
    vec![
        ("empty fixed blocks", stream(&|bits| _ = bits.fixed().fixed_end())),
        ("fixed blocks of one literal", stream(&|bits| _ = bits.fixed().fixed_literal(b'a').fixed_end())),
        (
            "fixed blocks of one short match",
            stream(&|bits| _ = bits.fixed().fixed_literal(b'a').fixed_match(false).fixed_end()),
        ),
        ("empty stored blocks", stream(&|bits| _ = bits.stored(b""))),
        ("stored blocks of one byte", stream(&|bits| _ = bits.stored(b"a"))),
        ("dynamic blocks with one code, empty", stream(&|bits| end(bits.dynamic(&SHALLOW, &[0], true), &SHALLOW))),
        ("dynamic blocks with all codes, empty", stream(&|bits| end(bits.dynamic(&even, &[5; 30], false), &even))),
        ("the same, told by repetitions", stream(&|bits| end(bits.dynamic(&even, &[5; 30], true), &even))),
        ("dynamic blocks with the longest codes, empty", {
            stream(&|bits| end(bits.dynamic(&deep, &deep_distances, true), &deep))
        }),
        ("long codes", {
            let lengths: Vec<u32> = deep.iter().map(|length| u32::from(*length)).collect();
            let codes = canonical(&lengths);
            let mut bits = Bits::default();
            bits.dynamic(&deep, &[0], true);
            for i in 0..LEN / 2 {
                bits.code(codes[254 + i % 2], lengths[254 + i % 2]);
            }
            end(&mut bits, &deep);
            bits.finish()
        }),
        ("fixed literals", {
            let mut bits = Bits::default();
            bits.fixed();
            for i in 0..LEN {
                bits.fixed_literal(i as u8);
            }
            bits.fixed_end().finish()
        }),
        ("short matches", {
            let mut bits = Bits::default();
            bits.fixed().fixed_literal(b'a');
            for _ in 0..LEN * 2 / 3 {
                bits.fixed_match(false);
            }
            bits.fixed_end().finish()
        }),
        ("long matches", {
            let mut bits = Bits::default();
            bits.fixed().fixed_literal(b'a');
            for _ in 0..LEN / 2 {
                bits.fixed_match(true);
            }
            bits.fixed_end().finish()
        }),
    ]
}
