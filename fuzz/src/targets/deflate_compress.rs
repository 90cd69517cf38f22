//! `ws-deflate` compresses: messages one after the other, and each alone. Another implementation understands them, and they
//! are inflated to what they were, within the window.
//!
//! | byte | bits | meaning |
//! | --- | --- | --- |
//! | 0 | 0–2 | window bits, 8 to 15 |
//! | | 4–7 | the level |
//! | 1 | | the size of the pieces that are inflated; 0 for all at once |
//! | 2 | 0–3 | the memory level |
//! | | 4–7 | the room there is, 4^n bytes |

use arbitrary::Arbitrary;
use ws_deflate::{Compressor, Settings, TAIL};
use zlib_rs::{Inflate as Other, InflateFlush};

use super::deflate_inflate::{MOST, run};

#[derive(Arbitrary, Debug)]
pub struct Compress<'a> {
    pub setup: [u8; 3],
    pub data: &'a [u8],
}

pub fn deflate_compress(input: Compress<'_>) {
    let ([first, size, third], data) = (input.setup, input.data);
    let (bits, level, mem_level) = (8 + (first & 7), first >> 4, third & 15);
    let size = if size == 0 { usize::MAX } else { usize::from(size) };
    let room = 1 << (2 * (third >> 4)).min(20);
    // Repeated, or there would be little to find.
    let payload = data.repeat(1 + usize::from(level % 4) * 7);
    let settings = Settings::new().window_bits(bits).level(level).memory_level(mem_level);
    let mut compressor = Compressor::new(settings);
    let mut other = Other::new(false, 15);
    let mut history = vec![];
    for message in [&payload[..payload.len() / 3], &payload[payload.len() / 3..], data] {
        let mut out = vec![];
        compressor.compress(message, &mut out);
        let mut theirs = vec![0; message.len() + 1];
        let before = other.total_out();
        other.decompress(&out, &mut theirs, InflateFlush::SyncFlush).expect("another one understands it");
        assert_eq!(&theirs[..(other.total_out() - before) as usize], message);

        assert_eq!(out.split_off(out.len() - 4), TAIL);
        let inflated = run(bits, &out, size, room, history.clone());
        assert!(inflated.1.len() >= MOST || (inflated.0.is_ok() && inflated.1 == message));

        let mut alone = vec![];
        Compressor::for_message(message.len(), settings).compress(message, &mut alone);
        alone.truncate(alone.len() - 4);
        let inflated = run(bits, &alone, size, room, vec![]);
        assert!(inflated.1.len() >= MOST || (inflated.0.is_ok() && inflated.1 == message));
        history.extend_from_slice(message);
    }
}
