//! Masking and unmasking (RFC 6455 §5.3): exclusive or with a four-byte masking key.

use alloc::vec::Vec;

/// A source of masking keys, for clients.
///
/// The author of the payload must not be able to predict the keys (RFC 6455 §10.3): use a cryptographically secure random
/// number generator.
pub trait MaskKeys {
    /// Returns a new key.
    fn next_key(&mut self) -> [u8; 4];
}

impl<F: FnMut() -> [u8; 4]> MaskKeys for F {
    fn next_key(&mut self) -> [u8; 4] {
        self()
    }
}

/// Masks or unmasks `payload` in place. Returns the key for the byte after it.
#[inline]
pub fn apply(payload: &mut [u8], key: [u8; 4]) -> [u8; 4] {
    // Blocks that the compiler turns into vector instructions; the key's period divides them.
    let narrow = u32::from_ne_bytes(key);
    let wide = u128::from_ne_bytes([key; 4].as_flattened().first_chunk().copied().unwrap_or_default());
    let (blocks, rest) = payload.as_chunks_mut::<64>();
    for block in blocks {
        for word in block.as_chunks_mut::<4>().0 {
            *word = (u32::from_ne_bytes(*word) ^ narrow).to_ne_bytes();
        }
    }
    let (blocks, rest) = rest.as_chunks_mut::<16>();
    for block in blocks {
        *block = (u128::from_ne_bytes(*block) ^ wide).to_ne_bytes();
    }
    let (words, rest) = rest.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ narrow).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
    rotate(key, rest.len())
}

/// Masks or unmasks a short payload in place. For a few words, blocks would be more trouble than they are worth.
#[inline]
pub(crate) fn apply_short(payload: &mut [u8], key: [u8; 4]) {
    let narrow = u32::from_ne_bytes(key);
    let wide = u64::from(narrow) << 32 | u64::from(narrow);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    let (words, rest) = rest.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ narrow).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// How much is copied before it is masked.
const BLOCK: usize = 2048;

/// Masks or unmasks `payload` while appending it to `out`. Returns the key for the byte after it.
#[inline]
pub fn append(out: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) -> [u8; 4] {
    out.reserve(payload.len());
    let start = out.len();
    // Block by block, so that masking finds the bytes in the nearest cache. The key's period divides a block.
    for block in payload.chunks(BLOCK) {
        let start = out.len();
        out.extend_from_slice(block);
        if let Some(copied) = out.get_mut(start..) {
            apply(copied, key);
        }
    }
    rotate(key, out.len() - start)
}

/// Copies `payload` to the front of `out`, which is long enough, masked or unmasked; the key for the byte that follows.
#[inline]
pub(crate) fn copy(out: &mut [u8], payload: &[u8], key: [u8; 4]) -> [u8; 4] {
    // In blocks as above, and not word by word on the way: where the two places differ by little more than a multiple of
    // 4 KiB, reading would wait for writing all the time.
    for (out, block) in out.chunks_mut(BLOCK).zip(payload.chunks(BLOCK)) {
        if let Some(out) = out.get_mut(..block.len()) {
            out.copy_from_slice(block);
            apply(out, key);
        }
    }
    rotate(key, payload.len())
}

/// Moves what lies from `start` on to the front, masked or unmasked; the key for the byte that follows.
pub(crate) fn move_to_front(bytes: &mut [u8], start: usize, key: [u8; 4]) -> [u8; 4] {
    let narrow = u32::from_ne_bytes(key);
    let (mut at, len) = (0, bytes.len().saturating_sub(start));
    while let Some(window) = bytes.get_mut(at..at + start + 64)
        && let Some(from) = window.last_chunk::<64>()
    {
        let mut block = [0; 64];
        for (to, from) in block.as_chunks_mut::<4>().0.iter_mut().zip(from.as_chunks::<4>().0) {
            *to = (u32::from_ne_bytes(*from) ^ narrow).to_ne_bytes();
        }
        if let Some(to) = window.first_chunk_mut() {
            *to = block;
        }
        at += block.len();
    }
    bytes.copy_within(bytes.len() - (len - at).., at);
    apply(bytes.get_mut(at..len).unwrap_or_default(), key)
}

/// Copies as [`copy`] does, or as it is where there is no key.
#[inline]
pub(crate) fn copy_keyed(out: &mut [u8], payload: &[u8], key: Option<[u8; 4]>) -> Option<[u8; 4]> {
    match (key, out.get_mut(..payload.len())) {
        (Some(key), Some(out)) => return Some(copy(out, payload, key)),
        (None, Some(out)) => out.copy_from_slice(payload),
        (_, None) => {}
    }
    key
}

/// Appends `payload` to `out` as [`append`] does, or as it is where there is no key; the key for what follows.
#[inline]
pub(crate) fn append_keyed(out: &mut Vec<u8>, payload: &[u8], key: Option<[u8; 4]>) -> Option<[u8; 4]> {
    match key {
        Some(key) => Some(append(out, payload, key)),
        None => {
            out.extend_from_slice(payload);
            None
        }
    }
}

/// The key as it stands `n` bytes further on.
#[inline]
fn rotate(key: [u8; 4], n: usize) -> [u8; 4] {
    u32::from_be_bytes(key).rotate_left(8 * (n % 4) as u32).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn naive(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
        payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
    }

    #[test]
    fn every_length_and_split_agrees_with_the_definition() {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        let payload: Vec<u8> = (0..200).map(|i| (i * 7) as u8).collect();
        for len in 0..payload.len() {
            let expected = naive(&payload[..len], key);
            let mut appended = Vec::new();
            append(&mut appended, &payload[..len], key);
            assert_eq!(appended, expected);
            let mut copied = vec![0xEE; len];
            assert_eq!(copy(&mut copied, &payload[..len], key), rotate(key, len));
            assert_eq!(copied, expected);
            for split in 0..=len {
                let mut bytes = payload[..len].to_vec();
                let (a, b) = bytes.split_at_mut(split);
                let key = apply(a, key);
                apply(b, key);
                assert_eq!(bytes, expected, "{len} split at {split}");
            }
        }
    }

    #[test]
    fn long_payloads_are_masked_across_blocks() {
        let payload: Vec<u8> = (0..10_000u32).map(|i| i as u8).collect();
        let mut out = Vec::from([9]);
        append(&mut out, &payload, [1, 2, 3, 4]);
        assert_eq!(out[1..], naive(&payload, [1, 2, 3, 4]));
        let mut out = vec![9; 10_005];
        assert_eq!(copy(&mut out, &payload[..9_999], [1, 2, 3, 4]), [4, 1, 2, 3]);
        assert_eq!(out[..9_999], naive(&payload[..9_999], [1, 2, 3, 4]));
        assert_eq!(out[9_999..], [9; 6], "no more than there is");
    }

    #[test]
    fn a_payload_moves_to_the_place_of_its_header() {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        for start in [0, 1, 2, 4, 8, 14, 63, 64, 65, 100] {
            for len in (0..200).chain([1000, 4096]) {
                let payload: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
                let mut bytes = [&vec![0xEE; start], &payload[..]].concat();
                assert_eq!(move_to_front(&mut bytes, start, key), rotate(key, len), "{len} bytes from {start}");
                assert_eq!(bytes[..len], naive(&payload, key), "{len} bytes from {start}");
            }
        }
        assert_eq!(move_to_front(&mut [1, 2], 3, key), key, "there is nothing");
    }

    #[test]
    fn short_payloads_are_masked_alike() {
        let key = [1, 2, 4, 8];
        for len in 0..=130 {
            let payload: Vec<u8> = (0..len).collect();
            let (mut masked, mut expected) = (payload.clone(), payload);
            apply_short(&mut masked, key);
            apply(&mut expected, key);
            assert_eq!(masked, expected, "{len}");
        }
    }
}
